//! Several servers, one authority.

use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::json;
use spo_api::GROUP;
use spo_api::raw_selinux::v1::RawSelinuxProfile;
use spo_tests::api::server::NAMESPACE;
use spo_tests::{manifest, wait};

use crate::server::{AUTHORITY, SERVING, Stage, bundle, certificates, field};
use crate::webhook::Webhook;

#[tokio::test]
async fn servers_that_start_together_agree_on_one_authority_and_each_serves_its_certificate() {
    let Some(stage) = Stage::take().await else { return };
    let webhooks: Vec<_> = (0..3).map(|_| Webhook::start(&stage)).collect();
    let authority = stage.all_trust().await;
    for webhook in &webhooks {
        webhook.serves(&authority).await;
    }
    let secret = stage.secrets.get(AUTHORITY).await.unwrap();
    assert_eq!(certificates(&field(&secret, "ca.crt")), std::slice::from_ref(&authority));
    let secret = stage.secrets.get(SERVING).await.unwrap();
    assert_eq!(certificates(&field(&secret, "ca.crt")), [authority]);
}

#[tokio::test]
async fn objects_are_converted_as_soon_as_a_server_is_there() {
    let Some(stage) = Stage::take().await else { return };
    let _webhook = Webhook::reached(&stage).await;
    let profile = json!({
        "apiVersion": format!("{GROUP}/v1beta1"),
        "kind": "SeccompProfile",
        "metadata": {"name": "old"},
        "spec": {"defaultAction": "SCMP_ACT_LOG"},
    });
    let profile = serde_json::from_value(profile).unwrap();
    stage.old.create(&PostParams::default(), &profile).await.unwrap();
    let profiles: Api<spo_api::seccomp::v1::SeccompProfile> = Api::all(stage.client.clone());
    let stored = profiles.get("old").await.unwrap();
    assert_eq!(serde_json::to_value(&stored.spec).unwrap()["defaultAction"], "SCMP_ACT_LOG");
}

#[tokio::test]
async fn w_op_26_the_static_configurations_lead_to_a_server_that_they_trust() {
    let Some(stage) = Stage::take().await else { return };
    let _webhook = Webhook::reached(&stage).await;
    let authority = stage.all_trust().await;
    let configurations = stage.server.called_at("webhooks.yaml", stage.port());
    manifest::apply_objects(&stage.client, &configurations).await.unwrap();
    let api: Api<MutatingWebhookConfiguration> = Api::all(stage.client.clone());
    let trusts = |configuration: &MutatingWebhookConfiguration| {
        configuration.webhooks.iter().flatten().all(|webhook| {
            let bundle = webhook.client_config.ca_bundle.as_ref();
            bundle.is_some_and(|bundle| certificates(&bundle.0) == [authority.clone()])
        })
    };
    wait::until(&api, "spo-mutating-webhook-configuration", "to trust the authority", trusts).await;
    let message = wait::until_seen_by("a policy to be refused", async || refusal(&stage).await).await;
    assert!(message.contains("spec.policy"), "{message}");
    api.delete("spo-mutating-webhook-configuration", &DeleteParams::default()).await.unwrap();
    let api: Api<k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration> =
        Api::all(stage.client.clone());
    api.delete("spo-validating-webhook-configuration", &DeleteParams::default()).await.unwrap();
}

/// What the webhook says of a policy that leaves its block; nothing while it is not reached, which is another refusal.
async fn refusal(stage: &Stage) -> Option<String> {
    let profiles: Api<RawSelinuxProfile> = Api::all(stage.client.clone());
    let spec = json!({"policy": "(allow process self (file (read)))))"});
    let profile = serde_json::from_value(json!({"metadata": {"name": "bad"}, "spec": spec})).unwrap();
    match profiles.create(&PostParams { dry_run: true, ..PostParams::default() }, &profile).await {
        Err(kube::Error::Api(status)) if status.code == 422 => Some(status.message),
        _ => None,
    }
}

#[tokio::test]
async fn w_op_8_what_somebody_changed_by_hand_is_put_back() {
    let Some(stage) = Stage::take().await else { return };
    let webhook = Webhook::start(&stage);
    let authority = stage.all_trust().await;

    let name = format!("seccompprofiles.{GROUP}");
    let service = json!({"name": "webhook-service", "namespace": "elsewhere", "path": "/convert"});
    let config = json!({"caBundle": null, "url": null, "service": service});
    let elsewhere = Patch::Merge(json!({"spec": {"conversion": {"webhook": {"clientConfig": config}}}}));
    stage.definitions.patch(&name, &PatchParams::default(), &elsewhere).await.unwrap();
    wait::until(&stage.definitions, &name, "to lead to us again", |crd| {
        let webhook = crd.spec.conversion.as_ref().and_then(|conversion| conversion.webhook.as_ref()).unwrap();
        let service = webhook.client_config.as_ref().and_then(|config| config.service.as_ref()).unwrap();
        service.namespace == NAMESPACE && bundle(crd) == [authority.clone()]
    })
    .await;

    let garbage = Patch::Merge(json!({"data": {"tls.crt": ByteString(b"garbage".to_vec())}}));
    stage.secrets.patch(SERVING, &PatchParams::default(), &garbage).await.unwrap();
    let whole = |secret: &Secret| !certificates(&field(secret, "tls.crt")).is_empty();
    wait::until(&stage.secrets, SERVING, "to be whole again", whole).await;
    webhook.serves(&authority).await;
}
