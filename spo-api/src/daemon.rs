//! SecurityProfilesOperatorDaemon: the configuration of the operator.

pub mod v1;
pub mod v1alpha1;
