//! ProfileBinding: `v1alpha1` knows no selector of pods.

use spo_api::Kind;

use super::Table;
use super::parts::{ACTIVE_WORKLOADS, SELECTOR};
use crate::shape::{Field, group, object, text};

pub(super) const TABLE: Table = Table {
    kind: Kind::ProfileBinding,
    fields: &[group("spec", SPEC), object("status", &[ACTIVE_WORKLOADS]).always()],
    legacy: &[],
};

const SPEC: &[Field] =
    &[group("profileRef", &[text("kind"), text("name")]), text("image"), object("podSelector", SELECTOR).only_v1()];
