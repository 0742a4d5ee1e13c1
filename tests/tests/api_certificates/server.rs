//! The API server with our kinds, converted by webhook servers beside the test.

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ApiResource, DeleteParams, DynamicObject};
use kube::core::GroupVersionKind;
use kube::{Api, Client, ResourceExt as _};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use spo_api::GROUP;
use spo_tests::api::server::{NAMESPACE, Server};
use spo_tests::api::service::Service;
use spo_tests::wait;

pub(crate) const SERVING: &str = "webhook-server-cert";
pub(crate) const AUTHORITY: &str = "webhook-ca";
pub(crate) const METRICS: &str = "metrics-server-cert";

/// The API server, as its administrator sees it, for one test at a time.
pub(crate) struct Stage {
    pub(crate) server: Server,
    pub(crate) client: Client,
    pub(crate) secrets: Api<Secret>,
    pub(crate) definitions: Api<CustomResourceDefinition>,
    /// SeccompProfiles in their older version.
    pub(crate) old: Api<DynamicObject>,
    /// Where servers beside this test are reached.
    service: Service,
}

impl Stage {
    /// Takes the test's turn. Without an API server the test is skipped, and a line says so.
    pub(crate) async fn take() -> Option<Self> {
        let server = Server::take().await?;
        let service = Service::start().await;
        server.define(&server.converted_at(service.port)).await.unwrap();
        let client = server.client.clone();
        let kind = GroupVersionKind::gvk(GROUP, "v1beta1", "SeccompProfile");
        let old = ApiResource::from_gvk_with_plural(&kind, "seccompprofiles");
        let stage = Self {
            server,
            secrets: Api::namespaced(client.clone(), NAMESPACE),
            definitions: Api::all(client.clone()),
            old: Api::all_with(client.clone(), &old),
            client,
            service,
        };
        stage.clear().await;
        Some(stage)
    }

    /// Takes away what an earlier test left.
    async fn clear(&self) {
        for name in [SERVING, AUTHORITY, METRICS] {
            self.forget(name).await;
        }
    }

    /// Deletes a Secret, if it is there.
    pub(crate) async fn forget(&self, secret: &str) {
        match self.secrets.delete(secret, &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            outcome => drop(outcome.unwrap()),
        }
    }

    /// Where API servers reach what is behind it.
    pub(crate) fn port(&self) -> u16 {
        self.service.port
    }

    /// Has API servers reach a port of this machine too.
    pub(crate) fn lead_to(&self, port: u16) {
        self.service.lead_to(port);
    }

    /// And no longer.
    pub(crate) fn lead_away_from(&self, port: u16) {
        self.service.lead_away_from(port);
    }

    /// Waits until every definition trusts the authority in the Secret, and no consumer any other. Gives back the authority.
    pub(crate) async fn all_trust(&self) -> CertificateDer<'static> {
        let secret = wait::until(&self.secrets, AUTHORITY, "to be made", |_| true).await;
        let authority = certificates(&field(&secret, "tls.crt")).remove(0);
        for crd in spo_api::crds() {
            let trusts = |crd: &CustomResourceDefinition| bundle(crd).contains(&authority);
            wait::until(&self.definitions, &crd.name_any(), "to trust the authority", trusts).await;
        }
        authority
    }
}

/// What an API server trusts when it has objects of the kind converted.
pub(crate) fn bundle(crd: &CustomResourceDefinition) -> Vec<CertificateDer<'static>> {
    let conversion = crd.spec.conversion.as_ref().and_then(|conversion| conversion.webhook.as_ref());
    let bundle = conversion.and_then(|webhook| webhook.client_config.as_ref()?.ca_bundle.as_ref());
    bundle.map(|bundle| certificates(&bundle.0)).unwrap_or_default()
}

pub(crate) fn field(secret: &Secret, name: &str) -> Vec<u8> {
    secret.data.as_ref().and_then(|data| data.get(name)).map(|value| value.0.clone()).unwrap_or_default()
}

pub(crate) fn certificates(pem: &[u8]) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().unwrap_or_default()
}
