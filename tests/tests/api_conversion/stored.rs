//! Objects that an earlier release has stored.

use kube::ResourceExt as _;
use kube::api::{DeleteParams, DynamicObject, PostParams};
use serde_json::{Value, json};
use spo_api::Kind;
use spo_tests::api::process;
use spo_tests::{manifest, wait};

use crate::front::Front;
use crate::kinds::api;

/// The definition of a kind as a release before 1.0 had it: the old version alone, stored.
fn of_an_earlier_release(kind: Kind) -> DynamicObject {
    let mut crd = manifest::definitions().unwrap().into_iter().find(|crd| crd.name_any() == kind.crd_name()).unwrap();
    let versions = crd.data["spec"]["versions"].as_array_mut().unwrap();
    versions.retain(|version| version["name"] == kind.old_version());
    versions[0]["storage"] = true.into();
    if kind == Kind::SecurityProfileNodeStatus {
        versions[0]["schema"]["openAPIV3Schema"]["properties"]["status"] = json!({"type": "string"});
        versions[0]["schema"]["openAPIV3Schema"].as_object_mut().unwrap().remove("required");
        versions[0].as_object_mut().unwrap().remove("subresources");
    }
    crd.data["spec"].as_object_mut().unwrap().remove("conversion");
    crd
}

/// What such a release wrote, and what has become of it.
fn stories() -> Vec<(Kind, Value, &'static str, Value)> {
    vec![
        (
            Kind::SeccompProfile,
            json!({"spec": {"defaultAction": "SCMP_ACT_ERRNO", "disabled": true}}),
            "/spec/state",
            json!("Disabled"),
        ),
        (Kind::SelinuxProfile, json!({"spec": {"permissive": true}}), "/spec/mode", json!("Permissive")),
        (Kind::AppArmorProfile, json!({"spec": {"complainMode": true}}), "/spec/mode", json!("Complain")),
        (
            Kind::SecurityProfileNodeStatus,
            json!({"nodeName": "node1", "status": "Installed"}),
            "",
            json!({"spec": {"nodeName": "node1"}, "status": {"status": "Installed"}}),
        ),
        (
            Kind::SecurityProfilesOperatorDaemon,
            json!({"spec": {"enableLogEnricher": true, "selinuxOptions": {"allowedSystemProfiles": ["net_container"]}}}),
            "/spec/selinux/options/allowedSystemProfiles",
            json!(["net_container"]),
        ),
    ]
}

#[tokio::test]
async fn what_an_earlier_release_has_stored_is_read_migrated_and_served() {
    let Some(front) = Front::without_webhook().await else { return };
    let client = &front.server.client;
    for (kind, object, _, _) in stories() {
        front.definitions().delete(&kind.crd_name(), &DeleteParams::default()).await.unwrap();
        wait::until_gone(&front.definitions(), &kind.crd_name()).await;
        front.server.define(&[of_an_earlier_release(kind)]).await.unwrap();
        let mut made = crate::kinds::example(kind, kind.old_version(), "stored");
        made.data = object;
        let old = api(client, kind, kind.old_version());
        wait::until_ok("the kind to be served", async || old.create(&PostParams::default(), &made).await).await;
    }

    // The upgrade: definitions, webhook, manager.
    front.point().await;
    let _webhook = front.webhook();
    front.is_trusted().await;
    for (kind, _, pointer, wanted) in stories() {
        let new = api(client, kind, "v1");
        let read = wait::until_ok("conversion", async || new.get("stored").await).await;
        let found = read.data.pointer(pointer).cloned().unwrap_or_default();
        if pointer.is_empty() {
            assert_eq!((&found["spec"], &found["status"]), (&wanted["spec"], &wanted["status"]), "{kind}");
        } else {
            assert_eq!(found, wanted, "{kind} {pointer}: {:#}", read.data);
        }
    }

    let _manager = process::manager(&front.server);
    for (kind, _, pointer, wanted) in stories() {
        wait::until(&front.definitions(), &kind.crd_name(), "to store v1 alone", |crd| {
            crd.status.as_ref().is_some_and(|status| status.stored_versions.as_deref() == Some(&["v1".to_owned()]))
        })
        .await;
        let read = api(client, kind, "v1").get("stored").await.unwrap();
        let found = read.data.pointer(pointer).cloned().unwrap_or_default();
        assert!(pointer.is_empty() || found == wanted, "{kind} {pointer}: {:#}", read.data);
    }
}
