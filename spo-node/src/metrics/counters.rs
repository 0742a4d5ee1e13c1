//! What is counted, under the reference operator's names.
//!
//! The labels of nearly all series are words of this program. Only one kind of series names profiles, and there are not many of those:
//! they end with their profile, and what is counted for profiles beyond the first 256 is counted for none by name.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus::{IntCounterVec, Opts, Registry, TextEncoder};
use spo_api::{Module, ProfileKey, ProfileKind};
use spo_lsm::host::Change;

use super::process::Process;
use crate::source::EventReason;

/// So many profiles have series that name them.
const PROFILES: usize = 256;
/// The name of the profile in what is counted for those beyond.
const OTHERS: &str = "";

/// All counters of a process; clones count together.
#[derive(Debug, Clone)]
pub struct Counters(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// What `/metrics-spod` shows.
    spod: Registry,
    /// What `/metrics` shows.
    controller: Registry,
    process: Process,
    operations: PerModule,
    errors: PerModule,
    scrapes: IntCounterVec,
    reconciled: IntCounterVec,
    failed: IntCounterVec,
    named: Mutex<BTreeSet<ProfileKey>>,
}

/// A counter for each module.
#[derive(Debug)]
struct PerModule {
    seccomp: IntCounterVec,
    selinux: IntCounterVec,
    apparmor: IntCounterVec,
}

impl PerModule {
    fn of(&self, module: Module) -> &IntCounterVec {
        match module {
            Module::Seccomp => &self.seccomp,
            Module::Selinux => &self.selinux,
            Module::AppArmor => &self.apparmor,
        }
    }
}

/// What can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// `/metrics`: this process, and how often profiles were compared.
    Process,
    /// `/metrics-spod`: what became of profiles, and how often this was read.
    Profiles,
}

impl Page {
    /// The page at a path.
    pub fn at(path: &str) -> Option<Self> {
        [Self::Process, Self::Profiles].into_iter().find(|page| page.path() == path)
    }

    /// Where it is.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Process => "/metrics",
            Self::Profiles => "/metrics-spod",
        }
    }
}

impl Counters {
    /// Everything at zero.
    ///
    /// # Errors
    /// None but mistakes in this file: two counters of one name.
    pub fn new() -> prometheus::Result<Self> {
        let (spod, controller) = (Registry::new(), Registry::new());
        let profiles = |name, what: &str, labels: &[&str]| {
            counter(&spod, &format!("security_profiles_operator_{name}"), what, labels)
        };
        let operations = PerModule {
            seccomp: profiles(
                "seccomp_profile_total",
                "Seccomp profiles that were saved and removed on this node.",
                &["operation"],
            )?,
            selinux: profiles(
                "selinux_profile_total",
                "SELinux policies that were installed and removed on this node.",
                &["operation"],
            )?,
            apparmor: profiles(
                "apparmor_profile_total",
                "AppArmor profiles that were loaded and unloaded on this node.",
                &["operation"],
            )?,
        };
        let errors = PerModule {
            seccomp: profiles("seccomp_profile_error_total", "Errors about seccomp profiles.", &["reason"])?,
            selinux: profiles("selinux_profile_error_total", "Errors about SELinux policies.", &["reason"])?,
            apparmor: profiles(
                "apparmor_profile_error_total",
                "Errors about AppArmor profiles; without a name, those of profiles beyond the first 256.",
                &["profile", "reason"],
            )?,
        };
        let scrapes =
            counter(&spod, "promhttp_metric_handler_requests_total", "Scrapes by HTTP status code.", &["code"])?;
        let reconciled = counter(
            &controller,
            "controller_runtime_reconcile_total",
            "Comparisons of a profile with what is on this node.",
            &["controller", "result"],
        )?;
        let failed = counter(
            &controller,
            "controller_runtime_reconcile_errors_total",
            "Those that ended in an error.",
            &["controller"],
        )?;
        let process = Process::new(&controller)?;
        let named = Mutex::default();
        let counters =
            Self(Arc::new(Inner { spod, controller, process, operations, errors, scrapes, reconciled, failed, named }));
        counters.begin();
        Ok(counters)
    }

    /// What has few series begins at zero, so that the first event is an increase too.
    fn begin(&self) {
        for module in Module::ALL {
            for operation in [UPDATE, DELETE] {
                self.0.operations.of(module).with_label_values(&[operation]);
            }
        }
        for code in ["200", "500", "503"] {
            self.0.scrapes.with_label_values(&[code]);
        }
    }

    /// A host did something for a profile of `module`.
    pub(crate) fn changed(&self, module: Module, change: Change) {
        let operation = match change {
            Change::Written => UPDATE,
            Change::Removed => DELETE,
            Change::Unchanged | Change::Absent => return,
        };
        self.0.operations.of(module).with_label_values(&[operation]).inc();
    }

    /// Something went wrong with a profile.
    pub(crate) fn failed(&self, key: &ProfileKey, reason: EventReason) {
        let (module, reason) = (key.kind.module(), reason.as_str());
        let errors = self.0.errors.of(module);
        match module {
            Module::Seccomp | Module::Selinux => errors.with_label_values(&[reason]).inc(),
            Module::AppArmor => errors.with_label_values(&[self.name(key), reason]).inc(),
        }
    }

    /// Something went wrong with what a profile that is gone has left: no series is to name that.
    pub(crate) fn failed_of_gone(&self, module: Module, reason: EventReason) {
        let errors = self.0.errors.of(module);
        match module {
            Module::Seccomp | Module::Selinux => errors.with_label_values(&[reason.as_str()]).inc(),
            Module::AppArmor => errors.with_label_values(&[OTHERS, reason.as_str()]).inc(),
        }
    }

    /// A profile was compared with what is on the node.
    pub(crate) fn compared(&self, kind: ProfileKind, is_error: bool) {
        let controller = controller(kind);
        let result = if is_error { "error" } else { "success" };
        self.0.reconciled.with_label_values(&[controller, result]).inc();
        if is_error {
            self.0.failed.with_label_values(&[controller]).inc();
        }
    }

    /// A profile is gone, and so are the series that name it.
    pub(crate) fn forget(&self, key: &ProfileKey) {
        if !self.named().remove(key) {
            return;
        }
        for reason in EventReason::WARNINGS {
            // Most of them were never counted.
            _ = self.0.errors.apparmor.remove_label_values(&[key.name.as_str(), reason.as_str()]);
        }
    }

    /// A page was asked for. Those of the profiles' page are counted, which shows the count.
    pub(crate) fn served(&self, page: Page, code: &str) {
        if page == Page::Profiles {
            self.0.scrapes.with_label_values(&[code]).inc();
        }
    }

    /// The text of a page.
    ///
    /// # Errors
    /// A counter without a series that can be written, of which there is none.
    pub fn text(&self, page: Page) -> prometheus::Result<String> {
        let registry = match page {
            Page::Process => {
                self.0.process.look();
                &self.0.controller
            }
            Page::Profiles => &self.0.spod,
        };
        TextEncoder::new().encode_to_string(&registry.gather())
    }

    /// What a profile is called in series: its name, while there is room for it.
    fn name<'a>(&self, key: &'a ProfileKey) -> &'a str {
        let mut named = self.named();
        if !named.contains(key) {
            if named.len() >= PROFILES {
                return OTHERS;
            }
            named.insert(key.clone());
        }
        key.name.as_str()
    }

    fn named(&self) -> MutexGuard<'_, BTreeSet<ProfileKey>> {
        self.0.named.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const UPDATE: &str = "update";
const DELETE: &str = "delete";

/// What the reference calls the controller of a kind.
fn controller(kind: ProfileKind) -> &'static str {
    match kind {
        ProfileKind::Seccomp => "seccomp-spod",
        ProfileKind::Selinux => "selinuxprofile-spod",
        ProfileKind::RawSelinux => "rawselinuxprofile-spod",
        ProfileKind::AppArmor => "apparmor-spod",
    }
}

fn counter(registry: &Registry, name: &str, what: &str, labels: &[&str]) -> prometheus::Result<IntCounterVec> {
    let counter = IntCounterVec::new(Opts::new(name, what), labels)?;
    registry.register(Box::new(counter.clone()))?;
    Ok(counter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters() -> Counters {
        Counters::new().unwrap()
    }

    fn key(kind: ProfileKind, name: &str) -> ProfileKey {
        ProfileKey { kind, name: name.parse().unwrap() }
    }

    /// The samples of the profiles' page, without what is at zero.
    fn samples(counters: &Counters) -> Vec<String> {
        let text = counters.text(Page::Profiles).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.ends_with(" 0"));
        lines.map(|line| line.trim_start_matches("security_profiles_operator_").to_owned()).collect()
    }

    #[test]
    fn s10_what_is_counted_of_seccomp_begins_at_zero_and_is_written_as_the_reference_does() {
        let counters = counters();
        let text = counters.text(Page::Profiles).unwrap();
        for line in [
            "# TYPE security_profiles_operator_seccomp_profile_total counter",
            "security_profiles_operator_seccomp_profile_total{operation=\"delete\"} 0",
            "security_profiles_operator_seccomp_profile_total{operation=\"update\"} 0",
            "# TYPE promhttp_metric_handler_requests_total counter",
            "promhttp_metric_handler_requests_total{code=\"200\"} 0",
        ] {
            assert!(text.lines().any(|there| there == line), "{line} is not in\n{text}");
        }
        counters.served(Page::Process, "200");
        counters.served(Page::Profiles, "200");
        assert_eq!(samples(&counters), ["promhttp_metric_handler_requests_total{code=\"200\"} 1"]);
    }

    #[test]
    fn x4_what_a_host_did_is_counted_by_module_and_what_it_left_alone_is_not() {
        let counters = counters();
        counters.changed(Module::Selinux, Change::Written);
        counters.changed(Module::Selinux, Change::Written);
        counters.changed(Module::Selinux, Change::Removed);
        counters.changed(Module::Selinux, Change::Unchanged);
        counters.changed(Module::AppArmor, Change::Removed);
        counters.changed(Module::Seccomp, Change::Absent);
        assert_eq!(
            samples(&counters),
            [
                "apparmor_profile_total{operation=\"delete\"} 1",
                "selinux_profile_total{operation=\"delete\"} 1",
                "selinux_profile_total{operation=\"update\"} 2",
            ]
        );
    }

    #[test]
    fn errors_bear_the_reason_of_their_event() {
        let counters = counters();
        counters.failed(&key(ProfileKind::Seccomp, "web"), EventReason::Invalid(Module::Seccomp));
        counters.failed(&key(ProfileKind::RawSelinux, "web"), EventReason::CannotSave(Module::Selinux));
        counters.failed(&key(ProfileKind::AppArmor, "web"), EventReason::NotAllowed);
        assert_eq!(
            samples(&counters),
            [
                "apparmor_profile_error_total{profile=\"web\",reason=\"ProfileNotAllowed\"} 1",
                "seccomp_profile_error_total{reason=\"InvalidSeccompProfile\"} 1",
                "selinux_profile_error_total{reason=\"CannotSaveSelinuxPolicy\"} 1",
            ]
        );
    }

    #[test]
    fn what_a_profile_that_is_gone_has_left_is_counted_without_its_name() {
        let counters = counters();
        counters.failed_of_gone(Module::AppArmor, EventReason::CannotRemove(Module::AppArmor));
        counters.failed_of_gone(Module::Seccomp, EventReason::CannotRemove(Module::Seccomp));
        let lines = samples(&counters);
        assert!(lines[0].starts_with("apparmor_profile_error_total{profile=\"\",reason="), "{lines:?}");
        assert!(lines[1].starts_with("seccomp_profile_error_total{reason="), "{lines:?}");
    }

    #[test]
    fn series_that_name_a_profile_end_with_it_and_are_bounded() {
        let counters = counters();
        let reason = EventReason::CannotSave(Module::AppArmor);
        for index in 0..PROFILES + 9 {
            counters.failed(&key(ProfileKind::AppArmor, &format!("p{index}")), reason);
        }
        let lines = samples(&counters);
        assert_eq!(lines.len(), PROFILES + 1);
        assert_eq!(lines[0], "apparmor_profile_error_total{profile=\"\",reason=\"CannotLoadAppArmorProfile\"} 9");
        for index in 0..PROFILES {
            counters.forget(&key(ProfileKind::AppArmor, &format!("p{index}")));
        }
        assert_eq!(samples(&counters).len(), 1);
        counters.failed(&key(ProfileKind::AppArmor, "new"), reason);
        assert!(samples(&counters)[1].contains("profile=\"new\""));
    }

    #[test]
    fn comparisons_are_counted_by_the_controllers_of_the_reference() {
        let counters = counters();
        counters.compared(ProfileKind::Seccomp, false);
        counters.compared(ProfileKind::RawSelinux, true);
        let text = counters.text(Page::Process).unwrap();
        for line in [
            "controller_runtime_reconcile_total{controller=\"seccomp-spod\",result=\"success\"} 1",
            "controller_runtime_reconcile_total{controller=\"rawselinuxprofile-spod\",result=\"error\"} 1",
            "controller_runtime_reconcile_errors_total{controller=\"rawselinuxprofile-spod\"} 1",
        ] {
            assert!(text.lines().any(|there| there == line), "{line} is not in\n{text}");
        }
    }
}
