//! The SELinux side of this host, as a daemon uses it.

use std::path::PathBuf;

use serde_json::{Value, json};
use spo_api::raw_selinux::v1::RawSelinuxProfileSpec;
use spo_api::selinux::v1::SelinuxProfileSpec;
use spo_api::{ProfileKey, ProfileKind};
use spo_lsm::host::selinux::PRIORITY;
use spo_lsm::host::{Change, Content, Host, SelinuxHost, Step};
use spo_lsm::{Checked, Policy, check, parse, render};
use spo_tests::guest::{Container, said};

/// The host.
#[derive(Debug, Default)]
pub(crate) struct Node(pub(crate) SelinuxHost);

/// The templates of the operator, as an administrator permits them by `allowedSystemProfiles`.
pub(crate) const TEMPLATES: [&str; 15] = [
    "container",
    "net_container",
    "restricted_net_container",
    "log_container",
    "log_rw_container",
    "log_manage_container",
    "config_container",
    "config_rw_container",
    "config_manage_container",
    "home_container",
    "home_rw_container",
    "home_manage_container",
    "tmp_container",
    "tmp_rw_container",
    "tty_container",
];

/// What came of each step: what changed, or the reason why nothing could.
pub(crate) type Results = Vec<Result<Change, String>>;

impl Node {
    pub(crate) fn apply(&mut self, steps: &[Step]) -> Results {
        let result = |outcome: spo_lsm::host::Outcome| outcome.result.map_err(|error| error.to_string());
        self.0.apply(steps).into_iter().map(result).collect()
    }

    /// Does what has to succeed.
    pub(crate) fn done(&mut self, steps: &[Step]) -> Vec<Change> {
        self.apply(steps).into_iter().map(|result| result.expect("it can be done")).collect()
    }

    /// Whether what a step installs is installed, and in force.
    pub(crate) fn holds(&mut self, step: &Step) -> bool {
        let Step::Install { artifact, .. } = step else { return false };
        let files = self.0.installed().expect("it can be listed").files;
        files.get(&artifact.file_name) == Some(&Content::Profile(artifact.digest()))
    }

    /// Whether there is a module of ours of this name, whatever is in it.
    pub(crate) fn has(&mut self, name: &str) -> bool {
        self.0.installed().expect("it can be listed").files.contains_key(&format!("{name}.cil"))
    }

    pub(crate) fn remove_all(&mut self, names: &[&str]) {
        let steps: Vec<Step> = names.iter().map(|name| remove(name)).collect();
        self.done(&steps);
    }
}

/// Installs a SelinuxProfile.
pub(crate) fn profile(name: &str, spec: Value) -> Step {
    let spec: SelinuxProfileSpec = serde_json::from_value(spec).expect("a spec");
    step(parse(name.parse().expect("a name"), &spec))
}

/// Installs a RawSelinuxProfile.
pub(crate) fn raw(name: &str, policy: impl Into<String>) -> Step {
    let spec = RawSelinuxProfileSpec { policy: Some(policy.into()), ..RawSelinuxProfileSpec::default() };
    step(parse(name.parse().expect("a name"), &spec))
}

fn step(profile: Result<spo_lsm::Profile, Vec<spo_api::Violation>>) -> Step {
    let mut policy = Policy::default();
    policy.selinux.system_profiles.extend(TEMPLATES.map(str::to_owned));
    let checked: Checked = check(&profile.expect("a profile"), &policy).expect("it may be installed");
    Step::Install { artifact: render(&checked), checked }
}

pub(crate) fn remove(name: &str) -> Step {
    let key = ProfileKey { kind: ProfileKind::Selinux, name: name.parse().expect("a name") };
    Step::Remove { key, file_name: format!("{name}.cil") }
}

/// A profile that does not compile on any host.
pub(crate) fn bad(name: &str) -> Step {
    profile(name, json!({"allow": {"no_such_type_t": {"file": ["read"]}}}))
}

/// The modules of the host of this name: their priorities.
pub(crate) fn priorities(name: &str) -> Vec<u16> {
    let listed = said("semodule", ["-lfull"]);
    let lines = listed.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    lines.filter(|words| words.get(1) == Some(&name)).map(|words| words[0].parse().expect("a priority")).collect()
}

/// Whether the module of this name is ours, and nobody else has one.
pub(crate) fn is_ours(name: &str) -> bool {
    priorities(name) == [PRIORITY]
}

/// How often the kernel was given a policy since it booted.
pub(crate) fn loads() -> u32 {
    let status = std::fs::read("/sys/fs/selinux/status").expect("the kernel has a status page");
    let number = status[12..16].try_into().expect("four bytes");
    u32::from_ne_bytes(number)
}

/// Whether the policy that is loaded has the type of this profile, so that a process may have it.
pub(crate) fn is_type(name: &str) -> bool {
    std::fs::write("/sys/fs/selinux/context", format!("system_u:system_r:{name}.process:s0")).is_ok()
}

/// Where the host keeps its modules.
pub(crate) fn store() -> PathBuf {
    let configuration = std::fs::read_to_string("/etc/selinux/config").expect("the host has SELinux");
    let kind = configuration.lines().find_map(|line| line.strip_prefix("SELINUXTYPE=")).expect("a kind of policy");
    PathBuf::from("/var/lib/selinux").join(kind)
}

/// What a script prints in a container that runs with the type of a profile, as a pod with its usage string does.
pub(crate) fn run(name: &str, script: &str) -> String {
    Container::busybox().mount("/var/log").print_as(&format!("{name}.process"), script)
}
