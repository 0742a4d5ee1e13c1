//! What the DaemonSet is to run, by the configuration's switches.

use serde_json::{Value, json};

/// The container of the daemon.
const DAEMON: &str = "security-profiles-operator";
/// The container that installs for SELinux and AppArmor, and the volume with its socket.
const INSTALLER: &str = "installer";
/// The folder of the socket, where daemon and installer look for it when nothing else is said.
const SOCKETS: &str = "/var/run/spo-node";
/// What entering the host's mount namespace takes, and giving up the rest there; then what the host's own tools need for policies and their
/// stores. The program keeps the latter only.
const CAPABILITIES: [&str; 10] = [
    "SYS_ADMIN",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SETPCAP",
    "MAC_ADMIN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "CHOWN",
    "FSETID",
];

/// What the configuration switches on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Switches {
    selinux: bool,
    raw_selinux: bool,
    apparmor: bool,
    insecure_metrics: bool,
}

impl Switches {
    /// Those of a configuration's `spec`; what it does not say is off, but RawSelinuxProfiles, which go with SelinuxProfiles.
    pub(super) fn of(spec: &Value) -> Self {
        let says = |place: &str| spec.pointer(place).and_then(Value::as_bool);
        Self {
            selinux: says("/selinux/enable").unwrap_or(false),
            raw_selinux: says("/selinux/enableRawSelinuxProfiles").unwrap_or(true),
            apparmor: says("/enableAppArmor").unwrap_or(false),
            insecure_metrics: says("/enableInsecureMetricsAccess").unwrap_or(false),
        }
    }

    /// Whether something is on that takes privilege on the host.
    fn privileged(self) -> bool {
        self.selinux || self.apparmor
    }

    /// The daemon's arguments, in the reference's order.
    fn arguments(self) -> Vec<String> {
        let selinux = ["--with-selinux=true".to_owned(), format!("--with-raw-selinux={}", self.raw_selinux)];
        let selinux = selinux.into_iter().filter(|_| self.selinux);
        let others =
            [(self.apparmor, "--with-apparmor=true"), (self.insecure_metrics, "--with-insecure-metrics-access=true")];
        selinux.chain(others.into_iter().filter(|(on, _)| *on).map(|(_, argument)| argument.to_owned())).collect()
    }
}

/// The part of the pod's `spec` that the switches decide; nothing when none is on. `there` is the `spec` of the pod as it is.
pub(super) fn pod(on: Switches, there: &Value) -> Value {
    if !on.privileged() {
        let arguments = on.arguments();
        let daemon = || json!({"containers": [{"name": DAEMON, "args": arguments}]});
        return if arguments.is_empty() { json!({}) } else { daemon() };
    }
    let sockets = json!({"name": INSTALLER, "mountPath": SOCKETS, "readOnly": true});
    json!({
        // to find the host's first process, whose mount namespace the installer enters
        "hostPID": true,
        "containers": [
            {"name": DAEMON, "args": on.arguments(), "volumeMounts": [sockets]},
            installer(there),
        ],
        "volumes": [{"name": INSTALLER, "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}],
    })
}

/// Of the same image as the daemon, whatever that is.
fn installer(there: &Value) -> Value {
    let daemon = container(there, DAEMON);
    json!({
        "name": INSTALLER,
        "image": daemon["image"],
        "imagePullPolicy": daemon["imagePullPolicy"],
        "command": ["spo-node", "installer"],
        "volumeMounts": [{"name": INSTALLER, "mountPath": SOCKETS}],
        // semodule builds the whole policy of the host in memory
        "resources": {"requests": {"cpu": "50m", "memory": "32Mi"}, "limits": {"memory": "1Gi"}},
        "securityContext": {
            "runAsUser": 0,
            "runAsGroup": 0,
            "runAsNonRoot": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"], "add": CAPABILITIES},
            "seLinuxOptions": {"type": "spc_t"},
            // the runtime's own AppArmor profile lets nobody look at the host's first process
            "appArmorProfile": {"type": "Unconfined"},
        },
    })
}

/// Whether the pod's `spec` is as the switches want it, in all that they decide.
pub(super) fn is_as_wanted(there: &Value, on: Switches) -> bool {
    let wanted = pod(on, there);
    let host_pid = there["hostPID"].as_bool().unwrap_or(false) == wanted["hostPID"].as_bool().unwrap_or(false);
    let arguments = list(&container(there, DAEMON)["args"]) == list(&container(&wanted, DAEMON)["args"]);
    let installer = container(there, INSTALLER).is_null() == container(&wanted, INSTALLER).is_null();
    host_pid && arguments && installer && covers(there, &wanted)
}

fn container<'a>(pod: &'a Value, name: &str) -> &'a Value {
    list(&pod["containers"]).iter().find(|container| container["name"] == name).unwrap_or(&Value::Null)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Whether all that is wanted is there; more may be, such as defaults. In lists of named parts each is found by its name, others are equal.
fn covers(there: &Value, wanted: &Value) -> bool {
    match (there, wanted) {
        (Value::Object(there), Value::Object(wanted)) => {
            wanted.iter().all(|(key, value)| there.get(key).is_some_and(|there| covers(there, value)))
        }
        (Value::Array(there), Value::Array(wanted)) if wanted.iter().all(|part| part["name"].is_string()) => {
            wanted.iter().all(|part| there.iter().any(|there| there["name"] == part["name"] && covers(there, part)))
        }
        _ => there == wanted,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn installed() -> Value {
        json!({"containers": [{"name": DAEMON, "image": "an-image", "imagePullPolicy": "Never", "command": ["spo-node", "daemon"]}]})
    }

    #[rstest]
    #[case::nothing(json!({}), &[])]
    #[case::off(json!({"selinux": {"enable": false}, "enableAppArmor": false}), &[])]
    #[case::raw_alone_is_nothing(json!({"selinux": {"enableRawSelinuxProfiles": true}}), &[])]
    #[case::selinux(json!({"selinux": {"enable": true}}), &["--with-selinux=true", "--with-raw-selinux=true"])]
    #[case::not_raw(json!({"selinux": {"enable": true, "enableRawSelinuxProfiles": false}}), &["--with-selinux=true", "--with-raw-selinux=false"])]
    #[case::apparmor(json!({"enableAppArmor": true}), &["--with-apparmor=true"])]
    #[case::metrics(json!({"enableInsecureMetricsAccess": true}), &["--with-insecure-metrics-access=true"])]
    #[case::metrics_too(json!({"enableAppArmor": true, "enableInsecureMetricsAccess": true}), &["--with-apparmor=true", "--with-insecure-metrics-access=true"])]
    #[case::both(json!({"enableAppArmor": true, "selinux": {"enable": true}}), &["--with-selinux=true", "--with-raw-selinux=true", "--with-apparmor=true"])]
    fn x8_the_daemon_is_told_what_is_switched_on(#[case] spec: Value, #[case] arguments: &[&str]) {
        let on = Switches::of(&spec);
        assert_eq!(on.arguments(), arguments);
        let wanted = pod(on, &installed());
        assert_eq!(container(&wanted, INSTALLER).is_null(), !on.privileged(), "{wanted}");
        assert_eq!(wanted.get("hostPID").is_some(), on.privileged());
    }

    #[test]
    fn a_switch_without_privilege_changes_the_arguments_and_nothing_else_and_is_put_back() {
        let metrics = Switches { insecure_metrics: true, ..Switches::default() };
        let mut there = installed();
        assert!(!is_as_wanted(&there, metrics));
        there["containers"][0]["args"] = json!(metrics.arguments());
        assert!(is_as_wanted(&there, metrics));
        assert!(!is_as_wanted(&there, Switches::default()));
    }

    fn on() -> Switches {
        Switches::of(&json!({"selinux": {"enable": true}}))
    }

    #[test]
    fn the_installer_is_of_the_daemons_image_and_has_no_privilege_but_what_entering_the_host_and_its_tools_take() {
        let wanted = pod(on(), &installed());
        let installer = container(&wanted, INSTALLER);
        assert_eq!((&installer["image"], &installer["imagePullPolicy"]), (&json!("an-image"), &json!("Never")));
        let context = &installer["securityContext"];
        assert_eq!(context.get("privileged"), None);
        assert_eq!(context["capabilities"]["drop"], json!(["ALL"]));
        for never in ["ALL", "SYS_MODULE", "SYS_RAWIO", "NET_ADMIN", "BPF"] {
            assert!(!list(&context["capabilities"]["add"]).contains(&json!(never)), "{never}");
        }
        assert_eq!(context["readOnlyRootFilesystem"], true);
    }

    /// The pod as it is once `wanted` was applied and the API server has put in its defaults.
    fn after() -> Value {
        let mut there = pod(on(), &installed());
        for part in there["containers"].as_array_mut().unwrap() {
            part["terminationMessagePath"] = "/dev/termination-log".into();
            part["image"] = "an-image".into();
            part["imagePullPolicy"] = "Never".into();
        }
        there["dnsPolicy"] = "ClusterFirst".into();
        there
    }

    #[test]
    fn what_was_applied_is_as_wanted_and_what_is_off_wants_nothing() {
        assert!(is_as_wanted(&after(), on()));
        assert!(is_as_wanted(&installed(), Switches::default()));
        assert!(!is_as_wanted(&installed(), on()));
        assert!(!is_as_wanted(&after(), Switches::default()));
    }

    #[rstest]
    #[case::argument_lost("/containers/0/args", json!(["--with-selinux=true"]))]
    #[case::argument_more("/containers/0/args", json!(["--with-selinux=true", "--with-raw-selinux=true", "--x"]))]
    #[case::image("/containers/0/image", json!("another"))]
    #[case::privilege("/containers/1/securityContext/capabilities/add", json!(["SYS_ADMIN"]))]
    #[case::volume("/volumes", json!([]))]
    #[case::process_ids("/hostPID", json!(false))]
    fn w_op_2_each_drift_of_what_is_ours_is_noticed(#[case] place: &str, #[case] value: Value) {
        let mut there = after();
        *there.pointer_mut(place).unwrap() = value;
        assert!(!is_as_wanted(&there, on()));
    }
}
