//! Certificates and servers are replaced while an old version is read and written: no request fails.

use k8s_openapi::api::core::v1::Secret;
use spo_tests::wait;

use crate::load::Load;
use crate::server::{AUTHORITY, SERVING, Stage, certificates, field};
use crate::webhook::Webhook;

#[tokio::test]
async fn the_authority_is_replaced_under_load_and_no_conversion_fails() {
    let Some(stage) = Stage::take().await else { return };
    let webhooks = [Webhook::reached(&stage).await, Webhook::reached(&stage).await];
    let load = Load::start(&stage.old).await;
    let before = stage.all_trust().await;
    stage.forget(AUTHORITY).await;
    let new = |secret: &Secret| {
        let found = certificates(&field(secret, "tls.crt"));
        !found.is_empty() && found[0] != before
    };
    wait::until(&stage.secrets, AUTHORITY, "to be another", new).await;
    let after = stage.all_trust().await;
    for webhook in &webhooks {
        webhook.serves(&after).await;
        assert!(!webhook.accepts(&before));
    }
    load.ends_without_a_failure().await;
}

#[tokio::test]
async fn the_certificate_is_replaced_under_load_and_no_conversion_fails() {
    let Some(stage) = Stage::take().await else { return };
    let _webhook = Webhook::reached(&stage).await;
    let before = stage.secrets.get(SERVING).await.unwrap();
    let load = Load::start(&stage.old).await;
    stage.forget(SERVING).await;
    let new = |secret: &Secret| field(secret, "tls.crt") != field(&before, "tls.crt");
    wait::until(&stage.secrets, SERVING, "to be another", new).await;
    load.ends_without_a_failure().await;
}

#[tokio::test]
async fn servers_are_replaced_one_by_one_and_no_conversion_fails_after() {
    let Some(stage) = Stage::take().await else { return };
    let first = Webhook::reached(&stage).await;
    let second = Webhook::reached(&stage).await;
    stage.lead_away_from(first.port);
    assert!(first.process.terminate().0.success());
    let load = Load::start(&stage.old).await;
    let _third = Webhook::reached(&stage).await;
    load.ends_without_a_failure().await;
    drop(second);
}
