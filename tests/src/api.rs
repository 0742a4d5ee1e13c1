//! Our programs beside a real API server, without a node: what tests of the layer `api` share.

pub mod process;
pub mod proxy;
pub mod restart;
pub mod server;
pub mod service;
