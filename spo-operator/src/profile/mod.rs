//! What the nodes report about a profile, what pods use and what the configuration permits becomes the profile's own status.
//!
//! Watches (profiles, node statuses, nodes, the pods of the daemon; pods, bindings; the configuration, and the operator's own
//! Deployment and namespace) feed [`cluster::Cluster`]: one small record per profile and node, and one per pod that uses a profile.
//! Whatever changed is planned anew, per profile or binding, by the pure [`plan::plan`] and [`binding::plan`]; their actions are
//! carried out by [`apply`], a few objects at a time. [`control`] is the loop around these.
//!
//! Vocabulary: a *report* is what one node says of one profile (a `SecurityProfileNodeStatus`); a node is *awaited* while its
//! daemon is ready but has not reported the current generation; a *legacy* object was made by the reference operator; a *user* of a
//! profile is a pod that names it and has not ended.

use std::fmt;

use spo_api::ProfileKey;

use crate::watch::{Kind, Slim};

mod apply;
mod binding;
mod cluster;
mod control;
mod decode;
mod hold;
mod home;
mod judge;
mod node;
mod plan;
mod pod;
mod usage;

pub(crate) use control::Controller;

/// An object of which everything may count.
type Object = Slim<serde_json::Value, serde_json::Value, true>;

/// What is written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Profile(ProfileKey),
    Binding { namespace: Box<str>, name: Box<str> },
}

impl Subject {
    fn name(&self) -> &str {
        match self {
            Self::Profile(key) => key.name.as_str(),
            Self::Binding { name, .. } => name,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Profile(key) => write!(f, "{key}"),
            Self::Binding { namespace, name } => write!(f, "ProfileBinding/{namespace}/{name}"),
        }
    }
}

/// What the API server calls pods.
const POD: Kind = Kind { group: "", version: "v1", kind: "Pod", plural: "pods" };
/// What it calls namespaces.
const NAMESPACE: Kind = Kind { group: "", version: "v1", kind: "Namespace", plural: "namespaces" };
/// What it calls Deployments.
const DEPLOYMENT: Kind = Kind { group: "apps", version: "v1", kind: "Deployment", plural: "deployments" };
