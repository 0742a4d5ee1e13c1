//! SeccompProfile.

use super::{Validate, rule, spec};
use crate::seccomp::v1::{Arg, SeccompProfileSpec, Syscall};
use crate::{FieldPath, ListenerPath, SyscallName, Violation};

/// A system call has six arguments.
const ARGS_MAX: usize = 6;

impl Validate for SeccompProfileSpec {
    fn validate(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        found.extend(rule::distinct(self.architectures.as_ref(), &spec().child("architectures")));
        found.extend(rule::parses::<ListenerPath>(self.listener_path.as_deref(), spec().child("listenerPath")));
        let path = spec().child("syscalls");
        for (index, entry) in self.syscalls.iter().flatten().enumerate() {
            syscall(entry, &path.index(index), &mut found);
        }
        found.extend(rule::distinct(self.flags.as_ref(), &spec().child("flags")));
        found
    }
}

fn syscall(entry: &Syscall, path: &FieldPath, found: &mut Vec<Violation>) {
    let names = path.child("names");
    found.extend(rule::enough(&entry.names, 1, &names));
    for (index, name) in entry.names.iter().enumerate() {
        found.extend(rule::parses::<SyscallName>(Some(name), names.index(index)));
    }
    found.extend(rule::distinct(Some(&entry.names), &names));
    found.extend(rule::at_least(entry.errno_ret, 0, path.child("errnoRet")));
    let args = path.child("args");
    found.extend(entry.args.as_ref().and_then(|list| rule::not_more(list, ARGS_MAX, &args)));
    for (index, condition) in entry.args.iter().flatten().enumerate() {
        arg(condition, &args.index(index), found);
    }
}

fn arg(condition: &Arg, path: &FieldPath, found: &mut Vec<Violation>) {
    if usize::try_from(condition.index).is_ok_and(|index| index >= ARGS_MAX) {
        let reason = format!("is {}, at most 5 is possible: a system call has six arguments", condition.index);
        found.push(Violation::new(path.child("index"), reason));
    }
    found.extend(rule::at_least(Some(condition.index), 0, path.child("index")));
    found.extend(rule::at_least(condition.value, 0, path.child("value")));
    found.extend(rule::at_least(condition.value_two, 0, path.child("valueTwo")));
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::tests::violations;
    use super::*;

    fn with(fields: Value) -> Vec<String> {
        let mut spec = json!({"defaultAction": "SCMP_ACT_ERRNO"});
        spec.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        violations::<SeccompProfileSpec>(spec)
    }

    #[test]
    fn what_the_schema_holds_is_held() {
        let args: Vec<Value> = (0..7).map(|_| json!({"index": 0, "op": "SCMP_CMP_EQ"})).collect();
        let found = with(json!({
            "architectures": ["SCMP_ARCH_X86", "SCMP_ARCH_ARM", "SCMP_ARCH_X86"],
            "flags": ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_LOG"],
            "syscalls": [
                {"names": [], "action": "SCMP_ACT_ALLOW"},
                {"names": ["read", "write", "read"], "action": "SCMP_ACT_ERRNO", "errnoRet": -1, "args": args},
                {"names": ["open"], "action": "SCMP_ACT_ALLOW",
                 "args": [{"index": -1, "value": -2, "valueTwo": -3, "op": "SCMP_CMP_EQ"}]},
            ],
        }));
        let expected = [
            "spec.architectures[2]: \"SCMP_ARCH_X86\" stands in the list twice; remove one",
            "spec.syscalls[0].names: has 0 items, at least 1 is needed",
            "spec.syscalls[1].names[2]: \"read\" stands in the list twice; remove one",
            "spec.syscalls[1].errnoRet: is -1, at least 0 is needed",
            "spec.syscalls[1].args: has 7 items, at most 6 are possible",
            "spec.syscalls[2].args[0].index: is -1, at least 0 is needed",
            "spec.syscalls[2].args[0].value: is -2, at least 0 is needed",
            "spec.syscalls[2].args[0].valueTwo: is -3, at least 0 is needed",
            "spec.flags[1]: \"SECCOMP_FILTER_FLAG_LOG\" stands in the list twice; remove one",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn what_no_system_call_can_have_is_refused() {
        let found = with(json!({"syscalls": [
            {"names": ["", "re ad"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 6, "op": "SCMP_CMP_EQ"}]},
        ]}));
        let expected = [
            "spec.syscalls[0].names[0]: a name has 1 to 64 characters, this one has 0",
            "spec.syscalls[0].names[1]: \"re ad\" is not the name of a system call: letters, digits and '_'",
            "spec.syscalls[0].args[0].index: is 6, at most 5 is possible: a system call has six arguments",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn w_x_16_a_listener_in_no_folder_of_its_own_is_refused() {
        assert_eq!(with(json!({"listenerPath": "/var/run/security-profiles-operator/agent.sock"})), [""; 0]);
        let found = with(json!({"listenerPath": "/var/run/security-profiles-operator/.."}));
        let expected = "spec.listenerPath: \"/var/run/security-profiles-operator/..\" is no socket directly below";
        assert!(found[0].starts_with(expected), "{found:?}");
    }
}
