//! SELinux: what a type of a container's own may do.
//!
//! Vocabulary: both kinds of profile become one CIL block on a node, named as the profile, and a pod runs with the block's type
//! `process`, so with `<profile>.process`. A [`Profile`] says in fields what that type inherits and what it may do; a
//! [`raw::Profile`] is the inside of the block, written out in [`cil`] by its author. [`Limits`] is what a cluster permits both to say.
//!
//! # What a profile may not say
//!
//! A profile acts on its own type. [`Denied`] types, classes and permissions are refused by name, in both kinds and however a name is
//! written: CIL knows `shadow_t` as `.shadow_t` too, and `all` and `not` stand for permissions that nobody named. What the loaded policy
//! knows under another name, a type by its alias or as a part of an attribute, cannot be told from the profile, and is not judged.
//!
//! # From profile to profile
//!
//! [`merge`] gives what two profiles permit, [`diff`] how they differ in that, [`to_spec`] the `spec` of the API, and [`from_cil`] reads a
//! module back. What inherited policies permit is not looked at, since it is the host's to say.
//!
//! ```
//! use spo_api::selinux::v1::SelinuxProfileSpec;
//! use spo_lsm::{Policy, check, parse, render};
//!
//! let spec: SelinuxProfileSpec =
//!     serde_json::from_str(r#"{"inherit": [{"name": "container"}], "allow": {"var_log_t": {"file": ["read", "open"]}}}"#)?;
//! let profile = parse("web".parse()?, &spec).map_err(|violations| violations[0].to_string())?;
//! let checked = check(&profile, &Policy::default()).map_err(|violations| violations[0].to_string())?;
//! let artifact = render(&checked);
//! assert_eq!(artifact.file_name, "web.cil");
//! assert_eq!(
//!     String::from_utf8(artifact.bytes)?,
//!     "(block web\n(blockinherit container)\n(allow process var_log_t ( file ( open read )))\n)\n"
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod cil;
pub mod raw;

mod check;
mod denied;
mod diff;
mod effect;
mod import;
mod inherit;
mod limits;
mod merge;
mod model;
mod name;
mod parse;
mod render;
mod spec;

pub(crate) use check::check;
pub use denied::Denied;
pub use diff::{Diff, Part, Rule, diff};
pub use import::{ImportError, Imported, Unread, from_cil};
pub use limits::Limits;
pub use merge::{MergeError, merge};
pub use model::{Inherit, Profile, SELF};
#[cfg(feature = "host")]
pub(crate) use name::MAX_MODULE_BYTES;
pub use parse::parse;
pub use render::to_cil;
pub use spec::to_spec;
