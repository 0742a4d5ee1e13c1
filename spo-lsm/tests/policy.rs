//! What a configuration permits.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};
use spo_api::seccomp::Action;
use spo_lsm::Policy;
use spo_lsm::selinux::Denied;

fn policy(spec: Value) -> Policy {
    Policy::from_configuration(&serde_json::from_value(spec).unwrap())
}

fn options(options: Value) -> Policy {
    policy(json!({"selinux": {"options": options}}))
}

#[test]
fn an_empty_configuration_is_the_default() {
    assert_eq!(policy(json!({})), Policy::default());
    assert_eq!(policy(json!({"selinux": {"enable": true}, "security": {}})), Policy::default());
    assert_eq!(options(json!({})), Policy::default());
}

#[test]
fn seccomp_has_its_two_lists() {
    let policy =
        policy(json!({"security": {"allowedSyscalls": ["write", "read"], "allowedSeccompActions": ["SCMP_ACT_LOG"]}}));
    assert_eq!(policy.allowed_syscalls.unwrap().into_iter().collect::<Vec<_>>(), ["read", "write"]);
    assert_eq!(policy.allowed_actions.unwrap().into_iter().collect::<Vec<_>>(), [Action::Log]);
}

#[test]
fn an_absent_list_of_templates_is_container_and_an_empty_one_is_empty() {
    assert_eq!(options(json!({})).selinux.system_profiles, ["container".to_owned()].into());
    assert!(options(json!({"allowedSystemProfiles": []})).selinux.system_profiles.is_empty());
    let wider = options(json!({"allowedSystemProfiles": ["net_container"]})).selinux.system_profiles;
    assert_eq!(wider, ["net_container".to_owned()].into());
}

#[test]
fn what_is_denied_comes_on_top_of_what_is_built_in() {
    let denied =
        options(json!({"deniedTypes": ["a_t"], "deniedClasses": ["bpf"], "deniedPermissions": ["x"]})).selinux.denied;
    let built_in = Denied::default();
    assert!(denied.types.contains("a_t") && built_in.types.is_subset(&denied.types));
    assert!(denied.classes.contains("bpf") && built_in.classes.is_subset(&denied.classes));
    assert!(denied.permissions.contains("x") && built_in.permissions.is_subset(&denied.permissions));
}

#[test]
fn what_is_allowed_is_taken_out_unless_it_is_denied_too() {
    let denied = options(json!({
        "allowedTypes": ["shadow_t", "kmem_t", "a_t"], "deniedTypes": ["kmem_t"],
        "allowedClasses": ["capability"],
        "allowedPermissions": ["mounton"], "deniedPermissions": ["mounton"],
    }))
    .selinux
    .denied;
    assert!(!denied.types.contains("shadow_t") && denied.types.contains("kmem_t") && denied.types.contains("kernel_t"));
    assert!(!denied.classes.contains("capability") && denied.classes.contains("capability2"));
    assert!(denied.permissions.contains("mounton"));
}

#[test]
fn raw_profiles_can_be_switched_off() {
    assert!(policy(json!({"selinux": {"enable": true}})).selinux.raw);
    assert!(!policy(json!({"selinux": {"enable": true, "enableRawSelinuxProfiles": false}})).selinux.raw);
}
