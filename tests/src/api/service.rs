//! What a Service does where there is no network of pods: one address, behind which servers come and go.

use std::sync::{Arc, Mutex};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

/// A port of 127.0.0.1 that passes each connection on to the next of the ports behind it.
#[derive(Debug)]
pub struct Service {
    /// Where it listens.
    pub port: u16,
    behind: Arc<Mutex<Vec<u16>>>,
}

impl Service {
    /// One with nothing behind it, which ends every connection.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let behind = Arc::new(Mutex::new(Vec::new()));
        tokio::spawn(pass(listener, behind.clone()));
        Self { port, behind }
    }

    /// Passes connections on to this port too.
    pub fn lead_to(&self, port: u16) {
        self.behind.lock().unwrap().push(port);
    }

    /// And no longer. Connections that there are stay.
    pub fn lead_away_from(&self, port: u16) {
        self.behind.lock().unwrap().retain(|other| *other != port);
    }
}

async fn pass(listener: TcpListener, behind: Arc<Mutex<Vec<u16>>>) {
    while let Ok((mut from, _)) = listener.accept().await {
        let next = {
            let mut ports = behind.lock().unwrap();
            if !ports.is_empty() {
                ports.rotate_left(1);
            }
            ports.last().copied()
        };
        let Some(port) = next else { continue };
        tokio::spawn(async move {
            let Ok(mut to) = TcpStream::connect(("127.0.0.1", port)).await else { return };
            let _ = copy_bidirectional(&mut from, &mut to).await;
        });
    }
}
