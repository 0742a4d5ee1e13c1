//! ProfileBinding: `v1alpha1` and `v1` have the same fields.

use super::Table;
use super::parts::ACTIVE_WORKLOADS;
use crate::shape::{group, object, text};
use crate::version::Version;

pub(super) const TABLE: Table = Table {
    name: "ProfileBinding",
    old: Version::V1alpha1,
    fields: &[
        group("spec", &[group("profileRef", &[text("kind"), text("name")]), text("image")]),
        object("status", &[ACTIVE_WORKLOADS]).always(),
    ],
    legacy: &[],
};
