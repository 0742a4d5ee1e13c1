//! ProfileRecording: `v1alpha1` spells the words of two fields in lower case.

use spo_api::Kind;

use super::Table;
use super::parts::{ACTIVE_WORKLOADS, CONDITIONS, SELECTOR};
use crate::legacy::Legacy;
use crate::shape::{Field, flag, group, object, text, texts, word};

pub(super) const TABLE: Table = Table {
    kind: Kind::ProfileRecording,
    fields: &[group("spec", SPEC), object("status", &[CONDITIONS.only_v1(), ACTIVE_WORKLOADS]).always()],
    // Releases before 1.0 always have a selector. Without one the text is none of theirs, and passes as any other does.
    legacy: &[Legacy::Word {
        at: &["spec", "kind"],
        old: "ApparmorProfile",
        new: "AppArmorProfile",
        beside: &["spec", "podSelector"],
    }],
};

const SPEC: &[Field] = &[
    text("kind"),
    word("recorder", &[("logs", "Logs"), ("bpf", "Bpf")]),
    word("mergeStrategy", &[("none", "None"), ("containers", "Containers")]),
    object("podSelector", SELECTOR),
    texts("containers"),
    flag("disableProfileAfterRecording"),
];
