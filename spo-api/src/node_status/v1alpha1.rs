//! SecurityProfileNodeStatus, version `v1alpha1`: `v1` without what was added to that since.
//!
//! Releases before 1.0 wrote these objects in another shape: `nodeName` beside `metadata`, and `status` as one word. The
//! schema declares `nodeName` there, because the API server would take it away before conversion sees it; the word it
//! leaves as it is. These types do not read that shape: ask for `v1`.

use std::borrow::Cow;

use kube::CustomResource;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::ProfileState;
use crate::schema::{self, Spec};

/// How far one profile has come on one node. The profile is the owner of the object.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "security-profiles-operator.x-k8s.io",
    version = "v1alpha1",
    kind = "SecurityProfileNodeStatus",
    doc = "How far one profile has come on one node. The profile is the owner of the object.",
    plural = "securityprofilenodestatuses",
    shortname = "spns",
    status = "SecurityProfileNodeStatusStatus",
    schema = "manual",
    storage = false,
    derive = "PartialEq",
    derive = "Default",
    printcolumn = r#"{"name":"Status","type":"string","jsonPath":".status.status"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"Node","type":"string","jsonPath":".spec.nodeName","priority":10}"#
)]
#[serde(rename_all = "camelCase")]
pub struct SecurityProfileNodeStatusSpec {
    /// The name of the node.
    #[schemars(length(min = 1))]
    pub node_name: String,
}

impl JsonSchema for SecurityProfileNodeStatus {
    fn schema_name() -> Cow<'static, str> {
        "SecurityProfileNodeStatus".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = schema::root::<Self>(generator, Spec::Required);
        let node_name =
            json!({ "type": "string", "description": "Written by releases before 1.0: becomes `spec.nodeName`." });
        if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
            properties.insert("nodeName".to_owned(), node_name);
        }
        schema
    }
}

/// What the node says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecurityProfileNodeStatusStatus {
    /// How far the profile has come on the node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<ProfileState>,
}
