//! For tests: a cluster that the watches have shown, and requests as the API server sends them.

use std::time::Duration;

use kube::runtime::watcher::Event;
use serde_json::{Value, json};
use spo_api::ProfileKind;

use super::decision::{Decision, Verdict};
use super::observed::{Change, Observed};
use super::{Now, Webhook, decide, review};

pub(super) const NAMESPACE: &str = "web";
/// The nonce that comes of it is `ccccc`.
const RANDOM: u64 = 1 + 27 + 27 * 27 + 27 * 27 * 27 + 27 * 27 * 27 * 27;
const SECONDS: u64 = 1_700_000_000;

/// What a test's cluster holds. Objects are in the namespace [`NAMESPACE`].
pub(super) struct World {
    pub(super) observed: Observed,
    now: Duration,
}

impl World {
    /// Nothing yet, and the watches have said so.
    pub(super) fn new() -> Self {
        let mut observed = Observed::default();
        for change in all(|| Event::Init, || Event::Init).into_iter().chain(all(|| Event::InitDone, || Event::InitDone))
        {
            observed.take_in(change, Duration::ZERO);
        }
        Self { observed, now: Duration::ZERO }
    }

    pub(super) fn binding(self, name: &str, kind: ProfileKind, profile: &str, image: &str) -> Self {
        self.binding_with(name, json!({"profileRef": {"kind": kind.as_str(), "name": profile}, "image": image}))
    }

    pub(super) fn binding_with(self, name: &str, spec: Value) -> Self {
        self.shown(Change::Binding(Event::Apply(serde_json::from_value(object(name, spec)).unwrap())))
    }

    pub(super) fn recording(self, name: &str, kind: &str, recorder: &str) -> Self {
        self.recording_with(name, json!({"kind": kind, "recorder": recorder, "podSelector": {}}))
    }

    pub(super) fn recording_with(self, name: &str, spec: Value) -> Self {
        self.shown(Change::Recording(Event::Apply(serde_json::from_value(object(name, spec)).unwrap())))
    }

    /// A profile in this state; without a status for an empty one.
    pub(super) fn profile(self, kind: ProfileKind, name: &str, state: &str) -> Self {
        self.profile_with(kind, name, json!({"status": {"status": state}}))
    }

    pub(super) fn profile_with(self, kind: ProfileKind, name: &str, mut object: Value) -> Self {
        object["metadata"] = json!({"name": name});
        self.shown(Change::Profile(kind, Event::Apply(serde_json::from_value(object).unwrap())))
    }

    pub(super) fn configuration(self, spec: Value) -> Self {
        self.shown(Change::Configuration(Event::Apply(serde_json::from_value(object("spod", spec)).unwrap())))
    }

    /// The same, some time later.
    pub(super) fn after(mut self, seconds: u64) -> Self {
        self.now += Duration::from_secs(seconds);
        self
    }

    fn shown(mut self, change: Change) -> Self {
        self.observed.take_in(change, self.now);
        self
    }

    /// What a webhook decides about a request.
    pub(super) fn decide(&self, webhook: Webhook, request: Value) -> Decision {
        let body = review(request);
        let review = review::read(&body).unwrap();
        let now = Now { uptime: self.now, unix_seconds: SECONDS, random: RANDOM };
        decide(webhook, &review.request, &self.observed, &now).unwrap()
    }

    /// A pod as it is created, and what its creator is warned of.
    pub(super) fn create(&self, webhook: Webhook, pod: &Value) -> (Value, Vec<String>) {
        let decision = self.decide(webhook, create(pod));
        (patched(pod, &decision), decision.warnings)
    }
}

fn all(
    specified: impl Fn() -> Event<super::observed::Specified>,
    reported: impl Fn() -> Event<super::observed::Reported>,
) -> Vec<Change> {
    let profiles = ProfileKind::ALL.map(|kind| Change::Profile(kind, reported()));
    let others = [Change::Binding(specified()), Change::Recording(specified()), Change::Configuration(specified())];
    profiles.into_iter().chain(others).collect()
}

fn object(name: &str, spec: Value) -> Value {
    json!({"metadata": {"name": name, "namespace": NAMESPACE, "uid": format!("uid-of-{name}")}, "spec": spec})
}

/// The body of a review with this request.
pub(super) fn review(request: Value) -> Vec<u8> {
    let review = json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request});
    serde_json::to_vec(&review).unwrap()
}

pub(super) fn create(pod: &Value) -> Value {
    request("CREATE", "", Some(pod), None)
}

pub(super) fn update(old: &Value, new: &Value) -> Value {
    request("UPDATE", "", Some(new), Some(old))
}

pub(super) fn delete(old: &Value) -> Value {
    request("DELETE", "", None, Some(old))
}

pub(super) fn add_ephemeral(old: &Value, new: &Value) -> Value {
    request("UPDATE", "ephemeralcontainers", Some(new), Some(old))
}

fn request(operation: &str, sub_resource: &str, object: Option<&Value>, old: Option<&Value>) -> Value {
    json!({
        "uid": "test-uid",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "subResource": sub_resource,
        "namespace": NAMESPACE,
        "operation": operation,
        "userInfo": {"username": "admin"},
        "object": object,
        "oldObject": old,
    })
}

/// The object after the patch, as the API server applies it.
pub(super) fn patched(object: &Value, decision: &Decision) -> Value {
    let Verdict::Allowed { patch, .. } = &decision.verdict else { panic!("refused: {decision:?}") };
    let mut object = object.clone();
    json_patch::patch(&mut object, patch).unwrap();
    object
}

/// A pod with one container of the image.
pub(super) fn pod(image: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "pod", "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "main", "image": image, "ports": [{"containerPort": 80}]}], "securityContext": {}},
    })
}

/// One more for a list of the object.
pub(super) fn push(list: &mut Value, item: Value) {
    list.as_array_mut().unwrap().push(item);
}
