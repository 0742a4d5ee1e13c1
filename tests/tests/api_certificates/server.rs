//! The API server that `cargo xtask test` starts, with our kinds and the Service that leads to the webhook servers.

use std::net::{IpAddr, UdpSocket};
use std::path::{Path, PathBuf};

use anyhow::Result;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::GroupVersionKind;
use kube::{Api, Client, Config, ResourceExt as _};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use spo_api::GROUP;
use spo_tests::{manifest, wait};
use tokio::sync::{Mutex, MutexGuard};

pub(crate) const NAMESPACE: &str = "security-profiles-operator";
pub(crate) const SERVING: &str = "webhook-server-cert";
pub(crate) const AUTHORITY: &str = "webhook-ca";

/// The API server, as its administrator sees it, for one test at a time.
pub(crate) struct Server {
    pub(crate) client: Client,
    pub(crate) secrets: Api<Secret>,
    pub(crate) definitions: Api<CustomResourceDefinition>,
    /// SeccompProfiles in their older version.
    pub(crate) old: Api<DynamicObject>,
    /// Where servers beside this test are reached; loopback is no address for an endpoint.
    address: IpAddr,
    kubeconfig: PathBuf,
    dir: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Server {
    /// Takes the test's turn. Without an API server the test is skipped, and a line says so.
    pub(crate) async fn take() -> Option<Self> {
        static TURN: Mutex<()> = Mutex::const_new(());
        let Some(kubeconfig) = std::env::var_os("SPO_TEST_API_SERVER") else {
            println!("skipped: needs an API server: cargo xtask test --only api");
            return None;
        };
        let Some(address) = own_address() else {
            println!("skipped: needs a network: this machine has no address but loopback");
            return None;
        };
        let server = Self::ready(kubeconfig.into(), address, TURN.lock().await).await;
        Some(server.unwrap_or_else(|error| panic!("the API server cannot be used: {error:#}")))
    }

    async fn ready(kubeconfig: PathBuf, address: IpAddr, turn: MutexGuard<'static, ()>) -> Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = Kubeconfig::read_from(&kubeconfig)?;
        let client = Client::try_from(Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await?)?;
        let old = ApiResource::from_gvk_with_plural(
            &GroupVersionKind::gvk(GROUP, "v1beta1", "SeccompProfile"),
            "seccompprofiles",
        );
        let server = Self {
            secrets: Api::namespaced(client.clone(), NAMESPACE),
            definitions: Api::all(client.clone()),
            old: Api::all_with(client.clone(), &old),
            client,
            address,
            kubeconfig,
            dir: tempfile::tempdir()?,
            _turn: turn,
        };
        server.install().await?;
        server.clear().await?;
        Ok(server)
    }

    async fn install(&self) -> Result<()> {
        for file in std::fs::read_dir(manifest::path("deploy/crds"))? {
            manifest::apply(&self.client, &std::fs::read_to_string(file?.path())?).await?;
        }
        for crd in spo_api::crds() {
            let served = |crd: &CustomResourceDefinition| {
                let conditions = crd.status.as_ref().and_then(|status| status.conditions.as_deref());
                conditions.is_some_and(|all| all.iter().any(|one| one.type_ == "Established" && one.status == "True"))
            };
            wait::until(&self.definitions, &crd.name_any(), "to be served", served).await;
        }
        manifest::apply(&self.client, &manifest::text("deploy/manifests/operator.yaml")?).await
    }

    /// Takes away what an earlier test left.
    async fn clear(&self) -> Result<()> {
        let (how, all) = (DeleteParams::default(), ListParams::default());
        self.endpoints().delete_collection(&how, &all).await?;
        for name in [SERVING, AUTHORITY] {
            self.forget(name).await;
        }
        let profiles: Api<spo_api::seccomp::v1::SeccompProfile> = Api::all(self.client.clone());
        for profile in profiles.list(&all).await? {
            let free = Patch::Merge(json!({"metadata": {"finalizers": null}}));
            profiles.patch(&profile.name_any(), &PatchParams::default(), &free).await?;
        }
        profiles.delete_collection(&how, &all).await?;
        Ok(())
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
        let slice = json!({
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": slice(port), "labels": {"kubernetes.io/service-name": "webhook-service"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [self.address.to_string()], "conditions": {"ready": true}}],
            "ports": [port_of("conversion"), port_of("admission")],
        });
        let params = PatchParams::apply("spo-tests").force();
        self.endpoints().patch(&slice_name(port), &params, &Patch::Apply(slice)).await.unwrap();
    }

    /// And no longer.
    pub(crate) async fn lead_away_from(&self, port: u16) {
        self.endpoints().delete(&slice_name(port), &DeleteParams::default()).await.unwrap();
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// How to reach the API server as the service account of the webhook server.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        let text = std::fs::read_to_string(&self.kubeconfig).unwrap();
        let mut config: Value = serde_saphyr::from_str(&text).unwrap();
        config["users"][0]["user"]["as"] = format!("system:serviceaccount:{NAMESPACE}:spo-webhook").into();
        let path = self.dir().join("webhook.kubeconfig");
        std::fs::write(&path, config.to_string()).unwrap();
        path
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

fn slice_name(port: u16) -> String {
    format!("webhook-service-{port}")
}

fn slice(port: u16) -> Value {
    slice_name(port).into()
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
