//! The API server that `cargo xtask test` starts, made ready for the operator.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::restart;
use crate::{manifest, wait};
use anyhow::{Context, Result};
use k8s_openapi::api::admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration};
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::GroupVersionKind;
use kube::{Api, Client, Config, ResourceExt as _};
use serde_json::{Value, json};
use spo_api::GROUP;
use spo_api::daemon::v1::SecurityProfilesOperatorDaemon;
use spo_api::node_status::v1::SecurityProfileNodeStatus;
use spo_api::seccomp::v1::SeccompProfile;
use tokio::sync::{Mutex, MutexGuard};

/// The namespace of the operator.
pub const NAMESPACE: &str = "security-profiles-operator";
/// The name of the node that daemons run for.
pub const NODE: &str = "node1";

/// The API server, as its administrator sees it, for one test at a time.
pub struct Server {
    /// Talks to it as the administrator.
    pub client: Client,
    /// Every SeccompProfile.
    pub profiles: Api<SeccompProfile>,
    /// Every node status.
    pub statuses: Api<SecurityProfileNodeStatus>,
    kubeconfig: PathBuf,
    dir: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl Server {
    /// Takes the test's turn. Without an API server the test is skipped, and a line says so.
    pub async fn take() -> Option<Self> {
        static TURN: Mutex<()> = Mutex::const_new(());
        let Some(kubeconfig) = std::env::var_os("SPO_TEST_API_SERVER") else {
            println!("skipped: needs an API server: cargo xtask test --only api");
            return None;
        };
        let server = Self::ready(kubeconfig.into(), TURN.lock().await).await;
        Some(server.unwrap_or_else(|error| panic!("the API server cannot be used: {error:#}")))
    }

    async fn ready(kubeconfig: PathBuf, turn: MutexGuard<'static, ()>) -> Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = Kubeconfig::read_from(&kubeconfig)?;
        let client = Client::try_from(Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await?)?;
        let server = Self {
            profiles: Api::all(client.clone()),
            statuses: Api::all(client.clone()),
            client,
            kubeconfig,
            dir: tempfile::tempdir()?,
            _turn: turn,
        };
        server.install().await?;
        server.clear().await?;
        Ok(server)
    }

    async fn install(&self) -> Result<()> {
        self.define(&manifest::definitions()?).await?;
        manifest::apply(&self.client, &manifest::text("deploy/manifests/operator.yaml")?).await?;
        self.node(NODE).await;
        Ok(())
    }

    /// Takes away what an earlier test left. First the webhooks, whose server is gone.
    async fn clear(&self) -> Result<()> {
        let (how, all) = (DeleteParams::default(), ListParams::default());
        let ours = ListParams::default().labels("app=security-profiles-operator");
        Api::<MutatingWebhookConfiguration>::all(self.client.clone()).delete_collection(&how, &ours).await?;
        Api::<ValidatingWebhookConfiguration>::all(self.client.clone()).delete_collection(&how, &ours).await?;
        for profile in self.profiles.list(&all).await? {
            let free = Patch::Merge(json!({"metadata": {"finalizers": null}}));
            self.profiles.patch(&profile.name_any(), &PatchParams::default(), &free).await?;
        }
        self.profiles.delete_collection(&how, &all).await?;
        let configurations: Api<SecurityProfilesOperatorDaemon> = Api::namespaced(self.client.clone(), NAMESPACE);
        configurations.delete_collection(&how, &all).await?;
        self.statuses.delete_collection(&how, &all).await?;
        Ok(())
    }

    /// Puts definitions in the place of those that are there, and waits until they are served.
    ///
    /// # Errors
    /// If the API server refuses one.
    pub async fn define(&self, definitions: &[DynamicObject]) -> Result<()> {
        let api: Api<CustomResourceDefinition> = Api::all(self.client.clone());
        manifest::replace_definitions(&self.client, definitions).await?;
        for crd in definitions {
            wait::until(&api, &crd.name_any(), "to be served", manifest::is_served).await;
        }
        Ok(())
    }

    /// The definitions of deploy/crds, whose objects are converted by what listens on this port of 127.0.0.1.
    pub fn converted_at(&self, port: u16) -> Vec<DynamicObject> {
        let mut definitions = manifest::definitions().unwrap();
        for crd in &mut definitions {
            crd.data["spec"]["conversion"]["webhook"]["clientConfig"] =
                json!({"url": format!("https://127.0.0.1:{port}/convert")});
        }
        definitions
    }

    /// The webhook configurations of a file of deploy/manifests, called at this port of 127.0.0.1.
    pub fn called_at(&self, file: &str, port: u16) -> Vec<DynamicObject> {
        let text = manifest::text(&format!("deploy/manifests/{file}")).unwrap();
        let mut configurations: Vec<DynamicObject> = manifest::objects(&text).unwrap();
        let webhooks = configurations.iter_mut().filter_map(|object| object.data["webhooks"].as_array_mut()).flatten();
        for client in webhooks.map(|webhook| &mut webhook["clientConfig"]) {
            let path = client["service"]["path"].as_str().unwrap();
            *client = json!({"url": format!("https://127.0.0.1:{port}{path}")});
        }
        configurations
    }

    /// The cluster-scoped objects of a kind of ours.
    pub fn objects(&self, kind: &str) -> Api<DynamicObject> {
        let plural = kind.parse::<spo_api::Kind>().unwrap().plural();
        let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(GROUP, "v1", kind), plural);
        Api::all_with(self.client.clone(), &resource)
    }

    /// A folder of this test alone.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// How to reach the API server as one of our service accounts; through another address if one is given.
    pub fn kubeconfig(&self, account: &str, through: Option<u16>) -> PathBuf {
        let text = std::fs::read_to_string(&self.kubeconfig).unwrap();
        let mut config: Value = serde_saphyr::from_str(&text).unwrap();
        config["users"][0]["user"]["as"] = format!("system:serviceaccount:{NAMESPACE}:{account}").into();
        if let Some(port) = through {
            config["clusters"][0]["cluster"]["server"] = format!("https://127.0.0.1:{port}").into();
        }
        let path = self.dir().join(format!("{account}.kubeconfig"));
        // A process that was started before may be reading it.
        let new = self.dir().join(format!("{account}.new"));
        std::fs::write(&new, config.to_string()).unwrap();
        std::fs::rename(new, &path).unwrap();
        path
    }

    /// A client with the rights of one of our service accounts.
    pub async fn client_of(&self, account: &str) -> Client {
        let config = Kubeconfig::read_from(self.kubeconfig(account, None)).unwrap();
        Client::try_from(Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await.unwrap()).unwrap()
    }

    /// The port of the API server.
    pub fn port(&self) -> u16 {
        let text = std::fs::read_to_string(&self.kubeconfig).unwrap();
        let config: Value = serde_saphyr::from_str(&text).unwrap();
        let server = config["clusters"][0]["cluster"]["server"].as_str().unwrap();
        server.rsplit_once(':').unwrap().1.trim_end_matches('/').parse().unwrap()
    }

    /// Kills the API server and starts it again with the same arguments; ends when it answers.
    pub async fn restart(&self) {
        restart::restart(self.kubeconfig.parent().unwrap(), self.port(), &self.client).await;
    }

    /// Makes a Node object, if it is not there.
    pub async fn node(&self, name: &str) {
        let nodes: Api<Node> = Api::all(self.client.clone());
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}});
        nodes.patch(name, &PatchParams::apply("tests").force(), &Patch::Apply(node)).await.unwrap();
    }

    /// Makes a profile that allows everything but `mkdir`.
    pub async fn profile(&self, name: &str) -> SeccompProfile {
        self.profile_with(name, &[]).await
    }

    /// The same with finalizers.
    pub async fn profile_with(&self, name: &str, finalizers: &[&str]) -> SeccompProfile {
        let profile = json!({
            "apiVersion": format!("{GROUP}/v1"),
            "kind": "SeccompProfile",
            "metadata": {"name": name, "finalizers": finalizers},
            "spec": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]},
        });
        self.profiles.create(&PostParams::default(), &serde_json::from_value(profile).unwrap()).await.unwrap()
    }

    /// Waits until a profile is Installed for its current generation.
    pub async fn installed(&self, name: &str) -> SeccompProfile {
        wait::until(&self.profiles, name, "to be Installed", |profile| {
            let Some(status) = &profile.status else { return false };
            let ready = status.conditions.iter().flatten().find(|condition| condition.r#type == "Ready");
            status.status == Some(spo_api::ProfileState::Installed)
                && ready.and_then(|ready| ready.observed_generation) == profile.metadata.generation
        })
        .await
    }

    /// Waits until a profile's condition has this reason, and gives back its message.
    pub async fn message(&self, name: &str, reason: &str) -> String {
        let ready = |profile: &SeccompProfile| {
            let conditions = profile.status.as_ref().and_then(|status| status.conditions.clone());
            conditions.into_iter().flatten().find(|condition| condition.r#type == "Ready" && condition.reason == reason)
        };
        let profile = wait::until(&self.profiles, name, reason, |profile| ready(profile).is_some()).await;
        ready(&profile).map(|condition| condition.message).unwrap_or_default()
    }

    /// Has a profile removed.
    pub async fn delete(&self, name: &str) {
        self.profiles.delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// The file of a profile on the host of the daemon.
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir().join(format!("root/var/lib/kubelet/seccomp/operator/{name}.json"))
    }

    /// Waits until the file is there, or is not.
    pub async fn file_is(&self, name: &str, there: bool) {
        wait::until_seen(&format!("the file of {name}"), || (self.file(name).exists() == there).then_some(())).await;
    }
}

/// Lets what might happen wrongly happen.
pub async fn a_while() {
    tokio::time::sleep(Duration::from_secs(2)).await;
}

/// What an object says of its last write.
pub fn version(object: &impl kube::ResourceExt) -> String {
    object.resource_version().context("an object that was read has a version").unwrap()
}
