//! The part of `metadata` that watches of many objects keep.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference, Time};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

/// For `#[serde(deserialize_with = "…")]`: who an object is, what it belongs to and what keeps it. Annotations and `managedFields`, which are
/// the largest, are skipped while they are read.
///
/// ```
/// use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
///
/// #[derive(serde::Deserialize)]
/// struct Object {
///     #[serde(default, deserialize_with = "spo_api::metadata::slim")]
///     metadata: ObjectMeta,
/// }
///
/// let text = r#"{"metadata": {"name": "web", "managedFields": [{"manager": "kubectl"}]}}"#;
/// let object: Object = serde_json::from_str(text)?;
/// assert_eq!(object.metadata, ObjectMeta { name: Some("web".to_owned()), ..ObjectMeta::default() });
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// # Errors
/// A field of another type than its own.
pub fn slim<'de, D: Deserializer<'de>>(from: D) -> Result<ObjectMeta, D::Error> {
    let slim: Slim<IgnoredAny> = Slim::deserialize(from)?;
    Ok(slim.into())
}

/// The same with the annotations, for whoever looks at some of them and keeps less.
///
/// # Errors
/// A field of another type than its own.
pub fn annotated<'de, D: Deserializer<'de>>(from: D) -> Result<ObjectMeta, D::Error> {
    let mut slim: Slim<BTreeMap<String, String>> = Slim::deserialize(from)?;
    let annotations = slim.annotations.take();
    Ok(ObjectMeta { annotations, ..slim.into() })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Slim<Annotations> {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    generation: Option<i64>,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<Annotations>,
    finalizers: Option<Vec<String>>,
    owner_references: Option<Vec<OwnerReference>>,
    deletion_timestamp: Option<Time>,
}

/// All but the annotations.
impl<Annotations> From<Slim<Annotations>> for ObjectMeta {
    fn from(slim: Slim<Annotations>) -> Self {
        Self {
            name: slim.name,
            namespace: slim.namespace,
            uid: slim.uid,
            resource_version: slim.resource_version,
            generation: slim.generation,
            labels: slim.labels,
            finalizers: slim.finalizers,
            owner_references: slim.owner_references,
            deletion_timestamp: slim.deletion_timestamp,
            ..Self::default()
        }
    }
}
