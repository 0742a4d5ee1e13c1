//! SecurityProfileNodeStatus. Before 1.0, both of its fields stood at the top, and its status was a text.

use super::Table;
use super::parts::CONDITIONS;
use crate::legacy::{Legacy, Usual};
use crate::shape::{group, object, text};
use crate::version::Version;

pub(super) const TABLE: Table = Table {
    name: "SecurityProfileNodeStatus",
    old: Version::V1alpha1,
    fields: &[group("spec", &[text("nodeName")]), object("status", &[text("status"), CONDITIONS.only_v1()]).always()],
    legacy: &[
        Legacy::Moved { from: &["nodeName"], to: &["spec", "nodeName"], usual: Usual::Nothing },
        Legacy::Wrapped { at: &["status"], field: "status" },
    ],
};
