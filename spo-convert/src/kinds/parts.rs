//! Tables that several kinds share: conditions, selectors, and what every profile has.

use crate::legacy::Legacy;
use crate::shape::{Field, Shape, int32, int64, list, list_by, map, object, text, texts, time};

/// Whether nodes install a profile.
pub(super) const STATE: Field = text("state");

/// The switch that releases before 1.0 had in its place.
pub(super) const DISABLED: Legacy =
    Legacy::Flag { flag: &["spec", "disabled"], word: &["spec", "state"], on: "Disabled", usual: "Enabled" };

pub(super) const CONDITIONS: Field = list_by("type", "conditions", CONDITION);

/// The message is always written: releases before 1.0 may have left it out.
const CONDITION: &[Field] = &[
    text("type"),
    text("status"),
    int64("observedGeneration"),
    time("lastTransitionTime").always(),
    text("reason"),
    text("message").always(),
];

/// Pods, as the status of several kinds lists them.
pub(super) const ACTIVE_WORKLOADS: Field = texts("activeWorkloads");

/// `metav1.LabelSelector`
pub(super) const SELECTOR: &[Field] = &[map("matchLabels", &Shape::Text), list("matchExpressions", &REQUIREMENT)];

/// `key` is related to `values` by `operator`: the same in selectors of labels and of nodes.
const REQUIREMENT: Shape = Shape::Object(&[text("key").given(), text("operator").given(), texts("values")]);

/// `corev1.ResourceRequirements`
pub(super) const RESOURCES: &[Field] = &[
    map("limits", &Shape::Quantity),
    map("requests", &Shape::Quantity),
    list_by("name", "claims", &[text("name").given(), text("request")]),
];

/// `corev1.Toleration`
pub(super) const TOLERATION: Shape =
    Shape::Object(&[text("key"), text("operator"), text("value"), text("effect"), int64("tolerationSeconds").given()]);

/// `corev1.Affinity`
pub(super) const AFFINITY: &[Field] = &[
    object(
        "nodeAffinity",
        &[
            list(PREFERRED, &Shape::Object(&[WEIGHT, object("preference", NODE_TERM)])),
            object(REQUIRED, &[list("nodeSelectorTerms", &Shape::Object(NODE_TERM)).given()]),
        ],
    ),
    object("podAffinity", POD_AFFINITY),
    object("podAntiAffinity", POD_AFFINITY),
];

const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const WEIGHT: Field = int32("weight").given();

const NODE_TERM: &[Field] = &[list("matchExpressions", &REQUIREMENT), list("matchFields", &REQUIREMENT)];

const POD_AFFINITY: &[Field] = &[
    list(PREFERRED, &Shape::Object(&[WEIGHT, object("podAffinityTerm", POD_TERM)])),
    list(REQUIRED, &Shape::Object(POD_TERM)),
];

const POD_TERM: &[Field] = &[
    text("topologyKey").given(),
    object("labelSelector", SELECTOR),
    object("namespaceSelector", SELECTOR),
    texts("namespaces"),
    texts("matchLabelKeys"),
    texts("mismatchLabelKeys"),
];
