//! Events about profiles, of the API group `events.k8s.io`: one write each.

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};

use spo_api::ProfileKind;

use crate::source::{Event as Happened, Report};

/// Where events about objects without a namespace are.
pub(super) const NAMESPACE: &str = "default";
/// Who says so. The names of the reference operator's controllers, for which people filter.
const fn controller(kind: ProfileKind) -> &'static str {
    match kind {
        ProfileKind::Seccomp => "seccomp-spod",
        ProfileKind::Selinux => "selinuxprofile-spod",
        ProfileKind::RawSelinux => "rawselinuxprofile-spod",
        ProfileKind::AppArmor => "apparmor-spod",
    }
}
/// The API server takes longer notes for an error.
const NOTE_MAX: usize = 1024;
/// The same for the instance, a node's name.
const INSTANCE_MAX: usize = 128;
/// The longest name, less a dot and the 16 digits of a time.
const NAME_MAX: usize = 253 - 17;

/// The object that tells what `happened` to the profile of `report`. Its name is the profile's, and the time to the nanosecond.
pub(super) fn event(report: &Report, happened: &Happened, node: &str, now: jiff::Timestamp) -> Event {
    let profile = report.key.name.as_str();
    let name = format!("{}.{:016x}", cut(profile, NAME_MAX).trim_end_matches(['-', '.']), now.as_nanosecond());
    Event {
        metadata: ObjectMeta { name: Some(name), namespace: Some(NAMESPACE.to_owned()), ..ObjectMeta::default() },
        event_time: Some(MicroTime(now)),
        action: Some("Reconcile".to_owned()),
        reason: Some(happened.reason.as_str().to_owned()),
        note: Some(cut(&happened.note, NOTE_MAX).to_owned()),
        type_: Some(if happened.reason.is_warning() { "Warning" } else { "Normal" }.to_owned()),
        regarding: Some(ObjectReference {
            api_version: Some(report.object.api_version.clone()),
            kind: Some(report.key.kind.as_str().to_owned()),
            name: Some(profile.to_owned()),
            uid: report.object.uid.clone(),
            ..ObjectReference::default()
        }),
        reporting_controller: Some(controller(report.key.kind).to_owned()),
        reporting_instance: Some(cut(node, INSTANCE_MAX).to_owned()),
        ..Event::default()
    }
}

fn cut(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

#[cfg(test)]
mod tests {
    use spo_api::condition::Reason;
    use spo_api::{ProfileKey, ProfileState};

    use super::*;
    use crate::source::{EventReason, ObjectRef};

    fn report(name: &str) -> Report {
        Report {
            key: ProfileKey { kind: ProfileKind::Seccomp, name: name.parse().unwrap() },
            generation: 1,
            object: ObjectRef { api_version: "v1".to_owned(), uid: Some("1".to_owned()) },
            state: ProfileState::Installed,
            reason: Reason::Available,
            message: String::new(),
            event: None,
            is_forbidden: false,
        }
    }

    fn of(name: &str, reason: EventReason, note: &str) -> Event {
        let now = "2026-01-02T03:04:05Z".parse().unwrap();
        event(&report(name), &Happened { reason, note: note.to_owned() }, "node1", now)
    }

    #[test]
    fn an_event_names_its_profile_and_says_whether_it_is_bad() {
        let saved = of("web", EventReason::Saved(spo_api::Module::Seccomp), "saved");
        assert_eq!((saved.reason.as_deref(), saved.type_.as_deref()), (Some("SavedSeccompProfile"), Some("Normal")));
        let regarding = saved.regarding.unwrap();
        assert_eq!((regarding.kind.as_deref(), regarding.name.as_deref()), (Some("SeccompProfile"), Some("web")));
        assert_eq!(
            of("web", EventReason::CannotSave(spo_api::Module::Seccomp), "disk full").type_.as_deref(),
            Some("Warning")
        );
    }

    #[test]
    fn the_longest_name_and_note_still_fit() {
        let event = of(&"n".repeat(253), EventReason::Saved(spo_api::Module::Seccomp), &"ä".repeat(2000));
        assert!(event.metadata.name.unwrap().len() <= 253);
        assert!(event.note.unwrap().len() <= NOTE_MAX);
    }
}
