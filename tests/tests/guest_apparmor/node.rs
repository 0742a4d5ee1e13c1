//! The AppArmor side of this host, as a daemon uses it.

use serde_json::Value;
use spo_api::apparmor::v1::AppArmorProfileSpec;
use spo_api::{ProfileKey, ProfileKind};
use spo_lsm::host::{AppArmorHost, Change, Content, Host, Step};
use spo_lsm::{Policy, check, parse, render};
use spo_tests::guest::text;

/// What came of each step: what changed, or the reason why nothing could.
pub(crate) type Results = Vec<Result<Change, String>>;

pub(crate) fn apply(steps: &[Step]) -> Results {
    let result = |outcome: spo_lsm::host::Outcome| outcome.result.map_err(|error| error.to_string());
    AppArmorHost::new().apply(steps).into_iter().map(result).collect()
}

/// Does what has to succeed.
pub(crate) fn done(steps: &[Step]) -> Vec<Change> {
    apply(steps).into_iter().map(|result| result.expect("it can be done")).collect()
}

/// Whether what a step installs is installed, and in force.
pub(crate) fn holds(step: &Step) -> bool {
    let Step::Install { artifact, .. } = step else { return false };
    let files = AppArmorHost::new().installed().expect("it can be listed").files;
    files.get(&artifact.file_name) == Some(&Content::Profile(artifact.digest()))
}

/// Installs a profile.
pub(crate) fn profile(name: &str, spec: Value) -> Step {
    let spec: AppArmorProfileSpec = serde_json::from_value(spec).expect("a spec");
    let profile = parse(name.parse().expect("a name"), &spec).expect("a profile");
    let checked = check(&profile, &Policy::default()).expect("it may be installed");
    Step::Install { artifact: render(&checked), checked }
}

pub(crate) fn remove(name: &str) -> Step {
    let key = ProfileKey { kind: ProfileKind::AppArmor, name: name.parse().expect("a name") };
    Step::Remove { file_name: spo_lsm::file_name(&key), key }
}

/// The line of the kernel about a profile.
pub(crate) fn loaded(name: &str) -> Option<String> {
    let text = text("/sys/kernel/security/apparmor/profiles");
    text.lines().find(|line| line.starts_with(&format!("{name} ("))).map(str::to_owned)
}
