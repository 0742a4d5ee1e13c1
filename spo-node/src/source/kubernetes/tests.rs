//! Deliveries, to an API server that takes what it is told to take.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use spo_api::ProfileState;
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::fixture::key;
use crate::source::{Event as Happened, EventReason, ObjectRef};

/// Takes node statuses, and answers every event with this code.
#[derive(Clone)]
struct Server {
    code_for_events: u16,
    objects: Arc<Mutex<HashMap<String, Value>>>,
    /// What was asked for, in order: `status web`, `event db`.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// The server, and a source that talks to it and knows these profiles.
    async fn start(code_for_events: u16, profiles: &[&str]) -> (Self, Kubernetes) {
        let server = Self { code_for_events, objects: Arc::default(), asked: Arc::default() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let serving = server.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serving.clone().converse(connection));
            }
        });
        let client = Client::try_from(Config::new(address.parse().unwrap())).unwrap();
        (server, source(client, profiles))
    }

    async fn converse(self, connection: TcpStream) {
        let service = service_fn(move |request| self.clone().answer(request));
        // A client that hangs up is no matter here.
        _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(connection), service).await;
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let path = request.uri().path().to_owned();
        let body: Value = serde_json::from_slice(&request.collect().await.unwrap().to_bytes()).unwrap();
        let (code, answer) = if path.ends_with("/events") {
            self.asked.lock().unwrap().push(format!("event {}", body["regarding"]["name"].as_str().unwrap()));
            let refusal = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "no", "reason": "Invalid", "code": self.code_for_events});
            (self.code_for_events, refusal)
        } else {
            match self.patched(&path, body) {
                Some(object) => (200, object),
                None => (
                    404,
                    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "none", "reason": "NotFound", "code": 404}),
                ),
            }
        };
        let mut response = Response::new(Full::new(Bytes::from(answer.to_string())));
        *response.status_mut() = code.try_into().unwrap();
        Ok(response)
    }

    /// The object after a write; none where there is no object that could have a status.
    fn patched(&self, path: &str, body: Value) -> Option<Value> {
        let name = body["metadata"]["name"].as_str().unwrap().to_owned();
        let mut objects = self.objects.lock().unwrap();
        if path.ends_with("/status") {
            self.asked.lock().unwrap().push(format!("status {}", name.split('-').next().unwrap()));
            objects.get_mut(&name)?["status"] = body["status"].clone();
        } else {
            objects.entry(name.clone()).or_insert_with(|| body.clone());
        }
        objects.get(&name).cloned()
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn source(client: Client, profiles: &[&str]) -> Kubernetes {
    let mut source = Kubernetes::of(Target::new(client, "node1".to_owned()), "node1", SelectAll::new());
    source.statuses.take_in(Event::Init);
    source.statuses.take_in(Event::InitDone);
    source.inbox.take_in(ProfileKind::Seccomp, Event::Init);
    for name in profiles {
        let object = json!({"metadata": {"name": name, "uid": "1"}, "spec": {"defaultAction": "SCMP_ACT_LOG"}});
        source.inbox.take_in(ProfileKind::Seccomp, Event::InitApply(serde_json::from_value(object).unwrap()));
    }
    source.inbox.take_in(ProfileKind::Seccomp, Event::InitDone);
    source
}

fn saved(name: &str) -> Report {
    let state = ProfileState::Installed;
    Report {
        key: key(name),
        generation: 1,
        object: ObjectRef { api_version: "v1".to_owned(), uid: Some("1".to_owned()) },
        state,
        reason: state.into(),
        message: "as told".to_owned(),
        event: Some(Happened { reason: EventReason::Saved(spo_api::Module::Seccomp), note: "saved".to_owned() }),
        is_forbidden: false,
    }
}

async fn until_all_is_delivered(source: &mut Kubernetes) {
    while !(source.queue.is_empty() && source.flying.is_empty()) {
        source.progress().await;
    }
}

#[tokio::test]
async fn an_event_that_is_refused_is_given_up_and_delays_no_status() {
    let (server, mut source) = Server::start(422, &["web", "db"]).await;
    source.report(vec![saved("web")]);
    while source.pauses.permit(&key("web"), Instant::now()) {
        source.progress().await;
    }
    source.report(vec![saved("db")]);
    until_all_is_delivered(&mut source).await;
    let asked = server.asked();
    let place = |what: &str| asked.iter().position(|asked| asked == what).unwrap();
    let tries = asked.iter().filter(|asked| *asked == "event web").count();
    assert_eq!(tries, 3, "{asked:?}");
    let second_try = asked.iter().enumerate().filter(|(_, asked)| *asked == "event web").nth(1).unwrap().0;
    assert!(place("status db") < second_try, "{asked:?}");
}

#[tokio::test]
async fn a_server_that_takes_nothing_from_this_node_is_asked_for_nothing_meanwhile_and_loses_no_event() {
    let (server, mut source) = Server::start(401, &["web", "db"]).await;
    source.report(vec![saved("web")]);
    while source.pauses.permit(&key("web"), Instant::now()) {
        source.progress().await;
    }
    assert!(!source.pauses.permit(&key("db"), Instant::now()));
    assert!(source.flush().await.is_err(), "ending does not wait for it");
    assert!(source.reports[&key("web")].event.is_some());
    assert_eq!(server.asked(), ["status web", "event web"]);
}

/// A profile whose status the source knows, and a report that says something else.
async fn known(server: &Server, source: &mut Kubernetes) -> (Object, Report) {
    let report = Report { event: None, ..saved("web") };
    source.report(vec![report.clone()]);
    until_all_is_delivered(source).await;
    let object = server.objects.lock().unwrap().values().next().unwrap().clone();
    (serde_json::from_value(object).unwrap(), Report { message: "otherwise".to_owned(), ..report })
}

#[tokio::test]
async fn a_status_that_is_not_there_any_more_is_made_anew_at_once() {
    let (server, mut source) = Server::start(422, &["web"]).await;
    let (_, report) = known(&server, &mut source).await;
    server.objects.lock().unwrap().clear();
    source.report(vec![report]);
    until_all_is_delivered(&mut source).await;
    assert_eq!(server.asked(), ["status web"; 3], "once in vain");
    assert_eq!(server.objects.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn the_answer_to_a_write_does_not_bring_back_a_status_that_went_meanwhile() {
    let (server, mut source) = Server::start(422, &["web"]).await;
    let (object, report) = known(&server, &mut source).await;
    source.report(vec![report]);
    source.start_deliveries();
    assert_eq!(source.busy.len(), 1);
    source.take_in(Seen::Status(Event::Delete(object)));
    until_all_is_delivered(&mut source).await;
    assert_eq!(server.asked(), ["status web"; 3], "what is gone is made anew");
}
