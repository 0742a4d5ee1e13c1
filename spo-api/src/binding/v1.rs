//! ProfileBinding, version `v1`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ProfileKind;
use crate::schema::set;
use crate::words::words;

/// A binding: containers of one image, in the namespace of the binding, get one profile.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "security-profiles-operator.x-k8s.io",
    version = "v1",
    kind = "ProfileBinding",
    doc = "A binding: containers of one image, in the namespace of the binding, get one profile.",
    plural = "profilebindings",
    namespaced,
    status = "ProfileBindingStatus",
    schema = "manual",
    derive = "PartialEq",
    derive = "Default"
)]
#[serde(rename_all = "camelCase")]
pub struct ProfileBindingSpec {
    /// The profile.
    pub profile_ref: ProfileRef,
    /// The image, written exactly as the container does, or `*` for the whole pod whatever its images.
    #[schemars(length(min = 1))]
    pub image: String,
    /// The pods that it is for, by their labels; every pod of the namespace if it is missing or empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::kubernetes::label_selector")]
    pub pod_selector: Option<LabelSelector>,
}

crate::schema::kind!(ProfileBinding, spec required);

/// A profile of the cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProfileRef {
    /// Its kind.
    pub kind: BoundKind,
    /// Its name.
    #[schemars(length(min = 1))]
    pub name: String,
}

words! {
    /// The kinds of profile that can be bound.
    #[derive(Default)]
    #[expect(missing_docs, reason = "the names are those of the kinds")]
    pub enum BoundKind("a kind of profile that can be bound") {
        #[default]
        SeccompProfile = "SeccompProfile",
        SelinuxProfile = "SelinuxProfile",
        AppArmorProfile = "AppArmorProfile",
        RawSelinuxProfile = "RawSelinuxProfile",
    }
}

impl From<BoundKind> for ProfileKind {
    fn from(kind: BoundKind) -> Self {
        match kind {
            BoundKind::SeccompProfile => Self::Seccomp,
            BoundKind::SelinuxProfile => Self::Selinux,
            BoundKind::AppArmorProfile => Self::AppArmor,
            BoundKind::RawSelinuxProfile => Self::RawSelinux,
        }
    }
}

/// What a ProfileBinding is used by.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProfileBindingStatus {
    /// The pods that it applies to, as `<namespace>/<pod>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = set)]
    pub active_workloads: Option<Vec<String>>,
}
