//! Conversion of the types of `spo-api`, each with the one that belongs to it.

use serde::Serialize;
use serde::de::DeserializeOwned;
use spo_api::{apparmor, binding, daemon, node_status, raw_selinux, recording, seccomp, selinux};

use crate::error::{Error, Reason};
use crate::object::{UNNAMED, convert};
use crate::version::Version;

/// A kind in its older version, as a type of `spo-api`.
pub trait Old: Serialize + DeserializeOwned + sealed::Sealed {
    /// The same kind in `v1`.
    type V1: Serialize + DeserializeOwned;
    /// The older version.
    const VERSION: Version;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! pairs {
    ($($module:ident: $kind:ident, $version:ident $name:ident;)+) => {
        $(
            impl sealed::Sealed for $module::$version::$kind {}
            impl Old for $module::$version::$kind {
                type V1 = $module::v1::$kind;
                const VERSION: Version = Version::$name;
            }
        )+
    };
}

pairs! {
    seccomp: SeccompProfile, v1beta1 V1beta1;
    selinux: SelinuxProfile, v1alpha2 V1alpha2;
    raw_selinux: RawSelinuxProfile, v1alpha2 V1alpha2;
    apparmor: AppArmorProfile, v1alpha1 V1alpha1;
    binding: ProfileBinding, v1alpha1 V1alpha1;
    recording: ProfileRecording, v1alpha1 V1alpha1;
    node_status: SecurityProfileNodeStatus, v1alpha1 V1alpha1;
    daemon: SecurityProfilesOperatorDaemon, v1alpha1 V1alpha1;
}

/// An object of an older version in `v1`.
///
/// # Errors
/// A field that must be there is empty, and so is none in the converted object.
///
/// ```
/// use spo_api::recording::{v1, v1alpha1};
///
/// let spec = v1alpha1::ProfileRecordingSpec { recorder: v1alpha1::Recorder::Bpf, ..Default::default() };
/// let old = v1alpha1::ProfileRecording::new("web", spec);
/// let new: v1::ProfileRecording = spo_convert::to_v1(&old)?;
/// assert_eq!(new.spec.recorder, v1::Recorder::Bpf);
/// # Ok::<(), spo_convert::Error>(())
/// ```
pub fn to_v1<O: Old>(old: &O) -> Result<O::V1, Error> {
    through_json(old, Version::V1)
}

/// An object of `v1` in the older version. What that cannot hold is in an annotation of the result.
///
/// # Errors
/// As [`to_v1`]; and the annotations have no room for it.
///
/// ```
/// use spo_api::recording::{v1, v1alpha1};
///
/// let spec = v1::ProfileRecordingSpec { recorder: v1::Recorder::Logs, ..Default::default() };
/// let new = v1::ProfileRecording::new("web", spec);
/// let old: v1alpha1::ProfileRecording = spo_convert::from_v1(&new)?;
/// assert_eq!(old.spec.recorder, v1alpha1::Recorder::Logs);
/// # Ok::<(), spo_convert::Error>(())
/// ```
pub fn from_v1<O: Old>(new: &O::V1) -> Result<O, Error> {
    through_json(new, O::VERSION)
}

fn through_json<From: Serialize, To: DeserializeOwned>(object: &From, to: Version) -> Result<To, Error> {
    let failed = |error| Error { object: UNNAMED.to_owned(), reason: Reason::from(error) };
    let converted = convert(&serde_json::to_vec(object).map_err(failed)?, to)?;
    serde_json::from_slice(&converted).map_err(failed)
}
