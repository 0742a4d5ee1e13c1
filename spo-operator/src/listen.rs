//! Opening a port, on every address of the machine.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::Context;
use tokio::net::{TcpListener, TcpSocket};

/// Opens `port`; `flag` is what a user chooses another by, and `backlog` how many connections may wait to be accepted.
pub(crate) fn listen(port: u16, flag: &str, backlog: u32) -> anyhow::Result<TcpListener> {
    let open = |address: SocketAddr| -> io::Result<TcpListener> {
        let socket = if address.is_ipv6() { TcpSocket::new_v6() } else { TcpSocket::new_v4() }?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(backlog)
    };
    // A node without IPv6 has the other kind only.
    open((Ipv6Addr::UNSPECIFIED, port).into())
        .or_else(|_| open((Ipv4Addr::UNSPECIFIED, port).into()))
        .with_context(|| format!("cannot listen on port {port}; choose another by {flag}"))
}
