//! The host on the daemon's side of the socket.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use spo_api::Module;
use spo_lsm::host::{Change, Host, HostError, Installed, Outcome, Step, Unsupported};
use tokio::net::UnixStream;
use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::wire::{Do, Listed, MAX_BYTES, Outcomes, Steps, Support};
use crate::daemon::Changes;
use crate::status::chain;

/// A transaction of SELinux with many modules takes minutes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(30 * 60);
/// The first pause between two tries to reach an installer that does not answer, and the longest.
const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// What is sent at once is a little less than what is taken.
const MAX_SENT_BYTES: usize = MAX_BYTES - (64 << 10);

/// A module of the host, through the installer's socket. To be used outside the runtime's own thread.
#[derive(Debug)]
pub struct RemoteHost {
    module: Module,
    socket: PathBuf,
    runtime: Handle,
    /// Told whenever the installer was not reached: whoever waits for its return may not have noticed that it was away.
    missed: Arc<Notify>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("cannot reach the installer at {}", .0.display())]
    Connect(PathBuf, #[source] std::io::Error),
    #[error("the installer ended in the middle of its answer")]
    Cut(#[source] hyper::Error),
    #[error("the installer took longer than {} minutes", PATIENCE.as_secs() / 60)]
    Late,
    #[error("the installer refuses: {1} ({0})")]
    Refused(StatusCode, String),
    #[error("the installer's answer is not understood")]
    Garbage(#[source] serde_json::Error),
}

impl RemoteHost {
    /// The module `module` of the host that the installer at `socket` serves. `runtime` is where connections are driven.
    pub fn new(module: Module, socket: &Path, runtime: Handle) -> Self {
        Self { module, socket: socket.to_owned(), runtime, missed: Arc::default() }
    }

    /// Tells when the installer comes or comes back, and when it says that others changed something.
    pub fn changes(&self) -> Changes {
        let (socket, path) = (self.socket.clone(), format!("/v1/{}/changes", self.module));
        // Whether the next connection is one after a failure, and how long the next pause is.
        let state = (false, PAUSE_MIN, socket, path, Arc::clone(&self.missed));
        let notices = futures::stream::unfold(state, async |(mut lost, mut pause, socket, path, missed)| {
            loop {
                match UnixStream::connect(&socket).await {
                    Ok(_) if lost => return Some(((), (false, PAUSE_MIN, socket, path, missed))),
                    Ok(connection) => tokio::select! {
                        answer = exchange(connection, Method::GET, &path, Bytes::new()) => if answer.is_ok() {
                            return Some(((), (false, PAUSE_MIN, socket, path, missed)));
                        },
                        // A question found nobody, just before the installer came.
                        () = missed.notified() => {}
                    },
                    Err(_absent) => {}
                }
                lost = true;
                tokio::time::sleep(pause).await;
                pause = PAUSE_MAX.min(pause * 2);
            }
        });
        Changes::Notices(notices.boxed())
    }

    fn ask<T: DeserializeOwned>(&self, method: Method, what: &str, body: Bytes) -> Result<T, Failed> {
        let path = format!("/v1/{}/{what}", self.module);
        let answer = self.runtime.block_on(async {
            let connection =
                UnixStream::connect(&self.socket).await.map_err(|error| Failed::Connect(self.socket.clone(), error))?;
            let answer = tokio::time::timeout(PATIENCE, exchange(connection, method, &path, body));
            let answer = answer.await.map_err(|_late| Failed::Late)??;
            serde_json::from_slice(&answer).map_err(Failed::Garbage)
        });
        if let Err(Failed::Connect(..) | Failed::Cut(_)) = answer {
            self.missed.notify_one();
        }
        answer
    }

    /// Sends steps that fit into one request.
    fn send(&self, steps: &[Result<Do, HostError>], results: &mut Vec<Result<Change, HostError>>) {
        let wanted: Vec<Do> = steps.iter().filter_map(|step| step.as_ref().ok().cloned()).collect();
        let answer = self.post(wanted);
        let mut outcomes = answer.map(|answer| answer.outcomes.into_iter());
        results.extend(steps.iter().map(|step| match (step, &mut outcomes) {
            (Err(error), _) => Err(error.clone()),
            (Ok(_), Err(failed)) => Err(told(failed)),
            (Ok(_), Ok(outcomes)) => outcomes.next().map_or_else(|| Err(nothing()), Into::into),
        }));
    }

    fn post(&self, steps: Vec<Do>) -> Result<Outcomes, Failed> {
        if steps.is_empty() {
            return Ok(Outcomes { outcomes: Vec::new() });
        }
        let body = serde_json::to_vec(&Steps { steps }).map_err(Failed::Garbage)?;
        self.ask(Method::POST, "steps", body.into())
    }
}

/// One request and its answer.
async fn exchange(connection: UnixStream, method: Method, path: &str, body: Bytes) -> Result<Bytes, Failed> {
    let (mut sender, driving) =
        hyper::client::conn::http1::handshake(TokioIo::new(connection)).await.map_err(Failed::Cut)?;
    let driving = tokio::spawn(driving);
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().unwrap_or_default();
    request.headers_mut().insert(hyper::header::HOST, hyper::header::HeaderValue::from_static("installer"));
    let answer = async {
        let response = sender.send_request(request).await.map_err(Failed::Cut)?;
        let status = response.status();
        let refused = |text: String| Failed::Refused(status, text);
        let body = Limited::new(response.into_body(), MAX_BYTES).collect().await;
        let body = body.map_err(|error| refused(error.to_string()))?.to_bytes();
        if status.is_success() { Ok(body) } else { Err(refused(String::from_utf8_lossy(&body).into_owned())) }
    };
    let answer = answer.await;
    driving.abort();
    answer
}

/// A failure of the conversation as one of a step. It says nothing of the profile.
fn told(failed: &Failed) -> HostError {
    HostError::Told { message: chain(failed), may_pass: true }
}

fn nothing() -> HostError {
    HostError::Told { message: "the installer said nothing of this step".to_owned(), may_pass: true }
}

impl Host for RemoteHost {
    fn module(&self) -> Module {
        self.module
    }

    fn support(&self) -> Result<(), Unsupported> {
        match self.ask::<Support>(Method::GET, "support", Bytes::new()) {
            Ok(support) => support.into(),
            Err(failed) => Err(Unsupported {
                reason: chain(&failed),
                next_step: "look at the container installer of this node's pod, or start spo-node installer".to_owned(),
            }),
        }
    }

    fn installed(&mut self) -> Result<Installed, HostError> {
        self.ask::<Listed>(Method::GET, "installed", Bytes::new()).map_err(|failed| told(&failed))?.into()
    }

    fn apply(&mut self, steps: &[Step]) -> Vec<Outcome> {
        let sent: Vec<Result<Do, HostError>> = steps.iter().map(|step| Do::of(step).map_err(HostError::from)).collect();
        let mut results = Vec::new();
        let mut rest = sent.as_slice();
        while !rest.is_empty() {
            let (now, later) = rest.split_at(fitting(rest));
            self.send(now, &mut results);
            rest = later;
        }
        steps.iter().zip(results).map(|(step, result)| Outcome { key: step.key().clone(), result }).collect()
    }
}

/// How many of the first steps fit into one request; one at least.
fn fitting(steps: &[Result<Do, HostError>]) -> usize {
    let mut bytes = 0;
    let fits = |step: &&Result<Do, HostError>| {
        let size = step.as_ref().ok().and_then(|step| serde_json::to_vec(step).ok()).map_or(0, |text| text.len() + 1);
        bytes += size;
        bytes <= MAX_SENT_BYTES
    };
    steps.iter().take_while(fits).count().max(1)
}

#[cfg(test)]
mod tests {
    use tokio::net::UnixListener;

    use super::*;

    /// The installer comes between a question and the first look out for it: whoever asked is told all the same.
    #[tokio::test]
    async fn an_installer_that_comes_right_after_a_question_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let host = RemoteHost::new(Module::AppArmor, &socket, Handle::current());
        let Changes::Notices(mut notices) = host.changes() else { panic!("the installer tells of changes") };
        let support = tokio::task::spawn_blocking(move || host.support()).await.unwrap();
        assert!(support.unwrap_err().reason.contains("cannot reach the installer"));
        let listener = UnixListener::bind(&socket).unwrap();
        let held = tokio::spawn(async move {
            let mut connections = Vec::new();
            while let Ok((connection, _)) = listener.accept().await {
                connections.push(connection);
            }
        });
        let noticed = tokio::time::timeout(Duration::from_secs(60), notices.next()).await;
        assert_eq!(noticed, Ok(Some(())));
        held.abort();
    }
}
