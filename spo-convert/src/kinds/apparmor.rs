//! AppArmorProfile: `v1alpha1` and `v1` have the same fields. A group of rules that is empty differs from none.

use spo_api::Kind;

use super::Table;
use super::parts::{CONDITIONS, DISABLED, STATE};
use crate::legacy::{Legacy, Usual};
use crate::shape::{Field, choice, object, text, texts};

pub(super) const TABLE: Table = Table {
    kind: Kind::AppArmorProfile,
    fields: &[
        object("spec", &[STATE, object("abstract", ABSTRACT).always(), text("mode")]).always(),
        object("status", &[CONDITIONS, text("status")]).always(),
    ],
    legacy: &[
        DISABLED,
        Legacy::Flag { flag: &["spec", "complainMode"], word: &["spec", "mode"], on: "Complain", usual: "Enforce" },
        Legacy::Moved { from: &OLD_TCP, to: &TCP, usual: Usual::Nothing },
        Legacy::Moved { from: &OLD_UDP, to: &UDP, usual: Usual::Nothing },
    ],
};

const ABSTRACT: &[Field] = &[
    object("executable", &[texts("allowedExecutables"), texts("allowedLibraries")]),
    object("filesystem", &[texts("readOnlyPaths"), texts("writeOnlyPaths"), texts("readWritePaths")]),
    object("network", &[choice("allowRaw"), object("allowedProtocols", &[choice("allowTcp"), choice("allowUdp")])]),
    object("capability", &[texts("allowedCapabilities")]),
];

/// How 0.8 spelt two fields.
const OLD_TCP: [&str; 5] = ["spec", "abstract", "network", "allowedProtocols", "allowTCP"];
const TCP: [&str; 5] = ["spec", "abstract", "network", "allowedProtocols", "allowTcp"];
const OLD_UDP: [&str; 5] = ["spec", "abstract", "network", "allowedProtocols", "allowUDP"];
const UDP: [&str; 5] = ["spec", "abstract", "network", "allowedProtocols", "allowUdp"];
