//! SecurityProfileNodeStatus: how far one profile has come on one node.

pub mod v1;
