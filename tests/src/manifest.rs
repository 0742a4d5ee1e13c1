//! Manifests of this repository, applied as they stand.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client, ResourceExt as _, discovery};
use serde::de::DeserializeOwned;

/// A file of this repository.
#[must_use]
pub fn path(below_root: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(below_root)
}

/// The text of a file of this repository.
///
/// # Errors
/// If it cannot be read.
pub fn text(below_root: &str) -> Result<String> {
    let path = path(below_root);
    std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

/// The objects of a manifest.
///
/// # Errors
/// If one is not of this type.
pub fn objects<T: DeserializeOwned>(text: &str) -> Result<Vec<T>> {
    serde_saphyr::from_multiple(text).context("a manifest is no YAML of such objects")
}

/// The CustomResourceDefinitions of deploy/crds.
///
/// # Errors
/// If one cannot be read.
pub fn definitions() -> Result<Vec<DynamicObject>> {
    let dir = path("deploy/crds");
    let entries = std::fs::read_dir(&dir).with_context(|| format!("cannot read {}", dir.display()))?;
    let names = entries.map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()));
    let mut names = names.collect::<std::io::Result<Vec<_>>>().context("cannot read deploy/crds")?;
    names.retain(|name| name.ends_with(".yaml"));
    names.sort();
    let read = |name: String| objects(&text(&format!("deploy/crds/{name}"))?);
    Ok(names.into_iter().map(read).collect::<Result<Vec<_>>>()?.concat())
}

/// Whether the API server serves the objects of a definition.
#[must_use]
pub fn is_served(crd: &CustomResourceDefinition) -> bool {
    let conditions = crd.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    conditions.iter().any(|condition| condition.type_ == "Established" && condition.status == "True")
}

/// Makes these definitions, or puts them in the place of those that are there, whoever has changed them.
///
/// # Errors
/// If the API server refuses one.
pub async fn replace_definitions(client: &Client, definitions: &[DynamicObject]) -> Result<()> {
    let kind = GroupVersionKind::gvk("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &ApiResource::from_gvk(&kind));
    for definition in definitions {
        let name = definition.name_any();
        let mut definition = definition.clone();
        match api.get_opt(&name).await? {
            None => drop(api.create(&PostParams::default(), &definition).await.context(name)?),
            Some(there) => {
                definition.metadata.resource_version = there.resource_version();
                drop(api.replace(&name, &PostParams::default(), &definition).await.context(name)?);
            }
        }
    }
    Ok(())
}

/// Makes every object of a manifest, or brings it to what the manifest says.
///
/// # Errors
/// If the API server refuses one.
pub async fn apply(client: &Client, text: &str) -> Result<()> {
    apply_objects(client, &objects(text)?).await
}

/// Makes these objects, or brings them to what they are to be.
///
/// # Errors
/// If the API server refuses one.
pub async fn apply_objects(client: &Client, objects: &[DynamicObject]) -> Result<()> {
    for object in objects {
        let types = object.types.as_ref().context("an object has no kind")?;
        let what = format!("{} {}", types.kind, object.name_any());
        let kind = GroupVersionKind::try_from(types).with_context(|| format!("{what} has no apiVersion"))?;
        let (resource, _) =
            discovery::pinned_kind(client, &kind).await.with_context(|| format!("no kind of {what}"))?;
        let api: Api<DynamicObject> = match object.namespace() {
            Some(namespace) => Api::namespaced_with(client.clone(), &namespace, &resource),
            None => Api::all_with(client.clone(), &resource),
        };
        let params = PatchParams::apply("spo-tests").force();
        api.patch(&object.name_any(), &params, &Patch::Apply(object)).await.context(what)?;
    }
    Ok(())
}
