//! The Node object, for the init step: where the kubelet keeps its files is a label of it.

use std::path::{Component, Path, PathBuf};

use anyhow::{Context, bail};
use k8s_openapi::api::core::v1::Node;
use kube::core::PartialObjectMeta;
use kube::{Api, ResourceExt};

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
