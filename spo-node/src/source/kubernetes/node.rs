//! The Node object: where the kubelet keeps its files is a label of it, and a taint of it may wait for the daemon.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use k8s_openapi::api::core::v1::{Node, Taint};
use kube::api::{Patch, PatchParams};
use kube::core::PartialObjectMeta;
use kube::{Api, ResourceExt};
use serde_json::json;

use super::Settings;

/// The label, with `-` for `/`.
const LABEL: &str = "kubelet.kubernetes.io/directory-location";

/// The folder of the kubelet on this node, if a label of the node names one.
///
/// # Errors
/// The API server cannot be reached, there is no such node, or the label names no folder.
pub async fn kubelet_dir(settings: &Settings) -> anyhow::Result<Option<PathBuf>> {
    let nodes: Api<PartialObjectMeta<Node>> = Api::all(super::client(settings).await?);
    let name = &settings.node_name;
    let node = nodes.get_metadata(name).await.with_context(|| format!("cannot read the node {name}"))?;
    let label = node.labels().get(LABEL);
    label.map(|label| folder(label).with_context(|| format!("the label {LABEL} of the node {name}"))).transpose()
}

/// The first pause before a taint is tried to be taken away again, and the longest.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// Takes away the taint `key` of this node, however long that takes. Whoever makes nodes puts it there, so that no pod meets a node
/// without its profiles.
pub async fn remove_taint(settings: Settings, key: String) {
    let mut pause = PAUSE_MIN;
    loop {
        match try_to_remove_taint(&settings, &key).await {
            Ok(true) => return tracing::info!(taint = key, "the node has its profiles: took its startup taint away"),
            Ok(false) => return tracing::debug!(taint = key, "the node has no such taint"),
            Err(error) => {
                tracing::warn!(taint = key, error = %format_args!("{error:#}"), ?pause, "cannot take the startup taint away, trying again")
            }
        }
        tokio::time::sleep(pause).await;
        pause = PAUSE_MAX.min(pause * 2);
    }
}

/// Whether there was one to be taken away.
async fn try_to_remove_taint(settings: &Settings, key: &str) -> anyhow::Result<bool> {
    let nodes: Api<Node> = Api::all(super::client(settings).await?);
    let name = &settings.node_name;
    let node = nodes.get(name).await.with_context(|| format!("cannot read the node {name}"))?;
    let taints = node.spec.as_ref().and_then(|spec| spec.taints.clone()).unwrap_or_default();
    let rest: Vec<&Taint> = taints.iter().filter(|taint| taint.key != key).collect();
    if rest.len() == taints.len() {
        return Ok(false);
    }
    // With the version that was read: somebody else may be putting another taint there.
    let patch = json!({"metadata": {"resourceVersion": node.resource_version()}, "spec": {"taints": rest}});
    let patched = nodes.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await;
    patched
        .map(|_| true)
        .with_context(|| format!("cannot change the taints of the node {name}; see deploy/startup-taint.yaml"))
}

/// The folder that a label's value stands for; a leading `/`, which no label can say, is added.
fn folder(label: &str) -> anyhow::Result<PathBuf> {
    let path = Path::new("/").join(label.replace('-', "/").trim_start_matches('/'));
    let plain = path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    if !plain || path == Path::new("/") {
        bail!(
            "{label:?} stands for {}, which is no folder to use; give the kubelet's with '-' for '/'",
            path.display()
        );
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("var-lib-kubelet", "/var/lib/kubelet")]
    #[case("-var-lib-kubelet", "/var/lib/kubelet")]
    #[case("mnt", "/mnt")]
    fn a_label_names_an_absolute_folder(#[case] label: &str, #[case] expected: &str) {
        assert_eq!(folder(label).unwrap(), Path::new(expected));
    }

    #[rstest]
    #[case("var-..-etc")]
    #[case("")]
    #[case("-")]
    fn a_label_that_leaves_its_place_is_refused(#[case] label: &str) {
        assert!(folder(label).unwrap_err().to_string().contains("is no folder to use"));
    }
}
