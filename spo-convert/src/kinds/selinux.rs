//! SelinuxProfile and RawSelinuxProfile: `v1alpha2` and `v1` have the same fields. The two kinds share their status.

use spo_api::Kind;

use super::Table;
use super::parts::{ACTIVE_WORKLOADS, CONDITIONS, DISABLED, STATE};
use crate::legacy::Legacy;
use crate::shape::{Field, Shape, list, map, object, text};

pub(super) const TABLE: Table = Table {
    kind: Kind::SelinuxProfile,
    fields: &[object("spec", SPEC).always(), object("status", STATUS).always()],
    legacy: &[
        DISABLED,
        Legacy::Flag { flag: &["spec", "permissive"], word: &["spec", "mode"], on: "Permissive", usual: "Enforcing" },
    ],
};

pub(super) const RAW: Table = Table {
    kind: Kind::RawSelinuxProfile,
    fields: &[object("spec", &[STATE, text("policy")]).always(), object("status", STATUS).always()],
    legacy: &[DISABLED],
};

const SPEC: &[Field] = &[
    STATE,
    list("inherit", &Shape::Object(&[text("kind"), text("name")])),
    text("mode"),
    map("allow", &Shape::Map(&Shape::List(&Shape::Text))),
];

const STATUS: &[Field] = &[CONDITIONS, text("status"), text("usage"), ACTIVE_WORKLOADS];
