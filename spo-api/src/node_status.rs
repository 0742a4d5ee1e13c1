//! SecurityProfileNodeStatus: how far one profile has come on one node.

pub mod v1;
pub mod v1alpha1;
