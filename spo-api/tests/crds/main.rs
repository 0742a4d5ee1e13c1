//! The generated definitions against those of the reference operator, key by key, and the traps on the way there.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod diff;
mod traps;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use diff::{Difference, differences};
use serde_json::Value;

/// Where we differ from the reference, and nowhere else. Each has its reason in docs/compatibility.md.
///
/// The notation of a place is that of [`diff`]. `*` is every kind.
const ALLOWED: &[(&str, &str)] = &[
    ("*", "metadata.annotations"),
    ("AppArmorProfile", "v1alpha1:spec.complainMode"),
    ("AppArmorProfile", "v1alpha1:spec.disabled"),
    ("ProfileBinding", "v1:spec.podSelector"),
    ("ProfileBinding", "v1:spec.profileRef.kind#enum"),
    ("ProfileBinding", "v1alpha1:spec.profileRef.kind#enum"),
    ("ProfileRecording", "v1:status.conditions"),
    ("RawSelinuxProfile", "v1alpha2:spec.disabled"),
    ("SeccompProfile", "v1beta1:spec.disabled"),
    ("SecurityProfileNodeStatus", "v1:status.conditions"),
    ("SecurityProfileNodeStatus", "v1:status.denials"),
    ("SecurityProfileNodeStatus", "v1alpha1:nodeName"),
    ("SecurityProfilesOperatorDaemon", "v1:spec.selinux.customTemplatesConfigMap"),
    ("SecurityProfilesOperatorDaemon", "v1:spec.selinux.options#default"),
    ("SecurityProfilesOperatorDaemon", "v1:spec.selinux.options.allowedClasses"),
    ("SecurityProfilesOperatorDaemon", "v1:spec.selinux.options.allowedPermissions"),
    ("SecurityProfilesOperatorDaemon", "v1:spec.selinux.options.allowedTypes"),
    ("SecurityProfilesOperatorDaemon", "v1:spec.webhook.binding"),
    ("SecurityProfilesOperatorDaemon", "v1:spec.webhook.execMetadata"),
    ("SecurityProfilesOperatorDaemon", "v1alpha1:spec.affinity"),
    ("SecurityProfilesOperatorDaemon", "v1alpha1:spec.allowedSeccompActions"),
    ("SecurityProfilesOperatorDaemon", "v1alpha1:spec.allowedSyscalls"),
    ("SecurityProfilesOperatorDaemon", "v1alpha1:spec.disableOciArtifactSignatureVerification"),
    ("SecurityProfilesOperatorDaemon", "v1alpha1:spec.enableBpfRecorder"),
    ("SecurityProfilesOperatorDaemon", "v1alpha1:spec.enableJsonEnricher"),
    ("SecurityProfilesOperatorDaemon", "v1alpha1:spec.enableLogEnricher"),
    ("SecurityProfilesOperatorDaemon", "v1alpha1:spec.enableSelinux"),
    ("SecurityProfilesOperatorDaemon", "v1alpha1:spec.jsonEnricherFilters"),
    ("SecurityProfilesOperatorDaemon", "v1alpha1:spec.jsonEnricherOptions"),
    ("SecurityProfilesOperatorDaemon", "v1alpha1:spec.logEnricherFilters"),
    ("SecurityProfilesOperatorDaemon", "v1alpha1:spec.logEnricherSource"),
    ("SecurityProfilesOperatorDaemon", "v1alpha1:spec.priorityClassName"),
    ("SecurityProfilesOperatorDaemon", "v1alpha1:spec.selinux.customTemplatesConfigMap"),
    ("SecurityProfilesOperatorDaemon", "v1alpha1:spec.selinuxOptions"),
    ("SecurityProfilesOperatorDaemon", "v1alpha1:spec.selinuxTypeTag"),
    ("SecurityProfilesOperatorDaemon", "v1alpha1:spec.staticWebhookConfig"),
    ("SecurityProfilesOperatorDaemon", "v1alpha1:spec.tolerations"),
    ("SecurityProfilesOperatorDaemon", "v1alpha1:spec.webhookOptions"),
    ("SelinuxProfile", "v1alpha2:spec.disabled"),
    ("SelinuxProfile", "v1alpha2:spec.permissive"),
];

#[test]
fn definitions_are_those_of_the_reference() {
    let mut unused: BTreeSet<_> = ALLOWED.iter().collect();
    let mut found = Vec::new();
    for ours in generated() {
        let kind = kind_of(&ours).to_owned();
        let reference = stored(&plural_of(&ours));
        for difference in differences(&reference, &ours) {
            match ALLOWED.iter().find(|(of, place)| (*of == "*" || *of == kind) && *place == difference.place) {
                Some(allowed) => drop(unused.remove(allowed)),
                None => found.push(format!("{kind} {difference}")),
            }
        }
    }
    assert!(found.is_empty(), "not as in the reference, and not in ALLOWED:\n{}", found.join("\n"));
    assert!(unused.is_empty(), "allowed, but there is no such difference: {unused:?}");
}

#[test]
fn every_kind_of_the_reference_is_generated() {
    let stored = files(&data()).into_iter().map(|path| path.file_stem().unwrap().to_string_lossy().into_owned());
    let generated: BTreeSet<_> = generated().iter().map(plural_of).collect();
    assert_eq!(generated, stored.collect());
    assert_eq!(generated.len(), 8);
}

#[test]
fn every_allowed_difference_has_its_reason_in_the_documentation() {
    let text = std::fs::read_to_string(workspace().join("docs/compatibility.md")).unwrap();
    for (kind, place) in ALLOWED {
        let row = |line: &&str| {
            line.starts_with('|') && line.contains(&format!("`{kind}`")) && line.contains(&format!("`{place}`"))
        };
        let row =
            text.lines().find(row).unwrap_or_else(|| panic!("docs/compatibility.md: no row for `{kind}` `{place}`"));
        let reason = row.trim_end_matches(['|', ' ']).rsplit('|').next().unwrap_or_default();
        assert!(reason.trim().len() > 20, "docs/compatibility.md: no reason for `{kind}` `{place}`");
    }
}

#[test]
fn the_stored_copy_is_the_reference_without_prose() {
    // The reference itself is beside the repository where this project is worked on; elsewhere the copy stands for it.
    let reference = workspace().join("../shared/reference/crds");
    for path in files(&data()) {
        let original = reference.join(path.file_name().unwrap());
        for source in [&path, &original].into_iter().filter(|source| source.is_file()) {
            let found = differences(&stripped(read(source)), &read(&path));
            assert!(found.is_empty(), "{}: {}", source.display(), list(&found));
        }
    }
}

#[test]
fn w_op_8_the_conversion_webhook_is_looked_for_in_the_namespace_of_the_operator() {
    let service = |crd: &Value| crd["spec"]["conversion"]["webhook"]["clientConfig"]["service"].clone();
    for (usual, moved) in generated().iter().zip(spo_api::crds_for("profiles")) {
        let moved = spo_api::manifest(&moved).unwrap();
        assert_eq!(service(&moved)["namespace"], "profiles");
        let places: Vec<_> = differences(&without_prose(moved), usual).into_iter().map(|found| found.place).collect();
        assert_eq!(places, ["spec.conversion.webhook.clientConfig.service.namespace"]);
    }
}

/// What a release before 1.0 wrote is handed to conversion as it was written, and nothing is made up beside it.
#[test]
fn fields_of_releases_before_1_0_have_neither_defaults_nor_bounds() {
    const RULES: [&str; 8] =
        ["default", "enum", "pattern", "minimum", "minLength", "maxLength", "minItems", "maxItems"];
    let mut count = 0;
    for crd in spo_api::crds() {
        let crd = spo_api::manifest(&crd).unwrap();
        let root = &crd["spec"]["versions"][1]["schema"]["openAPIV3Schema"]["properties"];
        let fields = [root, &root["spec"]["properties"]].into_iter().filter_map(Value::as_object).flatten();
        let legacy = |schema: &Value| {
            schema["description"].as_str().is_some_and(|text| text.starts_with("Written by releases before 1.0"))
        };
        for (field, schema) in fields.filter(|(_, schema)| legacy(schema)) {
            let found = RULES.iter().find(|rule| schema.get(**rule).is_some() || schema["items"].get(**rule).is_some());
            assert_eq!(found, None, "{} {field}", kind_of(&crd));
            count += 1;
        }
    }
    assert_eq!(count, 25);
}

#[test]
fn a_kind_that_is_asked_alone_gives_the_same_schema() {
    use kube::CustomResourceExt;
    let mut alone = spo_api::manifest(&spo_api::seccomp::v1::SeccompProfile::crd()).unwrap();
    let schema = schema_of(&mut alone);
    schema.as_object_mut().unwrap().remove("title");
    let mut together = generated().into_iter().find(|crd| kind_of(crd) == "SeccompProfile").unwrap();
    assert_eq!(schema, schema_of(&mut together));
}

/// The reference's file as the stored copy has it: no prose, no generator's name, no leftovers of packaging.
fn stripped(mut crd: Value) -> Value {
    let fields = crd.as_object_mut().unwrap();
    fields.remove("status");
    fields["metadata"].as_object_mut().unwrap().remove("creationTimestamp");
    fields["metadata"]["annotations"].as_object_mut().unwrap().remove("controller-gen.kubebuilder.io/version");
    without_descriptions(&mut crd, false);
    crd
}

/// In `properties`, keys are names of fields and not keywords.
fn without_descriptions(value: &mut Value, in_properties: bool) {
    match value {
        Value::Object(fields) => {
            if !in_properties {
                fields.remove("description");
            }
            for (key, value) in fields {
                without_descriptions(value, key == "properties" && !in_properties);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| without_descriptions(item, false)),
        _ => {}
    }
}

/// Ours, as they are written to deploy/crds.
fn generated() -> Vec<Value> {
    static CRDS: LazyLock<Vec<Value>> =
        LazyLock::new(|| spo_api::crds().iter().map(|crd| without_prose(spo_api::manifest(crd).unwrap())).collect());
    CRDS.clone()
}

fn without_prose(mut crd: Value) -> Value {
    without_descriptions(&mut crd, false);
    crd
}

fn schema_of(crd: &mut Value) -> &mut Value {
    without_descriptions(crd, false);
    crd.pointer_mut("/spec/versions/0/schema/openAPIV3Schema").unwrap()
}

fn stored(plural: &str) -> Value {
    read(&data().join(plural).with_extension("yaml"))
}

fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
    files.sort();
    files
}

fn kind_of(crd: &Value) -> &str {
    crd["spec"]["names"]["kind"].as_str().unwrap()
}

fn plural_of(crd: &Value) -> String {
    crd["spec"]["names"]["plural"].as_str().unwrap().to_owned()
}

fn list(differences: &[Difference]) -> String {
    differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/crds")
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
