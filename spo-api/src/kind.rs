//! The kinds of the API, and what is known of each before any object is read: its resource, its scope, its versions.
//!
//! This is the one table of versions. The definitions are made by it, and conversion reads it.

use crate::words::words;

/// The version that every kind is stored in.
pub const STORED_VERSION: &str = "v1";

words! {
    /// The eight kinds of the API.
    ///
    /// ```
    /// use spo_api::Kind;
    ///
    /// let kind: Kind = "SelinuxProfile".parse()?;
    /// assert_eq!(kind.plural(), "selinuxprofiles");
    /// assert_eq!(kind.versions(), ["v1", "v1alpha2"]);
    /// # Ok::<(), spo_api::UnknownWord>(())
    /// ```
    #[derive(PartialOrd, Ord)]
    #[expect(missing_docs, reason = "the names are those of the kinds")]
    pub enum Kind("a kind of this API group") {
        SeccompProfile = "SeccompProfile",
        SelinuxProfile = "SelinuxProfile",
        RawSelinuxProfile = "RawSelinuxProfile",
        AppArmorProfile = "AppArmorProfile",
        ProfileBinding = "ProfileBinding",
        ProfileRecording = "ProfileRecording",
        SecurityProfileNodeStatus = "SecurityProfileNodeStatus",
        SecurityProfilesOperatorDaemon = "SecurityProfilesOperatorDaemon",
    }
}

/// What is known of a kind.
struct Facts {
    plural: &'static str,
    old_version: &'static str,
    namespaced: bool,
}

const fn cluster(plural: &'static str, old_version: &'static str) -> Facts {
    Facts { plural, old_version, namespaced: false }
}

const fn namespaced(plural: &'static str, old_version: &'static str) -> Facts {
    Facts { plural, old_version, namespaced: true }
}

impl Kind {
    const fn facts(self) -> Facts {
        match self {
            Self::SeccompProfile => cluster("seccompprofiles", "v1beta1"),
            Self::SelinuxProfile => cluster("selinuxprofiles", "v1alpha2"),
            Self::RawSelinuxProfile => cluster("rawselinuxprofiles", "v1alpha2"),
            Self::AppArmorProfile => cluster("apparmorprofiles", "v1alpha1"),
            Self::ProfileBinding => namespaced("profilebindings", "v1alpha1"),
            Self::ProfileRecording => namespaced("profilerecordings", "v1alpha1"),
            Self::SecurityProfileNodeStatus => cluster("securityprofilenodestatuses", "v1alpha1"),
            Self::SecurityProfilesOperatorDaemon => namespaced("securityprofilesoperatordaemons", "v1alpha1"),
        }
    }

    /// The name of the resource, as URLs and RBAC rules spell it.
    pub const fn plural(self) -> &'static str {
        self.facts().plural
    }

    /// The version besides [`STORED_VERSION`] that is served; each kind has one.
    pub const fn old_version(self) -> &'static str {
        self.facts().old_version
    }

    /// The versions that are served, the stored one first.
    pub const fn versions(self) -> [&'static str; 2] {
        [STORED_VERSION, self.old_version()]
    }

    /// Whether objects of the kind are in a namespace.
    pub const fn is_namespaced(self) -> bool {
        self.facts().namespaced
    }

    /// The name of its CustomResourceDefinition.
    pub fn crd_name(self) -> String {
        format!("{}.{}", self.plural(), crate::GROUP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_that_of_the_types() {
        for (crd, kind) in crate::crds().iter().zip(Kind::ALL) {
            assert_eq!(crd.metadata.name.as_deref(), Some(&*kind.crd_name()));
            assert_eq!((&*crd.spec.names.kind, &*crd.spec.names.plural), (kind.as_str(), kind.plural()));
            assert_eq!(crd.spec.scope == "Namespaced", kind.is_namespaced(), "{kind}");
            let versions: Vec<_> = crd.spec.versions.iter().map(|version| &*version.name).collect();
            assert_eq!(versions, kind.versions(), "{kind}");
            assert!(crd.spec.versions.iter().all(|version| version.storage == (version.name == STORED_VERSION)));
        }
    }

    #[test]
    fn a_kind_of_others_is_refused_with_the_right_ones() {
        let error = "Pod".parse::<Kind>().unwrap_err().to_string();
        assert!(error.starts_with("\"Pod\" is not a kind of this API group; expected SeccompProfile, "), "{error}");
        assert!("seccompprofile".parse::<Kind>().is_err());
    }
}
