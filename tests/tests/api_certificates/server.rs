//! The API server with our kinds, and with a Service that leads to webhook servers beside the test.

use std::net::{IpAddr, UdpSocket};

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client, ResourceExt as _};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::json;
use spo_api::GROUP;
use spo_tests::api::server::{NAMESPACE, Server};
use spo_tests::wait;

pub(crate) const SERVING: &str = "webhook-server-cert";
pub(crate) const AUTHORITY: &str = "webhook-ca";

/// The API server, as its administrator sees it, for one test at a time.
pub(crate) struct Stage {
    pub(crate) server: Server,
    pub(crate) client: Client,
    pub(crate) secrets: Api<Secret>,
    pub(crate) definitions: Api<CustomResourceDefinition>,
    /// SeccompProfiles in their older version.
    pub(crate) old: Api<DynamicObject>,
    /// Where servers beside this test are reached; loopback is no address for an endpoint.
    address: IpAddr,
}

impl Stage {
    /// Takes the test's turn. Without an API server or a network the test is skipped, and a line says so.
    pub(crate) async fn take() -> Option<Self> {
        let server = Server::take().await?;
        let Some(address) = own_address() else {
            println!("skipped: needs a network: this machine has no address but loopback");
            return None;
        };
        let client = server.client.clone();
        let kind = GroupVersionKind::gvk(GROUP, "v1beta1", "SeccompProfile");
        let old = ApiResource::from_gvk_with_plural(&kind, "seccompprofiles");
        let stage = Self {
            server,
            secrets: Api::namespaced(client.clone(), NAMESPACE),
            definitions: Api::all(client.clone()),
            old: Api::all_with(client.clone(), &old),
            client,
            address,
        };
        stage.clear().await;
        Some(stage)
    }

    /// Takes away what an earlier test left.
    async fn clear(&self) {
        self.endpoints().delete_collection(&DeleteParams::default(), &ListParams::default()).await.unwrap();
        for name in [SERVING, AUTHORITY] {
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

    fn endpoints(&self) -> Api<EndpointSlice> {
        Api::namespaced(self.client.clone(), NAMESPACE)
    }

    /// Has the Service lead to a port of this machine too, as the controller of a cluster would.
    pub(crate) async fn lead_to(&self, port: u16) {
        let port_of = |name: &str| json!({"name": name, "port": port, "protocol": "TCP"});
        let endpoints = json!({
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": slice(port), "labels": {"kubernetes.io/service-name": "webhook-service"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [self.address.to_string()], "conditions": {"ready": true}}],
            "ports": [port_of("conversion"), port_of("admission")],
        });
        let params = PatchParams::apply("spo-tests").force();
        self.endpoints().patch(&slice(port), &params, &Patch::Apply(endpoints)).await.unwrap();
    }

    /// And no longer.
    pub(crate) async fn lead_away_from(&self, port: u16) {
        self.endpoints().delete(&slice(port), &DeleteParams::default()).await.unwrap();
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

fn slice(port: u16) -> String {
    format!("webhook-service-{port}")
}

/// The address under which others would reach this machine. Nothing is sent.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|address| !address.is_loopback())
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
