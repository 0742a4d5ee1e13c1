//! ProfileBinding, version `v1alpha1`: `v1` without what was added to that since.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::v1::{ProfileBindingStatus, ProfileRef};

/// A binding: containers of one image, in the namespace of the binding, get one profile.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "security-profiles-operator.x-k8s.io",
    version = "v1alpha1",
    kind = "ProfileBinding",
    doc = "A binding: containers of one image, in the namespace of the binding, get one profile.",
    plural = "profilebindings",
    namespaced,
    status = "ProfileBindingStatus",
    schema = "manual",
    storage = false,
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
}

crate::schema::kind!(ProfileBinding, spec required);
