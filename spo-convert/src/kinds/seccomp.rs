//! SeccompProfile: `v1beta1` and `v1` have the same fields.

use spo_api::Kind;

use super::Table;
use super::parts::{ACTIVE_WORKLOADS, CONDITIONS, DISABLED, STATE};
use crate::shape::{Field, Shape, int32, int64, list, object, text, texts};

pub(super) const TABLE: Table = Table {
    kind: Kind::SeccompProfile,
    fields: &[object("spec", SPEC).always(), object("status", STATUS).always()],
    legacy: &[DISABLED],
};

const SPEC: &[Field] = &[
    STATE,
    text("baseProfileName"),
    text("defaultAction"),
    texts("architectures"),
    text("listenerPath"),
    text("listenerMetadata"),
    list("syscalls", &Shape::Object(SYSCALL)),
    texts("flags"),
];

const SYSCALL: &[Field] = &[
    texts("names"),
    text("action"),
    int32("errnoRet"),
    list("args", &Shape::Object(&[int32("index").given(), int64("value"), int64("valueTwo"), text("op")])),
];

const STATUS: &[Field] = &[CONDITIONS, text("status"), text("path"), ACTIVE_WORKLOADS, text("localhostProfile")];
