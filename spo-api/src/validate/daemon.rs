//! SecurityProfilesOperatorDaemon: the configuration, group by group.

use k8s_openapi::api::core::v1::ResourceRequirements;
use serde::de::IgnoredAny;

use super::{Validate, quantity, rule, selector, spec};
use crate::daemon::v1::{Enricher, Security, SecurityProfilesOperatorDaemonSpec, Selinux, Webhook};
use crate::{ConfigMapName, FieldPath, HostProcPath, SyscallName, Violation};

impl Validate for SecurityProfilesOperatorDaemonSpec {
    fn validate(&self) -> Vec<Violation> {
        let spec = spec();
        let mut found = Vec::new();
        found.extend(rule::at_least(self.verbosity, 0, spec.child("verbosity")));
        let proc = self.host_proc_volume_path.as_deref();
        found.extend(rule::parses::<HostProcPath>(proc, spec.child("hostProcVolumePath")));
        let secrets = self.image_pull_secrets.iter().flatten().map(|secret| secret.name.as_str());
        found.extend(rule::distinct_names(secrets, &spec.child("imagePullSecrets")));
        if let Some(resources) = &self.daemon_resource_requirements {
            found.extend(requirements(resources, &spec.child("daemonResourceRequirements")));
        }
        found.extend(self.selinux.iter().flat_map(|group| selinux(group, &spec.child("selinux"))));
        found.extend(self.enricher.iter().flat_map(|group| enricher(group, &spec.child("enricher"))));
        found.extend(self.webhook.iter().flat_map(|group| webhook(group, &spec.child("webhook"))));
        found.extend(self.security.iter().flat_map(|group| security(group, &spec.child("security"))));
        found
    }
}

fn requirements(resources: &ResourceRequirements, path: &FieldPath) -> Vec<Violation> {
    let mut found = Vec::new();
    for (field, quantities) in [("limits", &resources.limits), ("requests", &resources.requests)] {
        let wrong = quantities.iter().flatten().filter(|(_, quantity)| !quantity::is_quantity(&quantity.0));
        found.extend(wrong.map(|(name, quantity)| {
            let reason = format!("{:?} is no quantity: a number with a unit is wanted, as 128Mi or 500m", quantity.0);
            Violation::new(path.child(field).key(name), reason)
        }));
    }
    let claims = resources.claims.iter().flatten().map(|claim| claim.name.as_str());
    found.extend(rule::distinct_names(claims, &path.child("claims")));
    found
}

fn selinux(group: &Selinux, path: &FieldPath) -> Vec<Violation> {
    let map = group.custom_templates_config_map.as_deref();
    let mut found = Vec::new();
    if let Some(options) = &group.options {
        let path = path.child("options");
        let lists = [
            ("allowedSystemProfiles", &options.allowed_system_profiles),
            ("allowedTypes", &options.allowed_types),
            ("allowedClasses", &options.allowed_classes),
            ("allowedPermissions", &options.allowed_permissions),
            ("deniedTypes", &options.denied_types),
            ("deniedClasses", &options.denied_classes),
            ("deniedPermissions", &options.denied_permissions),
        ];
        found.extend(lists.iter().flat_map(|(field, list)| rule::distinct(list.as_ref(), &path.child(field))));
    }
    found.extend(rule::parses::<ConfigMapName>(map, path.child("customTemplatesConfigMap")));
    found
}

fn enricher(group: &Enricher, path: &FieldPath) -> Vec<Violation> {
    let mut found = Vec::new();
    found.extend(json(group.log_enricher_filters.as_deref(), path.child("logEnricherFilters")));
    found.extend(json(group.json_enricher_filters.as_deref(), path.child("jsonEnricherFilters")));
    if let Some(options) = &group.json_enricher_options {
        let path = path.child("jsonEnricherOptions");
        found.extend(rule::at_least(options.audit_log_interval_seconds, 1, path.child("auditLogIntervalSeconds")));
        found.extend(rule::at_least(options.audit_log_max_size, 1, path.child("auditLogMaxSize")));
        found.extend(rule::at_least(options.audit_log_max_backups, 0, path.child("auditLogMaxBackups")));
        found.extend(rule::at_least(options.audit_log_max_age, 0, path.child("auditLogMaxAge")));
    }
    found
}

/// A field with JSON text in it; an empty one says nothing.
fn json(text: Option<&str>, path: FieldPath) -> Option<Violation> {
    let error = serde_json::from_str::<IgnoredAny>(text.filter(|text| !text.is_empty())?).err()?;
    Some(Violation::new(path, format!("is not JSON: {error}")))
}

fn webhook(group: &Webhook, path: &FieldPath) -> Vec<Violation> {
    let path = path.child("options");
    let mut found = Vec::new();
    for (index, option) in group.options.iter().flatten().enumerate() {
        let path = path.index(index);
        found.extend(rule::not_empty(&option.name, path.child("name")));
        let policy = option.failure_policy.as_deref().filter(|policy| !["", "Fail", "Ignore"].contains(policy));
        found.extend(policy.map(|policy| {
            let reason = format!("{policy:?} is no failure policy; expected Fail, Ignore");
            Violation::new(path.child("failurePolicy"), reason)
        }));
        found.extend(selector::validate(option.namespace_selector.as_ref(), &path.child("namespaceSelector")));
        found.extend(selector::validate(option.object_selector.as_ref(), &path.child("objectSelector")));
    }
    found.extend(rule::distinct_names(group.options.iter().flatten().map(|option| option.name.as_str()), &path));
    found
}

fn security(group: &Security, path: &FieldPath) -> Vec<Violation> {
    let path = path.child("allowedSyscalls");
    let names = group.allowed_syscalls.iter().flatten().enumerate();
    let mut found: Vec<Violation> =
        names.filter_map(|(index, name)| rule::parses::<SyscallName>(Some(name), path.index(index))).collect();
    found.extend(rule::distinct(group.allowed_syscalls.as_ref(), &path));
    found
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::tests::violations;
    use super::*;

    fn check(spec: Value, expected: &[&str]) {
        assert_eq!(violations::<SecurityProfilesOperatorDaemonSpec>(spec), expected);
    }

    #[test]
    fn what_the_operator_creates_by_itself_is_right() {
        check(
            json!({
                "verbosity": 0, "hostProcVolumePath": "/proc",
                "selinux": {"options": {"allowedSystemProfiles": ["container"]}},
                "enricher": {"logEnricherFilters": "", "logEnricherSource": "Auditd"},
                "webhook": {"staticConfig": false}, "security": {"allowedIdentityRegexp": ".*"},
            }),
            &[],
        );
        check(json!({}), &[]);
    }

    #[test]
    fn w_x_16_a_path_out_of_proc_is_refused() {
        let expected =
            "spec.hostProcVolumePath: \"/proc/../etc\" is neither /proc nor below it; a path without '..' is wanted";
        check(json!({"hostProcVolumePath": "/proc/../etc"}), &[expected]);
    }

    #[test]
    fn top_level_fields_have_bounds_and_keys() {
        check(
            json!({
                "verbosity": -1, "imagePullSecrets": [{"name": "pull"}, {}, {"name": "pull"}],
                "daemonResourceRequirements": {
                    "limits": {"cpu": "1", "memory": "128 MB"}, "claims": [{"name": "gpu"}, {"name": "gpu"}],
                },
            }),
            &[
                "spec.verbosity: is -1, at least 0 is needed",
                "spec.imagePullSecrets[2].name: \"pull\" stands in the list twice; remove one",
                "spec.daemonResourceRequirements.limits[memory]: \"128 MB\" is no quantity: a number with a unit is wanted, as 128Mi or 500m",
                "spec.daemonResourceRequirements.claims[1].name: \"gpu\" stands in the list twice; remove one",
            ],
        );
    }

    #[test]
    fn the_lists_of_the_selinux_group_are_sets() {
        let twice = json!(["x", "x"]);
        let fields = ["allowedSystemProfiles", "allowedTypes", "allowedClasses", "allowedPermissions", "deniedTypes"];
        let fields = fields.into_iter().chain(["deniedClasses", "deniedPermissions"]);
        for field in fields {
            let expected = format!("spec.selinux.options.{field}[1]: \"x\" stands in the list twice; remove one");
            check(json!({"selinux": {"options": {field: twice}}}), &[&expected]);
        }
        let found = violations::<SecurityProfilesOperatorDaemonSpec>(
            json!({"selinux": {"customTemplatesConfigMap": "My Templates"}}),
        );
        assert!(found[0].starts_with("spec.selinux.customTemplatesConfigMap: \"My Templates\" is not a DNS-1123"));
    }

    #[test]
    fn filters_of_enrichers_are_json_and_their_numbers_bounded() {
        check(
            json!({"enricher": {
                "logEnricherFilters": "[{]", "jsonEnricherFilters": "[]",
                "jsonEnricherOptions": {
                    "auditLogIntervalSeconds": 0, "auditLogMaxSize": 0, "auditLogMaxBackups": -1, "auditLogMaxAge": -1,
                },
            }}),
            &[
                "spec.enricher.logEnricherFilters: is not JSON: key must be a string at line 1 column 3",
                "spec.enricher.jsonEnricherOptions.auditLogIntervalSeconds: is 0, at least 1 is needed",
                "spec.enricher.jsonEnricherOptions.auditLogMaxSize: is 0, at least 1 is needed",
                "spec.enricher.jsonEnricherOptions.auditLogMaxBackups: is -1, at least 0 is needed",
                "spec.enricher.jsonEnricherOptions.auditLogMaxAge: is -1, at least 0 is needed",
            ],
        );
    }

    #[test]
    fn options_of_webhooks_are_told_apart_by_name() {
        check(
            json!({"webhook": {"options": [
                {"name": "binding.spo.io", "failurePolicy": "Fail", "namespaceSelector": {}},
                {"name": "", "failurePolicy": "fail", "objectSelector": {"matchLabels": {"": ""}}},
                {"name": "binding.spo.io"},
            ]}}),
            &[
                "spec.webhook.options[1].name: is empty; at least one character is needed",
                "spec.webhook.options[1].failurePolicy: \"fail\" is no failure policy; expected Fail, Ignore",
                "spec.webhook.options[1].objectSelector.matchLabels[]: \"\" is no key of a label: up to 63 letters, digits, '-', '_' and '.', starting and ending with a letter or digit, with a DNS subdomain and '/' before it or not",
                "spec.webhook.options[2].name: \"binding.spo.io\" stands in the list twice; remove one",
            ],
        );
    }

    #[test]
    fn allowed_system_calls_are_names_and_a_set() {
        check(
            json!({"security": {"allowedSyscalls": ["read", "", "read"]}}),
            &[
                "spec.security.allowedSyscalls[1]: a name has 1 to 64 characters, this one has 0",
                "spec.security.allowedSyscalls[2]: \"read\" stands in the list twice; remove one",
            ],
        );
    }
}
