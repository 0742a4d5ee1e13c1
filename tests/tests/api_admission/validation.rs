//! Profiles are looked at before they are stored.

use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use serde_json::json;
use spo_tests::manifest;

use crate::stage::Stage;

#[tokio::test]
async fn w_api_11_the_example_that_the_reference_ships_is_stored() {
    let Some(stage) = Stage::set().await else { return };
    let text = manifest::text("spo-operator/tests/data/rawselinuxprofile.yaml").unwrap();
    let mut examples: Vec<DynamicObject> = manifest::objects(&text).unwrap();
    let example = examples.remove(0);
    let profiles = stage.api("RawSelinuxProfile", None);
    profiles.patch("errorlogger", &PatchParams::apply("tests").force(), &Patch::Apply(&example)).await.unwrap();

    let escape = Patch::Merge(json!({"spec": {"policy": "(blockinherit container)\n(typepermissive kernel_t)"}}));
    let refused = profiles.patch("errorlogger", &PatchParams::default(), &escape).await.unwrap_err().to_string();
    assert!(refused.contains("RawSelinuxProfile is not valid: spec.policy: line 2"), "{refused}");
}

#[tokio::test]
async fn w_op_25_what_would_leave_its_block_is_not_stored() {
    let Some(stage) = Stage::set().await else { return };
    let profiles = stage.api("RawSelinuxProfile", None);
    let profile = json!({"apiVersion": "security-profiles-operator.x-k8s.io/v1", "kind": "RawSelinuxProfile",
        "metadata": {"name": "escapes"}, "spec": {"policy": ")(typepermissive kernel_t"}});
    let refused = profiles.create(&PostParams::default(), &serde_json::from_value(profile).unwrap()).await;
    assert!(refused.unwrap_err().to_string().contains("spec.policy"));
    assert_eq!(profiles.get_opt("escapes").await.unwrap().map(|_| ()), None);
}

#[tokio::test]
async fn a_profile_that_no_node_could_install_is_not_stored_and_one_that_may_come_to_be_permitted_is() {
    let Some(stage) = Stage::set().await else { return };
    let create = async |kind: &str, name: &str, spec: serde_json::Value| {
        let profile = json!({"apiVersion": "security-profiles-operator.x-k8s.io/v1", "kind": kind,
            "metadata": {"generateName": name}, "spec": spec});
        stage.api(kind, None).create(&PostParams::default(), &serde_json::from_value(profile).unwrap()).await
    };
    let paths = json!({"abstract": {"filesystem": {"readOnlyPaths": ["/ok", "no, slash"]}}});
    let refused = create("AppArmorProfile", "paths-", paths).await.unwrap_err().to_string();
    assert!(refused.contains("spec.abstract.filesystem.readOnlyPaths[1]"), "{refused}");
    let inherit = json!({"inherit": [{"kind": "SelinuxProfile", "name": "comes-later"}]});
    create("SelinuxProfile", "early-", inherit).await.unwrap();
}
