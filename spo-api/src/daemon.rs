//! SecurityProfilesOperatorDaemon: the configuration of the operator.

pub mod v1;
