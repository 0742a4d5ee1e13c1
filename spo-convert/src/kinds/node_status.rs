//! SecurityProfileNodeStatus. Before 1.0, both of its fields stood at the top, and its status was a text.

use spo_api::Kind;

use super::Table;
use super::parts::CONDITIONS;
use crate::legacy::{Legacy, Usual};
use crate::shape::{Field, Shape, group, int64, list, object, text, time};

pub(super) const TABLE: Table = Table {
    kind: Kind::SecurityProfileNodeStatus,
    fields: &[group("spec", &[text("nodeName")]), object("status", STATUS).always()],
    legacy: &[
        Legacy::Moved { from: &["nodeName"], to: &["spec", "nodeName"], usual: Usual::Nothing },
        Legacy::Wrapped { at: &["status"], field: "status" },
    ],
};

const STATUS: &[Field] = &[text("status"), CONDITIONS.only_v1(), list("denials", &DENIAL).only_v1()];

const DENIAL: Shape = Shape::Object(&[
    text("operation"),
    text("target"),
    text("pod"),
    text("container"),
    int64("count"),
    time("lastTime"),
]);
