//! Webhook servers, run beside a test.

use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use spo_tests::api::process::{self, Process};
use spo_tests::api::server::NAMESPACE;
use spo_tests::wait;

use crate::server::Stage;

/// A server that ends with this value.
pub(crate) struct Webhook {
    pub(crate) process: Process,
    pub(crate) port: u16,
}

impl Webhook {
    /// Starts one with the rights of its service account.
    pub(crate) fn start(stage: &Stage) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { process: process::webhook(&stage.server, port), port }
    }

    /// Starts one, waits until it serves, and has the Service lead to it.
    pub(crate) async fn reached(stage: &Stage) -> Self {
        let webhook = Self::start(stage);
        let authority = stage.all_trust().await;
        webhook.serves(&authority).await;
        stage.lead_to(webhook.port);
        webhook
    }

    /// Waits until it serves with a certificate of this authority.
    pub(crate) async fn serves(&self, authority: &CertificateDer<'static>) {
        wait::until_seen("a certificate of the authority", || self.accepts(authority).then_some(())).await;
    }

    /// Whether a client that trusts this authority alone accepts what is served.
    pub(crate) fn accepts(&self, authority: &CertificateDer<'static>) -> bool {
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone()).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::try_from(format!("webhook-service.{NAMESPACE}.svc")).unwrap();
        let Ok(mut socket) = TcpStream::connect(("127.0.0.1", self.port)) else { return false };
        let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
        while client.is_handshaking() {
            if client.complete_io(&mut socket).is_err() {
                return false;
            }
        }
        true
    }
}
