//! ProfileBinding: `v1alpha1` and `v1` have the same fields.

use spo_api::Kind;

use super::Table;
use super::parts::ACTIVE_WORKLOADS;
use crate::shape::{group, object, text};

pub(super) const TABLE: Table = Table {
    kind: Kind::ProfileBinding,
    fields: &[
        group("spec", &[group("profileRef", &[text("kind"), text("name")]), text("image")]),
        object("status", &[ACTIVE_WORKLOADS]).always(),
    ],
    legacy: &[],
};
