//! Profiles are looked at before they are stored, by the functions that nodes install them with.
//!
//! One that is not well formed is refused: no node could ever install it. One that this cluster does not permit passes with a
//! warning, since the configuration may follow; only the text of a RawSelinuxProfile must be permitted, as in the reference
//! operator, because it reaches the kernel's policy as it stands.
//!
//! An object whose spec stays as it is passes: it must be possible to remove a finalizer from one that an earlier release let in.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use spo_api::apparmor::v1::AppArmorProfileSpec;
use spo_api::raw_selinux::v1::RawSelinuxProfileSpec;
use spo_api::seccomp::v1::SeccompProfileSpec;
use spo_api::selinux::v1::SelinuxProfileSpec;
use spo_api::{FieldPath, ProfileKind, ProfileName, Violation};
use spo_lsm::{Policy, Spec, check, parse};

use super::decision::{Decision, LAG};
use super::observed::Observed;
use super::pod::Metadata;
use super::review::{Operation, Request};

/// The code of the API server's own validation.
const INVALID: u16 = 422;
/// A name that begins as the one will that the API server makes.
const GENERATED: &str = "x";

/// What to do with a profile.
pub(crate) fn decide(request: &Request<'_>, observed: &Observed) -> Decision {
    if !matches!(request.operation, Operation::Create | Operation::Update) || !request.sub_resource.is_empty() {
        return Decision::allowed();
    }
    match ProfileKind::from_kind(&request.kind.kind) {
        Some(ProfileKind::Seccomp) => profile::<SeccompProfileSpec>(request, observed),
        Some(ProfileKind::Selinux) => profile::<SelinuxProfileSpec>(request, observed),
        Some(ProfileKind::RawSelinux) => profile::<RawSelinuxProfileSpec>(request, observed),
        Some(ProfileKind::AppArmor) => profile::<AppArmorProfileSpec>(request, observed),
        None => Decision::refused(400, format!("a {} is no profile", request.kind.kind)),
    }
}

/// A profile as the API has it. Its older versions have the same fields.
#[derive(Deserialize)]
#[serde(bound = "S: DeserializeOwned")]
struct Object<S> {
    metadata: Metadata,
    spec: S,
}

fn profile<S: Spec + DeserializeOwned + PartialEq>(request: &Request<'_>, observed: &Observed) -> Decision {
    let object: Object<S> = match request.object() {
        Ok(object) => object,
        Err(error) => return Decision::unreadable(error),
    };
    let unchanged = |old: Object<S>| old.spec == object.spec;
    if request.operation == Operation::Update && request.old_object().is_ok_and(unchanged) {
        return Decision::allowed();
    }
    let judged = judge(&object, observed);
    let mut decision = match judged.refused.as_slice() {
        [] => Decision::allowed(),
        violations => {
            let all: Vec<String> = violations.iter().map(Violation::to_string).collect();
            Decision::refused(INVALID, format!("{} is not valid: {}", S::KIND, all.join("; ")))
        }
    };
    decision.warnings = judged.warned.iter().map(Violation::to_string).collect();
    decision.patience = judged.patience;
    decision
}

/// What is wrong with a profile.
#[derive(Default)]
struct Judged {
    refused: Vec<Violation>,
    warned: Vec<Violation>,
    patience: Duration,
}

fn judge<S: Spec>(object: &Object<S>, observed: &Observed) -> Judged {
    let name = match name(&object.metadata) {
        Ok(name) => name,
        Err(violation) => return Judged { refused: vec![violation], ..Judged::default() },
    };
    let profile = match parse(name, &object.spec) {
        Ok(profile) => profile,
        Err(refused) => return Judged { refused, ..Judged::default() },
    };
    let mut warned = profile.warnings().to_vec();
    let mut policy = observed.policy();
    if S::KIND == ProfileKind::RawSelinux {
        warned.extend(switched_off(&mut policy));
        let refused = check(&profile, &policy).err().unwrap_or_default();
        let patience = if refused.is_empty() { Duration::ZERO } else { LAG };
        return Judged { refused, warned, patience };
    }
    // A base profile is read by the node that installs the profile.
    let base = FieldPath::new("spec").child("baseProfileName");
    warned.extend(check(&profile, &policy).err().into_iter().flatten().filter(|violation| violation.path != base));
    Judged { warned, ..Judged::default() }
}

/// Says so if there are to be no RawSelinuxProfiles at all, and looks at the text all the same.
fn switched_off(policy: &mut Policy) -> Option<Violation> {
    let off = !std::mem::replace(&mut policy.selinux.raw, true);
    let reason = "is not installed while selinux.enableRawSelinuxProfiles is false in the operator's configuration";
    off.then(|| Violation::new(FieldPath::new("kind"), reason))
}

fn name(metadata: &Metadata) -> Result<ProfileName, Violation> {
    let name = match (metadata.name.as_deref(), metadata.generate_name.as_deref()) {
        (None | Some(""), Some(begin)) => format!("{begin}{GENERATED}"),
        (name, _) => name.unwrap_or_default().to_owned(),
    };
    name.parse().map_err(|error| Violation::new(FieldPath::new("metadata").child("name"), format!("{error}")))
}

#[cfg(test)]
mod tests;
