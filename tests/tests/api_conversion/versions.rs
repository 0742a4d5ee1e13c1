//! Writing in one version and reading in the other.

use futures::StreamExt as _;
use kube::ResourceExt as _;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use serde_json::{Value, json};
use spo_api::Kind;

use crate::front::Front;
use crate::kinds::{api, example, in_v1, version};

/// Everything of `wanted` is in `found`, where it may stand beside defaults.
fn holds(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => wanted
            .iter()
            .all(|(key, wanted)| found.get(key).map_or_else(|| is_empty(wanted), |found| holds(found, wanted))),
        (Value::Array(found), Value::Array(wanted)) => {
            found.len() == wanted.len() && found.iter().zip(wanted).all(|(found, wanted)| holds(found, wanted))
        }
        _ => found == wanted,
    }
}

/// What may be left out: to a reader it is the same.
fn is_empty(value: &Value) -> bool {
    *value == json!(false) || *value == json!(0) || *value == json!("") || *value == json!([]) || *value == json!({})
}

fn check(kind: Kind, what: &str, found: &DynamicObject, wanted: &Value) {
    let spec = &found.data["spec"];
    assert!(holds(spec, wanted), "{kind} {what}:\n{spec:#}\nshould hold\n{wanted:#}");
}

/// The specification of an object, without what only older releases wrote.
fn spec(kind: Kind, object: &DynamicObject) -> Value {
    let mut spec = object.data["spec"].clone();
    let declared = example(kind, "v1", "any").data["spec"].clone();
    let known = declared.as_object().unwrap();
    spec.as_object_mut().unwrap().retain(|field, _| known.contains_key(field));
    spec
}

#[tokio::test]
async fn c8_what_is_written_in_v1_is_read_listed_and_watched_in_the_old_version() {
    let Some((front, _webhook)) = Front::take().await else { return };
    for kind in Kind::ALL {
        let (new, old) = (api(&front.server.client, kind, "v1"), api(&front.server.client, kind, kind.old_version()));
        let made = new.create(&PostParams::default(), &example(kind, "v1", "new")).await.unwrap();
        assert_eq!(version(&made), "v1");

        let read = old.get("new").await.unwrap();
        assert_eq!(version(&read), kind.old_version());
        check(
            kind,
            "read",
            &DynamicObject { data: json!({"spec": in_v1(kind, &read.data["spec"])}), ..read.clone() },
            &without_new(&read, &made),
        );

        let list = old.list(&ListParams::default()).await.unwrap();
        let listed = list.items.iter().find(|object| object.name_any() == "new").unwrap();
        assert_eq!((version(listed), &listed.data["spec"]), (kind.old_version(), &read.data["spec"]), "{kind}");

        let params = WatchParams::default().fields("metadata.name=new").timeout(1);
        let events: Vec<_> = old.watch(&params, "0").await.unwrap().collect().await;
        let Some(Ok(WatchEvent::Added(watched))) = events.first() else { panic!("{kind}: {events:?}") };
        assert_eq!((version(watched), &watched.data["spec"]), (kind.old_version(), &read.data["spec"]), "{kind}");
    }
}

/// What the old version can hold of an object of v1: the rest is in an annotation, and told by other tests.
fn without_new(old: &DynamicObject, new: &DynamicObject) -> Value {
    fn common(new: &Value, old: &Value) -> Value {
        match (new, old) {
            (Value::Object(new), Value::Object(old)) => {
                new.iter().filter_map(|(key, value)| Some((key.clone(), common(value, old.get(key)?)))).collect()
            }
            _ => new.clone(),
        }
    }
    common(&new.data["spec"], &old.data["spec"])
}

#[tokio::test]
async fn c8_what_is_written_in_the_old_version_is_stored_and_read_in_v1() {
    let Some((front, _webhook)) = Front::take().await else { return };
    for kind in Kind::ALL {
        let (new, old) = (api(&front.server.client, kind, "v1"), api(&front.server.client, kind, kind.old_version()));
        let example = example(kind, kind.old_version(), "old");
        let wanted = in_v1(kind, &spec(kind, &example));
        let made = old.create(&PostParams::default(), &example).await.unwrap();
        assert_eq!(version(&made), kind.old_version());
        let read = new.get("old").await.unwrap();
        assert_eq!(version(&read), "v1");
        check(kind, "created", &read, &wanted);

        let label = Patch::Merge(json!({"metadata": {"labels": {"patched": "yes"}}}));
        old.patch("old", &PatchParams::default(), &label).await.unwrap();
        let read = new.get("old").await.unwrap();
        assert_eq!(read.labels()["patched"], "yes", "{kind}");
        check(kind, "patched", &read, &wanted);
    }
}

/// Conversion leaves out what is empty, as that of the reference does: who applies it through an old version writes it anew. The
/// index of an argument is required, 0 too.
fn without_empty(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.into_iter().map(|(key, value)| (key, without_empty(value)));
            kept.filter(|(key, value)| key == "index" || !is_empty(value)).collect()
        }
        Value::Array(items) => items.into_iter().map(without_empty).collect(),
        other => other,
    }
}

#[tokio::test]
async fn both_versions_are_applied_by_one_field_manager() {
    let Some((front, _webhook)) = Front::take().await else { return };
    let params = PatchParams::apply("somebody");
    for kind in Kind::ALL {
        let (new, old) = (api(&front.server.client, kind, "v1"), api(&front.server.client, kind, kind.old_version()));
        let mut example = example(kind, kind.old_version(), "applied");
        example.data = json!({"spec": without_empty(spec(kind, &example))});
        old.patch("applied", &params, &Patch::Apply(&example)).await.unwrap();
        let again = old.patch("applied", &params, &Patch::Apply(&example)).await.unwrap();
        assert_eq!(again.metadata.generation, Some(1), "{kind}: applying the same changes nothing");

        let mut newer = crate::kinds::example(kind, "v1", "applied");
        newer.data = json!({"spec": newer.data["spec"]});
        let read = new.patch("applied", &params, &Patch::Apply(&newer)).await.unwrap();
        check(kind, "applied", &read, &newer.data["spec"]);
        assert_eq!(read.managed_fields().len(), 1, "{kind}: {:#?}", read.managed_fields());
    }
}

#[tokio::test]
async fn what_the_old_version_cannot_hold_survives_an_edit_through_it() {
    let Some((front, _webhook)) = Front::take().await else { return };
    let kind = Kind::SecurityProfilesOperatorDaemon;
    let (new, old) = (api(&front.server.client, kind, "v1"), api(&front.server.client, kind, kind.old_version()));
    let made = new.create(&PostParams::default(), &example(kind, "v1", "spod")).await.unwrap();
    let mut edited = old.get("spod").await.unwrap();
    assert!(edited.data.pointer("/spec/selinux/options/deniedTypes").is_none());
    edited.data["spec"]["verbosity"] = 3.into();
    old.replace("spod", &PostParams::default(), &edited).await.unwrap();

    let read = new.get("spod").await.unwrap();
    assert_eq!(read.data["spec"]["verbosity"], 3);
    for pointer in
        ["/selinux/options/deniedTypes", "/selinux/options/deniedPermissions", "/security/allowedIdentityRegexp"]
    {
        let [now, before] = [&read, &made].map(|object| object.data["spec"].pointer(pointer));
        assert_eq!(now, before, "{pointer}");
    }
    assert!(read.annotations().is_empty(), "{:?}", read.annotations());
}
