//! SecurityProfilesOperatorDaemon: `v1alpha1` lacks what was added since, and spells two words differently. Before 1.0 it had no
//! groups.

use super::parts::{AFFINITY, CONDITIONS, RESOURCES, SELECTOR, TOLERATION};
use spo_api::Kind;

use super::Table;
use crate::legacy::{Legacy, Usual};
use crate::shape::{Field, choice, group, int32, list, list_by, object, text, texts, word};

pub(super) const TABLE: Table = Table {
    kind: Kind::SecurityProfilesOperatorDaemon,
    fields: &[object("spec", SPEC).always(), object("status", &[CONDITIONS, word("state", STATES)]).always()],
    legacy: FLAT,
};

const SPEC: &[Field] = &[
    int32("verbosity"),
    choice("enableProfiling"),
    choice("enableMemoryOptimization"),
    choice("enableInsecureMetricsAccess"),
    choice("enableAppArmor"),
    text("hostProcVolumePath"),
    list_by("name", "imagePullSecrets", &[text("name")]),
    object("daemonResourceRequirements", RESOURCES),
    group("selinux", SELINUX),
    group("enricher", ENRICHER),
    object("webhook", WEBHOOK).always(),
    group("scheduling", SCHEDULING),
    group("security", SECURITY),
];

const SELINUX: &[Field] = &[
    choice("enable"),
    choice("enableRawSelinuxProfiles"),
    text("typeTag"),
    group("options", SELINUX_OPTIONS),
    text("customTemplatesConfigMap"),
];

const SELINUX_OPTIONS: &[Field] = &[
    texts("allowedSystemProfiles"),
    texts("deniedTypes").only_v1(),
    texts("deniedClasses").only_v1(),
    texts("deniedPermissions").only_v1(),
    texts("allowedTypes").only_v1(),
    texts("allowedClasses").only_v1(),
    texts("allowedPermissions").only_v1(),
];

const ENRICHER: &[Field] = &[
    choice("enableLogEnricher"),
    text("logEnricherFilters"),
    word("logEnricherSource", &[("auditd", "Auditd"), ("bpf", "Bpf")]),
    choice("enableJsonEnricher"),
    text("jsonEnricherFilters"),
    object("jsonEnricherOptions", JSON_ENRICHER),
    choice("enableBpfRecorder"),
];

const JSON_ENRICHER: &[Field] = &[
    int32("auditLogIntervalSeconds").given(),
    text("auditLogPath").given(),
    int32("auditLogMaxSize").given(),
    int32("auditLogMaxBackups").given(),
    int32("auditLogMaxAge").given(),
];

const WEBHOOK: &[Field] = &[
    choice("staticConfig"),
    list_by("name", "options", WEBHOOK_OPTIONS),
    object("binding", &[text("missingProfile")]).only_v1(),
    object("execMetadata", &[choice("prefixCommand")]).only_v1(),
];

const WEBHOOK_OPTIONS: &[Field] = &[
    text("name"),
    text("failurePolicy").given(),
    object("namespaceSelector", SELECTOR),
    object("objectSelector", SELECTOR),
];

const SCHEDULING: &[Field] =
    &[list("tolerations", &TOLERATION), object("affinity", AFFINITY), text("priorityClassName")];

const SECURITY: &[Field] = &[
    texts("allowedSyscalls"),
    texts("allowedSeccompActions"),
    choice("disableOciArtifactSignatureVerification"),
    text("allowedIdentityRegexp").only_v1(),
    text("allowedOidcIssuerRegexp").only_v1(),
];

const STATES: &[(&str, &str)] = &[
    ("PENDING", "Pending"),
    ("CREATING", "Creating"),
    ("UPDATING", "Updating"),
    ("RUNNING", "Running"),
    ("ERROR", "Error"),
];

/// Where the fields of earlier releases stand since 1.0, and what the schema fills in there by itself.
const FLAT: &[Legacy] = &[
    moved(&["spec", "enableSelinux"], &["spec", "selinux", "enable"], Usual::Nothing),
    moved(&["spec", "selinuxTypeTag"], &["spec", "selinux", "typeTag"], Usual::Word("spc_t")),
    moved(
        &["spec", "selinuxOptions", "allowedSystemProfiles"],
        &["spec", "selinux", "options", "allowedSystemProfiles"],
        Usual::OneWord("container"),
    ),
    moved(&["spec", "enableLogEnricher"], &["spec", "enricher", "enableLogEnricher"], Usual::No),
    moved(&["spec", "logEnricherFilters"], &["spec", "enricher", "logEnricherFilters"], Usual::Nothing),
    moved(&["spec", "logEnricherSource"], &["spec", "enricher", "logEnricherSource"], Usual::Nothing),
    moved(&["spec", "enableJsonEnricher"], &["spec", "enricher", "enableJsonEnricher"], Usual::No),
    moved(&["spec", "jsonEnricherFilters"], &["spec", "enricher", "jsonEnricherFilters"], Usual::Nothing),
    moved(&["spec", "jsonEnricherOptions"], &["spec", "enricher", "jsonEnricherOptions"], Usual::Nothing),
    moved(&["spec", "enableBpfRecorder"], &["spec", "enricher", "enableBpfRecorder"], Usual::No),
    moved(&["spec", "staticWebhookConfig"], &["spec", "webhook", "staticConfig"], Usual::No),
    moved(&["spec", "webhookOptions"], &["spec", "webhook", "options"], Usual::Nothing),
    moved(&["spec", "tolerations"], &["spec", "scheduling", "tolerations"], Usual::Nothing),
    moved(&["spec", "affinity"], &["spec", "scheduling", "affinity"], Usual::Nothing),
    moved(
        &["spec", "priorityClassName"],
        &["spec", "scheduling", "priorityClassName"],
        Usual::Word("system-node-critical"),
    ),
    moved(&["spec", "allowedSyscalls"], &["spec", "security", "allowedSyscalls"], Usual::Nothing),
    moved(&["spec", "allowedSeccompActions"], &["spec", "security", "allowedSeccompActions"], Usual::Nothing),
    moved(
        &["spec", "disableOciArtifactSignatureVerification"],
        &["spec", "security", "disableOciArtifactSignatureVerification"],
        Usual::No,
    ),
];

const fn moved(from: &'static [&'static str], to: &'static [&'static str], usual: Usual) -> Legacy {
    Legacy::Moved { from, to, usual }
}
