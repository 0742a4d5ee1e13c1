//! What reads objects of the API server, opened to its fuzz target. No part of the interface.

use kube::runtime::watcher::Event;
use spo_api::ProfileKind;

use super::object::{self, Object};
use super::statuses::Statuses;

/// Reads an object as a watch shows it: as the status of a profile on the node `node`, and as a profile.
pub fn object(json: &[u8]) {
    let Ok(object) = serde_json::from_slice::<Object>(json) else { return };
    let mut statuses = Statuses::new("node".to_owned());
    let told = statuses.take_in(Event::Apply(object.clone()));
    assert!(told.iter().all(|key| statuses.get(key).is_some() || statuses.legacy(key).is_some()), "{told:?}");
    let gone = statuses.take_in(Event::Delete(object.clone()));
    assert!(gone.iter().all(|key| statuses.get(key).is_none() && statuses.legacy(key).is_none()), "{gone:?}");
    let Some(key) = object::key(ProfileKind::Seccomp, &object) else { return };
    let desired = object::desired(key, &object::version(&object), object);
    if let Err(violations) = desired.profile {
        assert!(!violations.is_empty(), "what cannot be used has a reason");
    }
}
