//! What the four kinds of profile have in common.

use kube::Resource;

use crate::apparmor::v1::AppArmorProfile;
use crate::raw_selinux::v1::RawSelinuxProfile;
use crate::seccomp::v1::SeccompProfile;
use crate::selinux::v1::SelinuxProfile;
use crate::{AdminState, InvalidName, ProfileKey, ProfileKind, ProfileState, first_state};

/// A profile of any kind, in the stored version.
///
/// ```
/// use spo_api::seccomp::v1::{SeccompProfile, SeccompProfileSpec};
/// use spo_api::{AdminState, ProfileState, SecurityProfile as _};
///
/// let spec = SeccompProfileSpec { state: Some(AdminState::Disabled), ..Default::default() };
/// let profile = SeccompProfile::new("web", spec);
/// assert!(!profile.is_reconcilable());
/// assert_eq!(profile.first_state(), ProfileState::Disabled);
/// assert_eq!(profile.key()?.to_string(), "SeccompProfile/web");
/// # Ok::<(), spo_api::InvalidName>(())
/// ```
pub trait SecurityProfile: Resource<DynamicType = ()> {
    /// The kind.
    const KIND: ProfileKind;

    /// `spec.state`.
    fn admin_state(&self) -> Option<AdminState>;

    /// `status.status`: how far the profile has come over all nodes.
    fn state(&self) -> Option<ProfileState>;

    /// Which profile it is.
    ///
    /// # Errors
    /// If it has no name yet, or one that no API server would have let through.
    fn key(&self) -> Result<ProfileKey, InvalidName> {
        let name = self.meta().name.as_deref().unwrap_or_default().parse()?;
        Ok(ProfileKey { kind: Self::KIND, name })
    }

    /// The state that a node starts from.
    fn first_state(&self) -> ProfileState {
        first_state(self.admin_state(), self.meta().labels.as_ref())
    }

    /// Whether nodes install it: it is neither switched off nor partial.
    fn is_reconcilable(&self) -> bool {
        self.first_state() == ProfileState::Pending
    }
}

macro_rules! profiles {
    ($($object:ident is $kind:ident,)+) => {
        $(impl SecurityProfile for $object {
            const KIND: ProfileKind = ProfileKind::$kind;

            fn admin_state(&self) -> Option<AdminState> {
                self.spec.state
            }

            fn state(&self) -> Option<ProfileState> {
                self.status.as_ref().and_then(|status| status.status)
            }
        })+
    };
}

profiles! {
    SeccompProfile is Seccomp,
    SelinuxProfile is Selinux,
    RawSelinuxProfile is RawSelinux,
    AppArmorProfile is AppArmor,
}
