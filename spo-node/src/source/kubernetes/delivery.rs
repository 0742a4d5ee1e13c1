//! Getting a report to the API server: what has to be written, as a pure function, and writing it.

use std::time::Duration;

use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{ApiResource, DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use spo_api::ProfileState;
use spo_api::node_status::v1::SecurityProfileNodeStatus;

use super::event;
use super::failure::{DeliveryError, Part};
use super::object::Object;
use super::statuses::Statuses;
use crate::source::Report;

/// The name under which this program owns fields.
const FIELD_MANAGER: &str = "spo-node";
/// A request that takes longer is given up, and tried again.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Where reports go, and whose they are.
pub(super) struct Target {
    pub(super) client: Client,
    node: String,
}

/// A report on its way.
pub(super) struct Delivery {
    report: Report,
    writes: Writes,
}

/// What became of it.
pub(super) struct Delivered {
    /// The report, with its event if that was not sent.
    pub(super) report: Report,
    /// The node status as it is after the last write.
    pub(super) status: Option<Object>,
    /// Whether it was a status to be changed, and not one to be made.
    pub(super) changed: bool,
    pub(super) failure: Option<DeliveryError>,
}

/// The requests that a report needs, each at most once.
#[derive(Debug, Default)]
struct Writes {
    /// The object, where it is missing or its labels or its owner are not right.
    object: Option<SecurityProfileNodeStatus>,
    /// Its status, where it differs.
    status: Option<SecurityProfileNodeStatus>,
    event: Option<Event>,
    /// The name of a status that a reference operator's daemon left.
    legacy: Option<String>,
    /// Whether the object has to be made before it can have a status. Otherwise the status goes first: one whose owner is right already, and
    /// that says what the owner before was told, would be taken for the new owner's.
    makes: bool,
}

impl Target {
    pub(super) fn new(client: Client, node: String) -> Self {
        Self { client, node }
    }

    /// What there is to deliver of a report. `exists` tells whether its profile is still there.
    pub(super) fn delivery(&self, report: &Report, exists: bool, statuses: &Statuses) -> Option<Delivery> {
        let writes = writes(&self.node, report, exists, statuses, jiff::Timestamp::now());
        (!writes.is_nothing()).then(|| Delivery { report: report.clone(), writes })
    }
}

fn writes(node: &str, report: &Report, exists: bool, statuses: &Statuses, now: jiff::Timestamp) -> Writes {
    let event = report.event.as_ref().map(|happened| event::event(report, happened, node, now));
    let old = statuses.get(&report.key);
    // What is going needs no new object, what is gone would leave one that nobody owns, and what may not be is never on any node.
    if !exists || (old.is_none() && (report.state == ProfileState::Terminating || report.is_forbidden)) {
        return Writes { event, ..Writes::default() };
    }
    let mut new = crate::status::node_status(report, node, old, Time(now));
    // With it an apply changes that very object, and makes none in the place of one that is gone, which would lack the status.
    new.metadata.uid = old.and_then(|old| old.metadata.uid.clone());
    Writes {
        status: old.is_none_or(|old| old.status != new.status).then(|| new.clone()),
        object: old.is_none_or(|old| !is_as_wanted(old, &new)).then_some(new),
        event,
        legacy: statuses.legacy(&report.key).map(str::to_owned),
        makes: old.is_none(),
    }
}

/// Whether labels and owner are right. Labels that others added do not matter.
fn is_as_wanted(old: &SecurityProfileNodeStatus, new: &SecurityProfileNodeStatus) -> bool {
    let owner = |status: &SecurityProfileNodeStatus| Some(status.owner_references().first()?.uid.clone());
    owner(old) == owner(new) && new.labels().iter().all(|(label, value)| old.labels().get(label) == Some(value))
}

impl Delivery {
    pub(super) async fn run(self, client: Client) -> Delivered {
        let Self { mut report, mut writes } = self;
        let mut status = None;
        let changed = !writes.makes;
        let outcome = writes.send(&client, &mut status).await;
        if writes.event.is_none() {
            report.event = None;
        }
        Delivered { report, status, changed, failure: outcome.err() }
    }
}

impl Writes {
    fn is_nothing(&self) -> bool {
        self.object.is_none() && self.status.is_none() && self.event.is_none() && self.legacy.is_none()
    }

    /// Sends what is there, and takes away what was sent.
    async fn send(&mut self, client: &Client, newest: &mut Option<Object>) -> Result<(), DeliveryError> {
        let kind = ApiResource::erase::<SecurityProfileNodeStatus>(&());
        let statuses: Api<Object> = Api::all_with(client.clone(), &kind);
        if self.makes {
            self.send_object(&statuses, newest).await?;
        }
        if let Some(object) = self.status.take() {
            let body = Patch::Apply(only_status(&object));
            *newest = Some(answer(Part::Status, statuses.patch_status(&object.name_any(), &ours(), &body)).await?);
        }
        self.send_object(&statuses, newest).await?;
        if let Some(name) = self.legacy.take() {
            tracing::info!(name, "deleting the node status that a reference operator left");
            answer(Part::Legacy, none_if_gone(statuses.delete(&name, &DeleteParams::default()))).await?;
        }
        if let Some(event) = &self.event {
            let events: Api<Event> = Api::namespaced(client.clone(), event::NAMESPACE);
            answer(Part::Event, events.create(&PostParams::default(), event)).await?;
            self.event = None;
        }
        Ok(())
    }

    /// The object without its status, unless it was sent.
    async fn send_object(&mut self, statuses: &Api<Object>, newest: &mut Option<Object>) -> Result<(), DeliveryError> {
        let Some(object) = self.object.take() else { return Ok(()) };
        let body = Patch::Apply(without_status(&object));
        *newest = Some(answer(Part::Object, statuses.patch(&object.name_any(), &ours(), &body)).await?);
        Ok(())
    }
}

/// As whom fields are written.
fn ours() -> PatchParams {
    PatchParams::apply(FIELD_MANAGER).force()
}

async fn answer<T>(part: Part, request: impl Future<Output = kube::Result<T>>) -> Result<T, DeliveryError> {
    match tokio::time::timeout(TIMEOUT, request).await {
        Ok(outcome) => outcome.map_err(|error| DeliveryError::Request(part, error)),
        Err(_elapsed) => Err(DeliveryError::Timeout(part)),
    }
}

async fn none_if_gone<T>(request: impl Future<Output = kube::Result<T>>) -> kube::Result<Option<T>> {
    match request.await {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        outcome => outcome.map(Some),
    }
}

fn without_status(object: &SecurityProfileNodeStatus) -> serde_json::Value {
    let kind = ApiResource::erase::<SecurityProfileNodeStatus>(&());
    let mut metadata = json!({
        "name": object.metadata.name,
        "labels": object.metadata.labels,
        "ownerReferences": object.metadata.owner_references,
    });
    if let Some(uid) = &object.metadata.uid {
        metadata["uid"] = uid.as_str().into();
    }
    json!({"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, "spec": object.spec})
}

fn only_status(object: &SecurityProfileNodeStatus) -> serde_json::Value {
    let kind = ApiResource::erase::<SecurityProfileNodeStatus>(&());
    let metadata = json!({"name": object.metadata.name});
    json!({"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, "status": object.status})
}

#[cfg(test)]
mod tests {
    use kube::runtime::watcher::Event as Watched;
    use spo_api::condition::Reason;
    use spo_api::{ProfileKey, ProfileKind, labels};

    use super::*;
    use crate::source::{Event as Happened, EventReason, ObjectRef};

    const NODE: &str = "node1";

    fn report(state: ProfileState) -> Report {
        Report {
            key: ProfileKey { kind: ProfileKind::Seccomp, name: "web".parse().unwrap() },
            generation: 1,
            object: ObjectRef {
                api_version: "security-profiles-operator.x-k8s.io/v1".to_owned(),
                uid: Some("1".to_owned()),
            },
            state,
            reason: Reason::from(state),
            message: "as told".to_owned(),
            event: None,
            is_forbidden: false,
        }
    }

    fn saved(mut report: Report) -> Report {
        report.event =
            Some(Happened { reason: EventReason::Saved(spo_api::Module::Seccomp), note: "saved".to_owned() });
        report
    }

    /// Which requests a report makes: `object status event legacy`.
    fn requests(report: &Report, exists: bool, statuses: &Statuses) -> String {
        let now = "2026-01-02T03:04:05Z".parse().unwrap();
        let writes = writes(NODE, report, exists, statuses, now);
        let made = [
            ("object", writes.object.is_some()),
            ("status", writes.status.is_some()),
            ("event", writes.event.is_some()),
            ("legacy", writes.legacy.is_some()),
        ];
        made.iter().filter(|(_, made)| *made).map(|(name, _)| *name).collect::<Vec<_>>().join(" ")
    }

    fn none() -> Statuses {
        Statuses::new(NODE.to_owned())
    }

    /// The API server after the report was delivered.
    fn after(report: &Report) -> Statuses {
        let now = Time("2026-01-02T03:00:00Z".parse().unwrap());
        let status = crate::status::node_status(report, NODE, None, now);
        let mut statuses = none();
        statuses.take_in(Watched::InitApply(serde_json::from_value(serde_json::to_value(&status).unwrap()).unwrap()));
        statuses
    }

    #[test]
    fn a_new_profile_takes_three_writes() {
        assert_eq!(requests(&saved(report(ProfileState::Installed)), true, &none()), "object status event");
    }

    #[test]
    fn what_was_reported_already_is_not_written_again() {
        let report = report(ProfileState::Installed);
        assert_eq!(requests(&report, true, &after(&report)), "");
    }

    #[test]
    fn another_message_changes_the_status_only() {
        let before = report(ProfileState::Error);
        let mut now = before.clone();
        now.message = "still not".to_owned();
        assert_eq!(requests(&now, true, &after(&before)), "status");
    }

    #[test]
    fn w_nd_2_another_state_changes_the_label_too_whatever_the_object_says_by_then() {
        let statuses = after(&report(ProfileState::Installed));
        assert_eq!(requests(&report(ProfileState::Terminating), true, &statuses), "object status");
    }

    #[test]
    fn a_profile_made_anew_under_its_old_name_becomes_the_owner_and_its_generation_is_told_though_it_is_less() {
        let mut before = report(ProfileState::Installed);
        before.generation = 4;
        let mut again = report(ProfileState::Installed);
        again.object.uid = Some("2".to_owned());
        again.generation = 2;
        let statuses = after(&before);
        assert_eq!(requests(&again, true, &statuses), "object status");
        let told =
            crate::status::node_status(&again, NODE, statuses.get(&again.key), Time(jiff::Timestamp::UNIX_EPOCH));
        let conditions = told.status.and_then(|status| status.conditions).unwrap();
        assert_eq!(conditions.iter().map(|one| one.observed_generation).collect::<Vec<_>>(), [Some(2)]);
    }

    #[test]
    fn nothing_is_made_for_a_profile_that_is_gone_or_going() {
        assert_eq!(requests(&saved(report(ProfileState::Installed)), false, &none()), "event");
        assert_eq!(requests(&report(ProfileState::Terminating), true, &none()), "");
    }

    #[test]
    fn w_op_18_the_status_of_a_reference_daemon_is_taken_over() {
        let report = report(ProfileState::Installed);
        let mut legacy = crate::status::node_status(&report, NODE, None, Time("2026-01-02T03:00:00Z".parse().unwrap()));
        legacy.metadata.name = Some(labels::legacy_node_status_name("web", NODE));
        let mut statuses = none();
        statuses.take_in(Watched::InitApply(serde_json::from_value(serde_json::to_value(&legacy).unwrap()).unwrap()));
        assert_eq!(requests(&report, true, &statuses), "object status legacy");
    }
}
