//! A namespace for one test, and the webhooks called for it.

use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};
use spo_api::GROUP;
use spo_tests::api::process::Process;
use spo_tests::api::server::{NAMESPACE, Server};

use crate::webhook;

/// The API server, the webhooks, and a namespace.
pub(crate) struct Stage {
    pub(crate) server: Server,
    pub(crate) namespace: String,
    pub(crate) pods: Api<Pod>,
    _webhook: Process,
}

impl Stage {
    /// Takes the test's turn; the webhooks are called when it is given back. Without an API server the test is skipped.
    pub(crate) async fn set() -> Option<Self> {
        let server = Server::take().await?;
        let webhook = webhook::start(&server).await;
        let namespace = namespace(&server.client, &["enable-binding", "enable-recording"]).await;
        let pods = Api::namespaced(server.client.clone(), &namespace);
        let stage = Self { server, namespace, pods, _webhook: webhook };
        stage.configure(json!({})).await;
        stage.until_called().await;
        Some(stage)
    }

    /// Waits until each webhook does something to a pod that is not kept.
    async fn until_called(&self) {
        self.installed("SeccompProfile", "stage").await;
        self.bind("stage", "SeccompProfile", "stage", "stage").await;
        let mut pod = pod("stage", "stage");
        pod["metadata"]["labels"] = json!({"app.kubernetes.io/managed-by": "kubectl-debug"});
        pod["metadata"]["annotations"] = json!({"io.containers.trace-logs/main": "forged"});
        self.until(&pod, |made| {
            let marked = made.annotations().contains_key("io.containers.trace-logs/main");
            !marked && !container(made)["securityContext"].is_null() && !container(made)["env"].is_null()
        })
        .await;
        spo_tests::wait::until_async("raw profiles to be looked at", async || self.refuses_raw_profiles().await).await;
    }

    /// Makes a pod and does not keep it, until it comes out as `ready` wants it: what was just made reaches the webhook by a watch.
    async fn until(&self, pod: &Value, ready: impl Fn(&Pod) -> bool) {
        let not_kept = PostParams { dry_run: true, ..PostParams::default() };
        let pod: Pod = serde_json::from_value(pod.clone()).unwrap();
        let what = format!("{} to be changed", pod.name_any());
        spo_tests::wait::until_async(&what, async || {
            self.pods.create(&not_kept, &pod).await.is_ok_and(|made| ready(&made))
        })
        .await;
    }

    /// The same, and then makes the pod.
    pub(crate) async fn create_when(&self, pod: Value, ready: impl Fn(&Pod) -> bool) -> Pod {
        self.until(&pod, ready).await;
        self.create(pod).await
    }

    async fn refuses_raw_profiles(&self) -> bool {
        let profile = object("RawSelinuxProfile", None, "stage", json!({"policy": "(role stage)"}));
        let not_kept = PostParams { dry_run: true, ..PostParams::default() };
        self.api("RawSelinuxProfile", None).create(&not_kept, &profile).await.is_err()
    }

    /// The objects of a kind of ours.
    pub(crate) fn api(&self, kind: &str, namespace: Option<&str>) -> Api<DynamicObject> {
        let plural = kind.parse::<spo_api::Kind>().unwrap().plural();
        let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(GROUP, "v1", kind), plural);
        match namespace {
            Some(namespace) => Api::namespaced_with(self.server.client.clone(), namespace, &resource),
            None => Api::all_with(self.server.client.clone(), &resource),
        }
    }

    /// Makes a profile that every node has installed, as its status says.
    pub(crate) async fn installed(&self, kind: &str, name: &str) {
        let spec = match kind {
            "SeccompProfile" => json!({"defaultAction": "SCMP_ACT_ALLOW"}),
            "RawSelinuxProfile" => json!({"policy": "(blockinherit container)"}),
            "AppArmorProfile" => json!({"abstract": {}}),
            _ => json!({}),
        };
        let profiles = self.api(kind, None);
        let ours = PatchParams::apply("tests").force();
        profiles.patch(name, &ours, &Patch::Apply(object(kind, None, name, spec))).await.unwrap();
        let status = Patch::Merge(json!({"status": {"status": "Installed"}}));
        profiles.patch_status(name, &PatchParams::default(), &status).await.unwrap();
    }

    /// Makes a binding.
    pub(crate) async fn bind(&self, name: &str, kind: &str, profile: &str, image: &str) {
        self.bind_in(&self.namespace, name, kind, profile, image).await;
    }

    /// Makes a binding in another namespace.
    pub(crate) async fn bind_in(&self, namespace: &str, name: &str, kind: &str, profile: &str, image: &str) {
        let spec = json!({"profileRef": {"kind": kind, "name": profile}, "image": image});
        self.namespaced("ProfileBinding", namespace, name, spec).await;
    }

    /// Makes a recording of every pod.
    pub(crate) async fn record(&self, name: &str, kind: &str, recorder: &str) {
        let spec = json!({"kind": kind, "recorder": recorder, "podSelector": {}});
        self.namespaced("ProfileRecording", &self.namespace, name, spec).await;
    }

    /// Makes the configuration of the operator this one.
    pub(crate) async fn configure(&self, spec: Value) {
        let object = object("SecurityProfilesOperatorDaemon", Some(NAMESPACE), "spod", spec);
        let configurations = self.api("SecurityProfilesOperatorDaemon", Some(NAMESPACE));
        configurations.patch("spod", &PatchParams::apply("tests").force(), &Patch::Apply(object)).await.unwrap();
    }

    async fn namespaced(&self, kind: &str, namespace: &str, name: &str, spec: Value) {
        let object = object(kind, Some(namespace), name, spec);
        self.api(kind, Some(namespace)).create(&PostParams::default(), &object).await.unwrap();
    }

    /// Makes a pod, and gives it back as the API server keeps it.
    pub(crate) async fn create(&self, pod: Value) -> Pod {
        self.pods.create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await.unwrap()
    }
}

fn object(kind: &str, namespace: Option<&str>, name: &str, spec: Value) -> DynamicObject {
    let metadata = json!({"name": name, "namespace": namespace});
    let object = json!({"apiVersion": format!("{GROUP}/v1"), "kind": kind, "metadata": metadata, "spec": spec});
    serde_json::from_value(object).unwrap()
}

/// Makes a namespace with labels of ours, in which pods can be made.
pub(crate) async fn namespace(client: &Client, labels: &[&str]) -> String {
    let labels: serde_json::Map<String, Value> =
        labels.iter().map(|label| (format!("spo.x-k8s.io/{label}"), "".into())).collect();
    let wanted = json!({"metadata": {"generateName": "test-", "labels": labels}});
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let made = namespaces.create(&PostParams::default(), &serde_json::from_value(wanted).unwrap()).await.unwrap();
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), &made.name_any());
    let account = serde_json::from_value(json!({"metadata": {"name": "default"}})).unwrap();
    accounts.create(&PostParams::default(), &account).await.unwrap();
    made.name_any()
}

/// A pod with one container, `main`.
pub(crate) fn pod(name: &str, image: &str) -> Value {
    json!({
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "main", "image": image}], "terminationGracePeriodSeconds": 0},
    })
}

/// Whether the pod or its first container says how it is confined.
pub(crate) fn is_confined(pod: &Pod) -> bool {
    let of_pod = serde_json::to_value(pod).unwrap()["spec"]["securityContext"].clone();
    of_pod.as_object().is_some_and(|context| !context.is_empty()) || !container(pod)["securityContext"].is_null()
}

/// The first container of a pod.
pub(crate) fn container(pod: &Pod) -> Value {
    serde_json::to_value(pod).unwrap()["spec"]["containers"][0].clone()
}
