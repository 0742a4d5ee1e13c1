//! Objects that are stored in an old version: rewritten, so that the old version can be given up.
//!
//! The API server stores an object in the version that was the storage version when it was last written, and keeps a list of all
//! versions that may still be stored (`status.storedVersions` of the definition). A version in that list cannot be removed from
//! the definition. [`keep`] writes every object of such a kind once, unchanged, and then shortens the list. What others write
//! meanwhile is stored anew by that write, so a conflict is as good as a success.
//!
//! See <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definition-versioning/#upgrade-existing-objects-to-a-new-stored-version>.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::StreamExt;
use kube::api::{ApiResource, DynamicObject, ListParams, ObjectMeta, Patch, PatchParams};
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::Event;
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use spo_api::GROUP;

use crate::definition::{self, Definition};
use crate::watch;

/// How many objects are asked for at one time.
const PAGE: u32 = 500;
/// The first pause after a failure, doubled up to the last.
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(60);

impl Definition {
    /// The version that objects are stored in from now on, if some may still be stored in another one.
    fn outdated(&self) -> Option<&str> {
        let storage = self.spec.versions.iter().find(|version| version.storage)?.name.as_str();
        let others = self.status.stored_versions.iter().any(|stored| stored != storage);
        (self.spec.group == GROUP && others).then_some(storage)
    }

    fn resource(&self, version: &str) -> ApiResource {
        ApiResource {
            group: GROUP.to_owned(),
            version: version.to_owned(),
            api_version: format!("{GROUP}/{version}"),
            kind: self.spec.names.kind.clone(),
            plural: self.spec.names.plural.clone(),
        }
    }
}

/// Rewrites what is stored in an old version, whenever a definition says that something may be; for ever.
pub(crate) async fn keep(client: Client) {
    let definitions: Api<Definition> = Api::all(client.clone());
    let mut events = watch::forever(definitions, definition::ours(), "definitions").boxed();
    let mut work = Work::default();
    loop {
        tokio::select! {
            Some(event) = events.next() => work.take_in(event),
            definition = work.next() => {
                let outcome = migrate(&client, &definition).await;
                work.done(&definition, outcome);
            }
        }
    }
}

/// The definitions whose objects are to be rewritten.
#[derive(Debug, Default)]
struct Work {
    outdated: BTreeMap<String, Definition>,
    /// Those that failed in this round; the others come first.
    failed: BTreeSet<String>,
    /// Before the next round.
    pause: Duration,
}

impl Work {
    fn take_in(&mut self, event: Event<Definition>) {
        match event {
            Event::Apply(definition) | Event::InitApply(definition) if definition.outdated().is_some() => {
                self.outdated.insert(definition.name_any(), definition);
            }
            Event::Apply(definition) | Event::InitApply(definition) | Event::Delete(definition) => {
                self.forget(&definition.name_any());
            }
            Event::Init | Event::InitDone => {}
        }
    }

    fn forget(&mut self, name: &str) {
        self.outdated.remove(name);
        self.failed.remove(name);
    }

    /// The next one, when its time has come; waits for ever if there is none.
    async fn next(&self) -> Definition {
        if let Some((_, definition)) = self.outdated.iter().find(|(name, _)| !self.failed.contains(*name)) {
            return definition.clone();
        }
        match self.outdated.values().next() {
            None => std::future::pending().await,
            Some(definition) => {
                tokio::time::sleep(self.pause).await;
                definition.clone()
            }
        }
    }

    fn done(&mut self, definition: &Definition, outcome: kube::Result<usize>) {
        let (name, kind) = (definition.name_any(), &definition.spec.names.kind);
        match outcome {
            Ok(objects) => {
                tracing::info!(%kind, objects, stored = ?definition.status.stored_versions, "objects are stored in the current version");
                self.forget(&name);
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(%kind, error, "cannot rewrite objects that are stored in an old version, trying again");
                if self.failed.contains(&name) {
                    self.failed.clear(); // another round has begun
                    self.pause = (self.pause * 2).min(RETRY_MAX);
                } else if self.failed.is_empty() {
                    self.pause = RETRY_MIN;
                }
                self.failed.insert(name);
            }
        }
    }
}

/// Writes every object of a kind once, then says so in the definition. Gives back how many there were.
async fn migrate(client: &Client, definition: &Definition) -> kube::Result<usize> {
    let Some(storage) = definition.outdated() else { return Ok(0) };
    let resource = definition.resource(storage);
    let all: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    let mut page = ListParams::default().limit(PAGE);
    let mut objects = 0;
    loop {
        let list = all.list_metadata(&page).await?;
        for object in &list.items {
            rewrite(client, &resource, &object.metadata).await?;
        }
        objects += list.items.len();
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => break,
        }
    }
    prune(client, definition, storage).await?;
    Ok(objects)
}

/// A write that changes nothing. If somebody else has written meanwhile, or removed the object, it is done already.
async fn rewrite(client: &Client, resource: &ApiResource, object: &ObjectMeta) -> kube::Result<()> {
    let api: Api<DynamicObject> = match &object.namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, resource),
        None => Api::all_with(client.clone(), resource),
    };
    let unchanged = Patch::Merge(json!({"metadata": {"resourceVersion": object.resource_version}}));
    let name = object.name.as_deref().unwrap_or_default();
    let written: kube::Result<PartialObjectMeta<DynamicObject>> =
        api.patch_metadata(name, &PatchParams::default(), &unchanged).await;
    match written {
        Err(kube::Error::Api(status)) if status.code == 409 || status.code == 404 => Ok(()),
        other => other.map(drop),
    }
}

/// Shortens the list, provided that the definition is the one that was looked at: with another storage version the list would lie.
async fn prune(client: &Client, definition: &Definition, storage: &str) -> kube::Result<()> {
    let definitions: Api<Definition> = Api::all(client.clone());
    let stored = Patch::Merge(json!({
        "metadata": {"resourceVersion": definition.metadata.resource_version},
        "status": {"storedVersions": [storage]},
    }));
    definitions.patch_status(&definition.name_any(), &PatchParams::default(), &stored).await.map(drop)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::Value;

    use super::*;

    fn definition(group: &str, storage: &str, stored: Value) -> Definition {
        let version = |name| json!({"name": name, "served": true, "storage": name == storage, "schema": {"big": true}});
        serde_json::from_value(json!({
            "metadata": {"name": format!("seccompprofiles.{group}")},
            "spec": {
                "group": group,
                "names": {"kind": "SeccompProfile", "plural": "seccompprofiles"},
                "versions": [version("v1"), version("v1beta1")],
            },
            "status": {"storedVersions": stored},
        }))
        .unwrap()
    }

    #[rstest]
    #[case::new(GROUP, "v1", json!(["v1"]), None)]
    #[case::not_yet_accepted(GROUP, "v1", json!([]), None)]
    #[case::upgraded(GROUP, "v1", json!(["v1beta1", "v1"]), Some("v1"))]
    #[case::upgraded_and_nothing_written(GROUP, "v1", json!(["v1beta1"]), Some("v1"))]
    #[case::old_definitions_are_still_there(GROUP, "v1beta1", json!(["v1beta1"]), None)]
    #[case::of_somebody_else("example.com", "v1", json!(["v1beta1", "v1"]), None)]
    fn objects_are_rewritten_if_some_may_be_stored_in_another_version(
        #[case] group: &str,
        #[case] storage: &str,
        #[case] stored: Value,
        #[case] to: Option<&str>,
    ) {
        assert_eq!(definition(group, storage, stored).outdated(), to);
    }

    #[test]
    fn a_definition_that_somebody_else_has_brought_up_to_date_is_left_alone() {
        let mut work = Work::default();
        work.take_in(Event::InitApply(definition(GROUP, "v1", json!(["v1beta1", "v1"]))));
        assert_eq!(work.outdated.len(), 1);
        work.take_in(Event::Apply(definition(GROUP, "v1", json!(["v1"]))));
        assert!(work.outdated.is_empty());
    }

    fn failure() -> kube::Result<usize> {
        Err(kube::Error::LinesCodecMaxLineLengthExceeded)
    }

    #[test]
    fn pauses_grow_with_failures_and_begin_anew_after_a_success() {
        let mut work = Work::default();
        let outdated = definition(GROUP, "v1", json!(["v1beta1", "v1"]));
        work.take_in(Event::Apply(outdated.clone()));
        let fail = |work: &mut Work| {
            work.done(&outdated, failure());
            work.pause.as_secs()
        };
        let pauses: Vec<u64> = (0..8).map(|_| fail(&mut work)).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        work.done(&outdated, Ok(3));
        assert!(work.failed.is_empty() && work.outdated.is_empty());
        work.take_in(Event::Apply(outdated.clone()));
        assert_eq!(fail(&mut work), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_kind_that_fails_keeps_nobody_waiting() {
        let mut work = Work::default();
        let first = definition(GROUP, "v1", json!(["v1beta1", "v1"]));
        let mut second = first.clone();
        second.metadata.name = Some("selinuxprofiles".to_owned());
        work.take_in(Event::Apply(first.clone()));
        work.take_in(Event::Apply(second.clone()));
        assert_eq!(work.next().await.name_any(), first.name_any());
        work.done(&first, failure());
        assert_eq!(work.next().await.name_any(), second.name_any());
        work.done(&second, Ok(0));
        assert_eq!(work.next().await.name_any(), first.name_any());
    }
}
