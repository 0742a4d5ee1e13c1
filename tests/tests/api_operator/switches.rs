//! What the configuration switches on, in the DaemonSet. There is no controller of DaemonSets here, so nothing is ever rolled out.

use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::Container;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};
use spo_api::GROUP;
use spo_api::condition::ConditionStatus;
use spo_api::daemon::v1::{DaemonState, SecurityProfilesOperatorDaemon};
use spo_tests::api::process::manager;
use spo_tests::api::server::{NAMESPACE, Server, a_while, version};
use spo_tests::{manifest, wait};

/// The one configuration, and what follows it.
struct Stage {
    configurations: Api<SecurityProfilesOperatorDaemon>,
    sets: Api<DaemonSet>,
}

impl Stage {
    async fn of(server: &Server) -> Self {
        let configurations = Api::namespaced(server.client.clone(), NAMESPACE);
        Self { configurations, sets: Api::namespaced(server.client.clone(), NAMESPACE) }
    }

    async fn configure(&self, spec: Value) {
        let configuration = json!({"apiVersion": format!("{GROUP}/v1"), "kind": "SecurityProfilesOperatorDaemon",
            "metadata": {"name": "spod"}, "spec": spec});
        let ours = PatchParams::apply("tests").force();
        self.configurations.patch("spod", &ours, &Patch::Apply(configuration)).await.unwrap();
    }

    async fn runs(&self, arguments: &[&str]) -> DaemonSet {
        wait::until(&self.sets, "spod", "to run as configured", |set| self::arguments(set) == arguments).await
    }

    async fn end(&self) {
        self.configurations.delete("spod", &DeleteParams::default()).await.unwrap();
        self.runs(&[]).await;
    }
}

fn container<'a>(set: &'a DaemonSet, name: &str) -> Option<&'a Container> {
    let pod = set.spec.as_ref().and_then(|spec| spec.template.spec.as_ref()).unwrap();
    pod.containers.iter().find(|container| container.name == name)
}

fn arguments(set: &DaemonSet) -> &[String] {
    container(set, "security-profiles-operator").and_then(|daemon| daemon.args.as_deref()).unwrap_or_default()
}

fn host_pid(set: &DaemonSet) -> bool {
    set.spec.as_ref().and_then(|spec| spec.template.spec.as_ref()?.host_pid).unwrap_or(false)
}

const SELINUX: [&str; 2] = ["--with-selinux=true", "--with-raw-selinux=true"];

#[tokio::test]
async fn x8_selinux_is_switched_off_and_on_again_and_the_daemon_set_follows() {
    let Some(server) = Server::take().await else { return };
    let _manager = manager(&server);
    let stage = Stage::of(&server).await;
    for enabled in [true, false, true] {
        stage.configure(json!({"selinux": {"enable": enabled}})).await;
        let set = stage.runs(if enabled { &SELINUX } else { &[] }).await;
        assert_eq!(container(&set, "installer").is_some(), enabled);
        assert_eq!(host_pid(&set), enabled);
    }
    let set = stage.sets.get("spod").await.unwrap();
    let image = |name| container(&set, name).and_then(|container| container.image.clone());
    assert_eq!(image("installer"), image("security-profiles-operator"));
    stage.end().await;
    let set = stage.sets.get("spod").await.unwrap();
    assert!(container(&set, "installer").is_none() && !host_pid(&set), "nothing is left: {set:?}");
}

#[tokio::test]
async fn x8_a_configuration_is_not_ready_before_its_daemon_set_is_rolled_out() {
    let Some(server) = Server::take().await else { return };
    let _manager = manager(&server);
    let stage = Stage::of(&server).await;
    stage.configure(json!({"enableAppArmor": true})).await;
    stage.runs(&["--with-apparmor=true"]).await;
    let said = wait::until(&stage.configurations, "spod", "to say how far it is", |configuration| {
        configuration.status.as_ref().is_some_and(|status| status.state == Some(DaemonState::Updating))
    })
    .await;
    let conditions = said.status.unwrap().conditions.unwrap();
    assert_eq!((conditions[0].status, conditions[0].reason.as_str()), (ConditionStatus::False, "Updating"));
    stage.end().await;
}

#[tokio::test]
async fn w_op_2_what_somebody_changes_is_put_back_and_what_is_installed_anew_keeps_its_switches() {
    let Some(server) = Server::take().await else { return };
    let _manager = manager(&server);
    let stage = Stage::of(&server).await;
    stage.configure(json!({"selinux": {"enable": true}})).await;
    stage.runs(&SELINUX).await;
    let daemon = json!({"name": "security-profiles-operator", "args": ["--with-selinux=false"]});
    let edit = Patch::Strategic(json!({"spec": {"template": {"spec": {"containers": [daemon]}}}}));
    stage.sets.patch("spod", &PatchParams::default(), &edit).await.unwrap();
    stage.runs(&SELINUX).await;
    manifest::apply(&server.client, &manifest::text("deploy/manifests/operator.yaml").unwrap()).await.unwrap();
    let before = stage.runs(&SELINUX).await;
    assert!(container(&before, "installer").is_some());
    a_while().await;
    assert_eq!(version(&stage.sets.get("spod").await.unwrap()), version(&before), "written without need");
    stage.end().await;
}
