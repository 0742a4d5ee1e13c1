//! What the nodes report about a profile becomes the profile's own status.
//!
//! Four watches (profiles, node statuses, nodes, the pods of the daemon) feed [`cluster::Cluster`], one small record per profile and
//! node. Whatever changed is planned anew, per profile and not per node status, by the pure [`plan::plan`]; its actions are
//! carried out by [`apply`], a few profiles at a time. [`control`] is the loop around these.
//!
//! Vocabulary: a *report* is what one node says of one profile (a `SecurityProfileNodeStatus`); a node is *awaited* while its
//! daemon is ready but has not reported the current generation; a *legacy* object was made by the reference operator.

mod apply;
mod cluster;
mod control;
mod decode;
mod node;
mod plan;

pub(crate) use control::Controller;

use crate::watch::Kind;
use spo_api::{GROUP, ProfileKind};

/// The kinds of profile that nodes install.
const KINDS: [ProfileKind; 1] = [ProfileKind::Seccomp];

/// What the API server calls node statuses.
const NODE_STATUS: Kind =
    Kind { group: GROUP, version: "v1", kind: "SecurityProfileNodeStatus", plural: "securityprofilenodestatuses" };

/// What the API server calls pods.
const POD: Kind = Kind { group: "", version: "v1", kind: "Pod", plural: "pods" };

/// What the API server calls profiles of `kind`.
const fn resource(kind: ProfileKind) -> Kind {
    let plural = match kind {
        ProfileKind::Seccomp => "seccompprofiles",
        ProfileKind::Selinux => "selinuxprofiles",
        ProfileKind::RawSelinux => "rawselinuxprofiles",
        ProfileKind::AppArmor => "apparmorprofiles",
    };
    Kind { group: GROUP, version: "v1", kind: kind.as_str(), plural }
}
