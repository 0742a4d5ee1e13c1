//! Answering the daemon.

use std::convert::Infallible;
use std::fmt;
use std::os::unix::net::UnixListener as StdListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result};
use futures::StreamExt;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use spo_api::{Module, ProfileKind};
use spo_lsm::host::{Change, HostError, Step};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};

use super::DAEMON;
use super::wire::{Became, Do, Listed, MAX_BYTES, Outcomes, Steps, Support};
use crate::daemon::{BoxedHost, Changes};
use crate::signals::Ending;

/// So many connections at a time: a daemon has three for each module at most.
const CONNECTIONS: usize = 16;
/// A request has so long to arrive.
const ARRIVAL: Duration = Duration::from_secs(30);

/// A host with what others change on it.
pub struct Station {
    module: Module,
    host: Arc<Mutex<BoxedHost>>,
    /// Counts changes.
    changed: watch::Sender<u64>,
}

impl fmt::Debug for Station {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Station").field("module", &self.module).finish_non_exhaustive()
    }
}

impl Station {
    /// Counts, from now on, what `changes` tells.
    pub fn new(host: BoxedHost, changes: Changes) -> Self {
        let (changed, _) = watch::channel(0);
        let station = Self { module: host.module(), host: Arc::new(Mutex::new(host)), changed };
        if let Changes::Notices(mut notices) = changes {
            let (changed, host) = (station.changed.clone(), Arc::clone(&station.host));
            tokio::spawn(async move {
                while notices.next().await.is_some() {
                    // While a host is at work, it is its own work that is seen.
                    if host.try_lock().is_ok() {
                        changed.send_modify(|count| *count += 1);
                    }
                }
            });
        }
        station
    }
}

/// Answers until a signal comes.
///
/// # Errors
/// The listener cannot be used.
pub async fn serve(listener: StdListener, stations: Vec<Station>, mut ending: Ending) -> Result<()> {
    let listener = UnixListener::from_std(listener).context("cannot use the socket")?;
    let stations = Arc::new(stations);
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let place = Arc::clone(&places).acquire_owned();
        tokio::select! {
            () = ending.wait() => return Ok(()),
            accepted = async { (place.await, listener.accept().await) } => match accepted {
                (Ok(place), Ok((connection, _))) => {
                    let stations = Arc::clone(&stations);
                    tokio::spawn(async move {
                        converse(connection, stations).await;
                        drop(place);
                    });
                }
                (_, Err(error)) => {
                    // Out of descriptors, most likely. Without a pause this would spin.
                    tracing::warn!(%error, "cannot accept the daemon");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                (Err(_closed), _) => return Ok(()),
            },
        }
    }
}

async fn converse(connection: UnixStream, stations: Arc<Vec<Station>>) {
    let peer = connection.peer_cred().map(|peer| peer.uid());
    match peer {
        Ok(0 | DAEMON) => {}
        Ok(uid) if uid == rustix::process::getuid().as_raw() => {}
        other => {
            tracing::warn!(uid = ?other, "refused somebody who is neither the daemon nor root");
            return;
        }
    }
    let service = service_fn(move |request| {
        let stations = Arc::clone(&stations);
        async move { Ok::<_, Infallible>(answer(request, &stations).await.unwrap_or_else(refusal)) }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(ARRIVAL).max_buf_size(64 * 1024);
    // A daemon that ends in the middle of an answer is no matter here.
    _ = http.serve_connection(TokioIo::new(connection), service).await;
}

/// Why a request is not answered.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("there is nothing at this path")]
    Path,
    #[error("the request has more than {} MiB", MAX_BYTES >> 20)]
    TooLarge,
    #[error("the request did not arrive")]
    Cut,
    #[error("the request is not understood: {0}")]
    Garbage(#[source] serde_json::Error),
    #[error("the host ended in the middle of its work")]
    Crashed,
}

fn refusal(refused: Refused) -> Response<Full<Bytes>> {
    tracing::warn!(reason = %refused, "refused a request");
    let status = match refused {
        Refused::Path => StatusCode::NOT_FOUND,
        Refused::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Refused::Cut => StatusCode::REQUEST_TIMEOUT,
        Refused::Garbage(_) => StatusCode::BAD_REQUEST,
        Refused::Crashed => StatusCode::INTERNAL_SERVER_ERROR,
    };
    response(status, refused.to_string())
}

fn response(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    response
}

async fn answer(request: Request<Incoming>, stations: &[Station]) -> Result<Response<Full<Bytes>>, Refused> {
    let path = request.uri().path().to_owned();
    let (module, what) = path.strip_prefix("/v1/").and_then(|rest| rest.split_once('/')).ok_or(Refused::Path)?;
    let module: Module = module.parse().map_err(|_unknown| Refused::Path)?;
    let station = stations.iter().find(|station| station.module == module).ok_or(Refused::Path)?;
    match (request.method(), what) {
        (&Method::GET, "support") => station.at_work(|host| Support::from(host.support())).await,
        (&Method::GET, "installed") => station.at_work(|host| Listed::from(host.installed())).await,
        (&Method::GET, "changes") => {
            let mut changed = station.changed.subscribe();
            // An error would mean that nothing will ever be told.
            if changed.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            Ok(response(StatusCode::NO_CONTENT, String::new()))
        }
        (&Method::POST, "steps") => {
            let body = tokio::time::timeout(ARRIVAL, body(request)).await.map_err(|_late| Refused::Cut)??;
            let steps: Steps = serde_json::from_slice(&body).map_err(Refused::Garbage)?;
            drop(body);
            station.at_work(move |host| apply(host, module, steps)).await
        }
        _ => Err(Refused::Path),
    }
}

async fn body(request: Request<Incoming>) -> Result<Bytes, Refused> {
    let collected = Limited::new(request.into_body(), MAX_BYTES).collect().await;
    let body =
        collected.map_err(|error| if error.is::<LengthLimitError>() { Refused::TooLarge } else { Refused::Cut })?;
    Ok(body.to_bytes())
}

impl Station {
    /// Has the host do something, one thing at a time.
    async fn at_work<T: serde::Serialize + Send + 'static>(
        &self,
        work: impl FnOnce(&mut BoxedHost) -> T + Send + 'static,
    ) -> Result<Response<Full<Bytes>>, Refused> {
        let host = Arc::clone(&self.host);
        let done = tokio::task::spawn_blocking(move || {
            let mut host = host.lock().map_err(|_poisoned| Refused::Crashed)?;
            Ok(work(&mut host))
        });
        let done = done.await.map_err(|_panic| Refused::Crashed)??;
        let text = serde_json::to_string(&done).map_err(|_unsayable| Refused::Crashed)?;
        Ok(response(StatusCode::OK, text))
    }
}

/// Does what is understood of the steps, and says why the rest is not.
fn apply(host: &mut BoxedHost, module: Module, steps: Steps) -> Outcomes {
    let understood: Vec<Result<Step, HostError>> =
        steps.steps.into_iter().map(|step| understand(step, module)).collect();
    let wanted: Vec<Step> = understood.iter().filter_map(|step| step.as_ref().ok().cloned()).collect();
    let mut outcomes = host.apply(&wanted).into_iter().map(|outcome| outcome.result);
    let missing = || HostError::Told { message: "the host said nothing of this step".to_owned(), may_pass: true };
    let result = |step: Result<Step, HostError>| -> Result<Change, HostError> {
        step.and_then(|_| outcomes.next().unwrap_or_else(|| Err(missing())))
    };
    Outcomes { outcomes: understood.into_iter().map(result).map(Became::from).collect() }
}

fn understand(step: Do, module: Module) -> Result<Step, HostError> {
    let kind: ProfileKind = step.kind();
    if kind.module() == module {
        return step.step().map_err(HostError::from);
    }
    Err(HostError::Told { message: format!("{kind} is not for {module}"), may_pass: false })
}
