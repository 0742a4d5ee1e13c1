//! A pod on each node that may do anything there: it kills processes, and looks.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::PostParams;
use serde_json::json;
use spo_tests::cluster::Cluster;
use spo_tests::{ns, pod, wait};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::script::Victim;

/// Pods in a namespace of their own, called after their nodes.
pub(super) struct Hands<'a> {
    cluster: &'a Cluster,
    namespace: String,
    /// One for each node, while it lasts.
    shells: RefCell<BTreeMap<String, Shell>>,
}

/// A shell in a pod that is told one script after another.
struct Shell {
    /// Ends with this.
    _kubectl: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// What the shell says behind the output of a script, with the script's status.
const END: &str = "-- the end of the script:";
/// So long a script may take: where a connection is dead without a word, the next one is to have its turn.
const A_SCRIPT: Duration = Duration::from_secs(60);

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
        Self { cluster, namespace, shells: RefCell::default() }
    }

    /// What a script prints that runs on a node with the node's own programs, once its kubelet lets it be run.
    pub(super) async fn look(&self, node: &str, script: &str) -> String {
        let path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
        self.run(node, &format!("chroot /host /usr/bin/env {path} /bin/sh <<'LOOK'\n{script}\nLOOK")).await
    }

    /// Kills a process of a node; whoever keeps it there starts it again. Says whether there was one: it may still be away from the last time.
    pub(super) async fn kill(&self, node: &str, victim: Victim) -> bool {
        let (program, word) = match victim {
            Victim::Daemon => ("spo-node", "daemon"),
            Victim::Installer => ("spo-node", "installer"),
            Victim::Kubelet => ("kubelet", "--kubeconfig"),
        };
        // In a moment and by itself: without a kubelet nobody is told how this ended.
        let script = format!(
            "pids=$(for pid in $(pidof {program}); do ! grep -q -e {word} /proc/$pid/cmdline || echo $pid; done)
             [ -z \"$pids\" ] || (sleep 0.1; kill -9 $pids) </dev/null >/dev/null 2>&1 &
             echo $pids"
        );
        !self.run(node, &script).await.trim().is_empty()
    }

    /// What the shell on a node prints to a script, which it may have to be told twice: a kubelet or an API server that is killed takes the
    /// connections with it that it carries.
    async fn run(&self, node: &str, script: &str) -> String {
        wait::until_ok(&format!("a script to run on {node}"), async || {
            let mut shell = match self.shells.borrow_mut().remove(node) {
                Some(shell) => shell,
                None => Shell::open(self.cluster, &self.namespace, node)?,
            };
            let said = timeout(A_SCRIPT, shell.run(script)).await.context("it says nothing more")??;
            self.shells.borrow_mut().insert(node.to_owned(), shell);
            anyhow::Ok(said)
        })
        .await
    }

    pub(super) async fn clear(self) {
        ns::delete(&self.cluster.client, &self.namespace).await;
    }
}

impl Shell {
    fn open(cluster: &Cluster, namespace: &str, pod: &str) -> Result<Self> {
        let mut command = Command::new(&cluster.kubectl);
        command.args(["exec", "--stdin", "--namespace", namespace, pod, "--", "/bin/sh"]);
        // What it says of a connection that breaks is no news here.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut kubectl = command.spawn().context("kubectl cannot be started")?;
        let (input, output) = (kubectl.stdin.take().context("no input")?, kubectl.stdout.take().context("no output")?);
        Ok(Self { _kubectl: kubectl, input, output: BufReader::new(output) })
    }

    async fn run(&mut self, script: &str) -> Result<String> {
        let script = format!("{script}\necho \"{END} $?\"\n");
        self.input.write_all(script.as_bytes()).await.context("the connection is broken")?;
        let mut said = String::new();
        loop {
            let mut line = String::new();
            ensure!(self.output.read_line(&mut line).await? > 0, "the connection broke");
            if let Some((rest, status)) = line.split_once(END) {
                ensure!(status.trim() == "0", "it ends with {status}");
                return Ok(said + rest);
            }
            said.push_str(&line);
        }
    }
}
