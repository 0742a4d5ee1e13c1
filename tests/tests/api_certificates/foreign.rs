//! A certificate that somebody else keeps.

use k8s_openapi::ByteString;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::ResourceExt as _;
use kube::api::PostParams;
use serde_json::json;
use spo_api::GROUP;
use spo_tests::api::server::NAMESPACE;
use spo_tests::wait;

use crate::server::{AUTHORITY, METRICS, SERVING, Stage, bundle, certificates, field};
use crate::webhook::Webhook;

/// As cert-manager leaves it, issued by itself.
#[tokio::test]
async fn what_cert_manager_keeps_is_served_and_trusted_and_never_written() {
    let Some(stage) = Stage::take().await else { return };
    let name = format!("webhook-service.{NAMESPACE}.svc");
    let signed = rcgen::generate_simple_self_signed([name.clone(), format!("{name}.cluster.local")]).unwrap();
    let bytes = |text: String| ByteString(text.into_bytes());
    let secret = json!({
        "metadata": {"name": SERVING, "annotations": {"cert-manager.io/certificate-name": "webhook-cert"}},
        "type": "kubernetes.io/tls",
        "data": {
            "tls.crt": bytes(signed.cert.pem()),
            "tls.key": bytes(signed.signing_key.serialize_pem()),
            "ca.crt": bytes(signed.cert.pem()),
        },
    });
    let made = stage.secrets.create(&PostParams::default(), &serde_json::from_value(secret).unwrap()).await.unwrap();
    let webhook = Webhook::start(&stage);
    let authority = certificates(&field(&made, "ca.crt")).remove(0);
    webhook.serves(&authority).await;
    let trusts = |crd: &CustomResourceDefinition| bundle(crd) == [authority.clone()];
    wait::until(&stage.definitions, &format!("seccompprofiles.{GROUP}"), "to trust it", trusts).await;
    // The certificate for metrics is of an authority of our own, which no consumer is told to trust.
    let metrics = wait::until(&stage.secrets, METRICS, "to be made", |_| true).await;
    let ours = stage.secrets.get(AUTHORITY).await.unwrap();
    assert_eq!(certificates(&field(&metrics, "ca.crt")), certificates(&field(&ours, "tls.crt")));
    let now = stage.secrets.get(SERVING).await.unwrap();
    assert_eq!(now.resource_version(), made.resource_version());
    assert!(trusts(&stage.definitions.get(&format!("seccompprofiles.{GROUP}")).await.unwrap()));

    stage.forget(SERVING).await;
    let ours = stage.all_trust().await;
    webhook.serves(&ours).await;
}
