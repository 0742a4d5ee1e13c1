//! An API server that is killed, and comes back.

use std::fs::{self, File};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use kube::Client;
use rustix::process::{Pid, Signal, kill_process};

use crate::wait;

/// Kills the API server whose notes are in this folder and that listens on this port, and starts it again with the same arguments; ends
/// when it answers.
///
/// # Panics
/// If there is none, or it does not come back.
#[expect(clippy::zombie_processes, reason = "it runs on when the test has ended")]
pub async fn restart(folder: &Path, port: u16, client: &Client) {
    // `cargo xtask` keeps a note of the process: its number and its start.
    let note = folder.join("pid/kube-apiserver");
    let text = fs::read_to_string(&note).unwrap();
    let pid = text.split(' ').next().unwrap();
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap();
    let words: Vec<&str> = line
        .split(|byte| *byte == 0)
        .map(|word| std::str::from_utf8(word).unwrap())
        .filter(|word| !word.is_empty())
        .collect();
    kill_process(Pid::from_raw(pid.parse().unwrap()).unwrap(), Signal::KILL).unwrap();
    wait::until_seen("the end of the API server", || TcpStream::connect(("127.0.0.1", port)).err()).await;
    let log = File::create(folder.join("log/kube-apiserver")).unwrap();
    let mut detached = Command::new("setsid");
    detached.args(&words).current_dir("/").stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    let child = detached.spawn().unwrap();
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
    let since = stat.rsplit(')').next().unwrap().split_ascii_whitespace().nth(19).unwrap();
    fs::write(note, format!("{} {since}\n", child.id())).unwrap();
    wait::until_ok("the API server", async || client.apiserver_version().await).await;
}
