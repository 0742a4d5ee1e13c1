//! A pod on each node that may do anything there: it kills processes, and looks.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::PostParams;
use serde_json::json;
use spo_tests::cluster::Cluster;
use spo_tests::{ns, pod, wait};

use super::script::Victim;

/// Pods in a namespace of their own, called after their nodes.
pub(super) struct Hands<'a> {
    cluster: &'a Cluster,
    namespace: String,
}

impl<'a> Hands<'a> {
    pub(super) async fn on_every_guest(cluster: &'a Cluster) -> Self {
        let namespace = ns::create(&cluster.client).await;
        let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), &namespace);
        for node in &cluster.guests {
            let mut pod = pod::of(cluster, node, "trap exit TERM; while :; do sleep 3600 & wait $!; done");
            pod::on_node(&mut pod, node);
            pod["spec"]["hostPID"] = true.into();
            pod["spec"]["hostNetwork"] = true.into();
            pod["spec"]["volumes"] = json!([{"name": "host", "hostPath": {"path": "/"}}]);
            pod::container(&mut pod)["securityContext"] = json!({"privileged": true});
            pod::container(&mut pod)["volumeMounts"] = json!([{"name": "host", "mountPath": "/host"}]);
            let pod = serde_json::from_value(pod).expect("a pod");
            pods.create(&PostParams::default(), &pod).await.expect("a pod can be made");
            wait::until(&pods, node, "to run", |pod| {
                pod.status.as_ref().is_some_and(|status| status.phase.as_deref() == Some("Running"))
            })
            .await;
        }
        Self { cluster, namespace }
    }

    /// What a script prints that runs on a node with the node's own programs, once its kubelet lets it be run.
    pub(super) async fn look(&self, node: &str, script: &str) -> String {
        let path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
        self.run(node, &["chroot", "/host", "/usr/bin/env", path, "/bin/sh", "-c", script]).await
    }

    /// Kills a process of a node; whoever keeps it there starts it again. One that is not there is one that was killed before.
    pub(super) async fn kill(&self, node: &str, victim: Victim) {
        let (program, word) = match victim {
            Victim::Daemon => ("spo-node", "daemon"),
            Victim::Installer => ("spo-node", "installer"),
            Victim::Kubelet => ("kubelet", "--kubeconfig"),
        };
        // In a moment and by itself: without a kubelet nobody is told how this ended.
        let script = format!(
            "(sleep 0.1; for pid in $(pidof {program}); do ! grep -q -e {word} /proc/$pid/cmdline || kill -9 $pid; done) \
             </dev/null >/dev/null 2>&1 &"
        );
        self.run(node, &["/bin/sh", "-c", &script]).await;
    }

    async fn run(&self, node: &str, words: &[&str]) -> String {
        wait::until_ok(&format!("a script to run on {node}"), async || self.attempt(node, words)).await
    }

    fn attempt(&self, node: &str, words: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.cluster.kubectl);
        command.args(["exec", "--namespace", &self.namespace, node, "--"]).args(words);
        let output = command.stdin(Stdio::null()).output().context("kubectl cannot be started")?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).context("it prints no text")
    }

    pub(super) async fn clear(self) {
        ns::delete(&self.cluster.client, &self.namespace).await;
    }
}
