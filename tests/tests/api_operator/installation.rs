//! From a profile object to a file of the node, and back to the object's status.

use futures::StreamExt as _;
use k8s_openapi::api::events::v1::Event;
use kube::api::{
    ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams,
};
use kube::core::GroupVersionKind;
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};
use spo_api::node_status::v1::SecurityProfileNodeStatus;
use spo_api::{GROUP, ProfileKey, ProfileKind, ProfileState, finalizers, labels};
use spo_tests::wait;

use spo_tests::api::process::{both, daemon, daemon_through, manager};
use spo_tests::api::proxy::Proxy;
use spo_tests::api::server::{NODE, Server, a_while, version};

fn node_status_name(profile: &str) -> String {
    labels::node_status_name(&ProfileKey { kind: ProfileKind::Seccomp, name: profile.parse().unwrap() }, NODE)
}

#[tokio::test]
async fn s1_a_profile_is_installed_and_says_so() {
    let Some(server) = Server::take().await else { return };
    let _running = both(&server);
    server.profile("s1").await;
    let profile = server.installed("s1").await;
    let status = profile.status.clone().unwrap();
    assert_eq!(status.localhost_profile.as_deref(), Some("operator/s1.json"));
    assert_eq!(profile.labels()[labels::PROFILE_ID], "SeccompProfile-s1");
    assert_eq!(profile.finalizers(), [] as [&str; 0]);
    let file: Value = serde_json::from_slice(&std::fs::read(server.file("s1")).unwrap()).unwrap();
    assert_eq!(file["defaultAction"], "SCMP_ACT_ALLOW");

    let node_status = server.statuses.get(&node_status_name("s1")).await.unwrap();
    assert_eq!(node_status.status.unwrap().status, Some(ProfileState::Installed));
    assert_eq!(node_status.metadata.owner_references.unwrap()[0].uid, profile.uid().unwrap());
}

#[tokio::test]
async fn s9_statuses_of_a_profile_with_69_characters_are_found_by_its_hashed_label() {
    let Some(server) = Server::take().await else { return };
    let _running = both(&server);
    let name = "n".repeat(69);
    server.profile(&name).await;
    server.installed(&name).await;
    let id = labels::profile_id(ProfileKind::Seccomp, &name);
    let found =
        server.statuses.list(&ListParams::default().labels(&format!("{}={id}", labels::PROFILE_ID))).await.unwrap();
    assert_eq!(found.items.iter().map(|status| status.spec.node_name.as_str()).collect::<Vec<_>>(), [NODE]);
}

#[tokio::test]
async fn w_x_26_a_new_profile_takes_five_writes() {
    let Some(server) = Server::take().await else { return };
    let _running = both(&server);
    let profile = server.profile("five").await;
    server.installed("five").await;
    a_while().await;
    let since = version(&profile);
    assert_eq!(writes(&server.profiles, "five", &since).await, ["changed", "changed"], "label and status");
    assert_eq!(
        writes(&server.statuses, &node_status_name("five"), &since).await,
        ["made", "changed"],
        "object and status"
    );
    let events: Api<Event> = Api::namespaced(server.client.clone(), "default");
    let events = events.list(&ListParams::default()).await.unwrap().items;
    let about =
        events.iter().filter(|event| event.regarding.as_ref().and_then(|object| object.uid.clone()) == profile.uid());
    assert_eq!(about.map(|event| event.reason.as_deref().unwrap()).collect::<Vec<_>>(), ["SavedSeccompProfile"]);
}

/// What was written to an object since a version, as its history tells.
async fn writes<K>(api: &Api<K>, name: &str, since: &str) -> Vec<&'static str>
where
    K: kube::Resource + Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    let params = WatchParams::default().fields(&format!("metadata.name={name}")).timeout(1);
    let history = api.watch(&params, since).await.unwrap();
    let kinds = history.filter_map(async |event| match event.unwrap() {
        WatchEvent::Added(_) => Some("made"),
        WatchEvent::Modified(_) => Some("changed"),
        WatchEvent::Deleted(_) => Some("deleted"),
        WatchEvent::Bookmark(_) | WatchEvent::Error(_) => None,
    });
    kinds.collect().await
}

#[tokio::test]
async fn an_edited_profile_is_installed_anew() {
    let Some(server) = Server::take().await else { return };
    let _running = both(&server);
    server.profile("edited").await;
    server.installed("edited").await;
    let patch = Patch::Merge(json!({"spec": {"defaultAction": "SCMP_ACT_LOG"}}));
    server.profiles.patch("edited", &PatchParams::default(), &patch).await.unwrap();
    let profile = server.installed("edited").await;
    assert_eq!(profile.metadata.generation, Some(2));
    let file = std::fs::read_to_string(server.file("edited")).unwrap();
    assert!(file.contains("SCMP_ACT_LOG"), "{file}");
}

#[tokio::test]
async fn a_deleted_profile_leaves_the_node() {
    let Some(server) = Server::take().await else { return };
    let _running = both(&server);
    server.profile("deleted").await;
    server.installed("deleted").await;
    server.delete("deleted").await;
    server.file_is("deleted", false).await;
    wait::until_gone(&server.profiles, "deleted").await;
}

#[tokio::test]
async fn a_profile_deleted_while_the_daemon_was_away_leaves_the_node_when_it_is_back() {
    let Some(server) = Server::take().await else { return };
    let first = daemon(&server);
    server.profile("away").await;
    server.file_is("away", true).await;
    first.kill();
    server.delete("away").await;
    a_while().await;
    assert!(server.file("away").exists());
    let _second = daemon(&server);
    server.file_is("away", false).await;
}

#[tokio::test]
async fn a_profile_made_anew_while_the_daemon_was_away_is_reported_as_what_it_is() {
    let Some(server) = Server::take().await else { return };
    let of_generation = |wanted| {
        move |status: &SecurityProfileNodeStatus| {
            let mut conditions = status.status.iter().filter_map(|status| status.conditions.as_ref()).flatten();
            conditions.next().and_then(|ready| ready.observed_generation) == Some(wanted)
        }
    };
    let (first, name) = (daemon(&server), node_status_name("anew"));
    server.profile("anew").await;
    let patch = Patch::Merge(json!({"spec": {"defaultAction": "SCMP_ACT_LOG"}}));
    server.profiles.patch("anew", &PatchParams::default(), &patch).await.unwrap();
    let old = wait::until(&server.statuses, &name, "to be of the second", of_generation(2)).await;
    first.kill();
    server.delete("anew").await;
    let new = server.profile("anew").await;
    let _second = daemon(&server);
    let is_owned = |status: &SecurityProfileNodeStatus| status.owner_references()[0].uid == new.uid().unwrap();
    let told = wait::until(&server.statuses, &name, "to be of the new profile", is_owned).await;
    assert!(of_generation(1)(&told), "it says nothing of the old one once the new one owns it: {told:?}");
    assert_eq!(told.uid(), old.uid());
}

/// What the manager relies on: it names the object that it labels, and so makes no empty profile of one that was just deleted.
#[tokio::test]
async fn what_is_applied_to_a_profile_that_is_gone_makes_none() {
    let Some(server) = Server::take().await else { return };
    let kind = GroupVersionKind::gvk(GROUP, "v1", "SelinuxProfile");
    let profiles: Api<DynamicObject> = Api::all_with(server.client.clone(), &ApiResource::from_gvk(&kind));
    let body = |uid: Option<&str>| {
        let mut body =
            json!({"apiVersion": format!("{GROUP}/v1"), "kind": "SelinuxProfile", "metadata": {"name": "gone"}});
        if let Some(uid) = uid {
            body["metadata"]["uid"] = uid.into();
        }
        Patch::Apply(body)
    };
    let ours = PatchParams::apply("spo-operator").force();
    let made = profiles.patch("gone", &ours, &body(None)).await.unwrap();
    profiles.patch("gone", &ours, &body(made.uid().as_deref())).await.expect("it is there");
    profiles.delete("gone", &DeleteParams::default()).await.unwrap();
    let refused = profiles.patch("gone", &ours, &body(made.uid().as_deref())).await;
    assert!(matches!(&refused, Err(kube::Error::Api(status)) if status.code == 409), "{refused:?}");
    assert!(profiles.get_opt("gone").await.unwrap().is_none());
}

#[tokio::test]
async fn a_restarted_daemon_writes_nothing_that_is_there() {
    let Some(server) = Server::take().await else { return };
    let first = daemon(&server);
    server.profile("same").await;
    let reported = |status: &SecurityProfileNodeStatus| status.status.is_some();
    let before = wait::until(&server.statuses, &node_status_name("same"), "to be reported", reported).await;
    let (ended, took) = first.terminate();
    assert!(ended.success() && took.as_secs() < 1, "{ended} after {took:?}");
    let _second = daemon(&server);
    a_while().await;
    let after = server.statuses.get(&node_status_name("same")).await.unwrap();
    assert_eq!(version(&before), version(&after));
}

#[tokio::test]
async fn a_node_status_that_somebody_deleted_comes_back() {
    let Some(server) = Server::take().await else { return };
    let _running = both(&server);
    server.profile("back").await;
    server.installed("back").await;
    let before = server.statuses.get(&node_status_name("back")).await.unwrap();
    server.statuses.delete(&node_status_name("back"), &DeleteParams::default()).await.unwrap();
    let again =
        |status: &SecurityProfileNodeStatus| status.metadata.uid != before.metadata.uid && status.status.is_some();
    wait::until(&server.statuses, &node_status_name("back"), "to be made again", again).await;
}

#[tokio::test]
async fn a_lost_api_server_loses_nothing() {
    let Some(server) = Server::take().await else { return };
    let way = Proxy::to(server.port()).await;
    let daemon = daemon_through(&server, Some(way.port));
    let _manager = manager(&server);
    server.profile("before").await;
    server.installed("before").await;
    way.cut();
    server.profile("meanwhile").await;
    server.delete("before").await;
    a_while().await;
    assert!(!server.file("meanwhile").exists() && server.file("before").exists());
    way.mend();
    server.installed("meanwhile").await;
    server.file_is("before", false).await;
    assert!(daemon.log().contains("watch interrupted"), "{}", daemon.log());
}

#[tokio::test]
async fn what_was_found_out_while_the_api_server_was_away_is_reported_later() {
    let Some(server) = Server::take().await else { return };
    let way = Proxy::to(server.port()).await;
    let _daemon = daemon_through(&server, Some(way.port));
    let _manager = manager(&server);
    server.profile("tampered").await;
    server.installed("tampered").await;
    way.cut();
    std::fs::write(server.file("tampered"), "nothing").unwrap();
    let restored =
        || std::fs::read_to_string(server.file("tampered")).is_ok_and(|text| text.contains("mkdir")).then_some(());
    wait::until_seen("the file to be restored", restored).await;
    way.mend();
    let events: Api<Event> = Api::namespaced(server.client.clone(), "default");
    let uid = server.profiles.get("tampered").await.unwrap().uid();
    for _ in 0..300 {
        let list = events.list(&ListParams::default()).await.unwrap().items;
        let about = list.iter().filter(|event| event.regarding.as_ref().is_some_and(|object| object.uid == uid));
        if about.filter(|event| event.note.as_deref().is_some_and(|note| note.starts_with("restored"))).count() == 1 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("no event tells that the file was restored");
}

#[tokio::test]
async fn w_op_18_what_a_reference_daemon_left_is_taken_over() {
    let Some(server) = Server::take().await else { return };
    let profile = server.profile_with("old", &[&finalizers::legacy_node_finalizer(NODE)]).await;
    let legacy = json!({
        "apiVersion": format!("{GROUP}/v1"),
        "kind": "SecurityProfileNodeStatus",
        "metadata": {
            "name": labels::legacy_node_status_name("old", NODE),
            "labels": {labels::NODE_NAME: NODE, labels::PROFILE_ID: "SeccompProfile-old"},
            "ownerReferences": [{"apiVersion": format!("{GROUP}/v1"), "kind": "SeccompProfile", "name": "old",
                "uid": profile.uid(), "controller": true}],
        },
        "spec": {"nodeName": NODE},
    });
    server.statuses.create(&PostParams::default(), &serde_json::from_value(legacy).unwrap()).await.unwrap();
    let _running = both(&server);
    server.installed("old").await;
    wait::until_gone(&server.statuses, &labels::legacy_node_status_name("old", NODE)).await;
    wait::until(&server.profiles, "old", "to lose the old finalizer", |profile| profile.finalizers().is_empty()).await;
}
