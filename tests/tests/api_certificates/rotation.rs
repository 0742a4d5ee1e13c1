//! Certificates and servers are replaced while an old version is read and written: no request fails.

use k8s_openapi::api::core::v1::Secret;
use spo_tests::wait;

use crate::load::Load;
use crate::server::{AUTHORITY, SERVING, Server, certificates, field};
use crate::webhook::Webhook;

#[tokio::test]
async fn the_authority_is_replaced_under_load_and_no_conversion_fails() {
    let Some(server) = Server::take().await else { return };
    let webhooks = [Webhook::reached(&server).await, Webhook::reached(&server).await];
    let load = Load::start(&server.old).await;
    let before = server.all_trust().await;
    server.forget(AUTHORITY).await;
    let new = |secret: &Secret| {
        let found = certificates(&field(secret, "tls.crt"));
        !found.is_empty() && found[0] != before
    };
    wait::until(&server.secrets, AUTHORITY, "to be another", new).await;
    let after = server.all_trust().await;
    for webhook in &webhooks {
        webhook.serves(&after).await;
        assert!(!webhook.accepts(&before));
    }
    load.ends_without_a_failure().await;
}

#[tokio::test]
async fn the_certificate_is_replaced_under_load_and_no_conversion_fails() {
    let Some(server) = Server::take().await else { return };
    let _webhook = Webhook::reached(&server).await;
    let before = server.secrets.get(SERVING).await.unwrap();
    let load = Load::start(&server.old).await;
    server.forget(SERVING).await;
    let new = |secret: &Secret| field(secret, "tls.crt") != field(&before, "tls.crt");
    wait::until(&server.secrets, SERVING, "to be another", new).await;
    load.ends_without_a_failure().await;
}

#[tokio::test]
async fn servers_are_replaced_one_by_one_and_no_conversion_fails_after() {
    let Some(server) = Server::take().await else { return };
    let first = Webhook::reached(&server).await;
    let second = Webhook::reached(&server).await;
    server.lead_away_from(first.port).await;
    assert!(first.terminate().success());
    let load = Load::start(&server.old).await;
    let _third = Webhook::reached(&server).await;
    load.ends_without_a_failure().await;
    drop(second);
}
