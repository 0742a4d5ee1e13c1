//! The certificate that HTTPS is served with, and whoever has to trust it.
//!
//! It comes from a Secret or from a folder, and is exchanged without a restart. Where nobody else provides it, the operator does:
//! an authority of its own in the Secret `webhook-ca`, a serving certificate in the Secret `webhook-server-cert`, and the
//! authority in each *consumer*: the definitions and webhook configurations by which API servers call this program.
//!
//! `identity` is what is served right now. `x509` reads certificates, `authority` makes them, `secret` reads and writes the two
//! Secrets, `consumer` the consumers. What has to be done is decided by the pure [`plan`], from what was observed and the time;
//! `world` is what was observed, [`keeper`] the loop that observes and applies. `folder` is the other source.
//! `metrics` does the same, of the same authority, for the certificate that the daemons serve metrics with.
//!
//! Vocabulary: a *bundle* is the certificates that a consumer trusts. While one authority follows another, it holds both.

mod authority;
mod consumer;
mod folder;
mod identity;
mod keeper;
mod metrics;
mod plan;
mod secret;
mod world;
mod x509;

pub(crate) use folder::Folder;
pub(crate) use identity::Identity;
pub(crate) use keeper::Keeper;
