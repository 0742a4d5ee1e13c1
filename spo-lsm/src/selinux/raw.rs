//! RawSelinuxProfile: the inside of a profile's block, written out in CIL.
//!
//! What is written is read as libsepol reads it, and judged by what it does:
//!
//! - Statements that act outside of the block, or open another one in which anything could stand, are refused; so is what no reader of
//!   ours knows. [`PERMITTED`] are all that may be used.
//! - Statements that also have a meaning for names of others are refused where they are used so: a type is put into an attribute, an alias
//!   given, a bound set, a level changed for types that the profile declares itself.
//! - Rules may be about any type, as in the reference, also about one type of others and another. Denied types, classes and permissions
//!   are refused in them, by [`check`](crate::check), wherever in a rule they are named.
//! - `blockinherit` takes what the cluster permits as a template, and other SelinuxProfiles.
//!
//! ```
//! use spo_api::raw_selinux::v1::RawSelinuxProfileSpec;
//! use spo_lsm::{Policy, check, parse, render};
//!
//! let spec = RawSelinuxProfileSpec {
//!     policy: Some("(blockinherit container)\n(allow process var_log_t (file (read)))\n".to_owned()),
//!     ..RawSelinuxProfileSpec::default()
//! };
//! let profile = parse("web".parse()?, &spec).map_err(|violations| violations[0].to_string())?;
//! let checked = check(&profile, &Policy::default()).map_err(|violations| violations[0].to_string())?;
//! assert_eq!(
//!     String::from_utf8(render(&checked).bytes)?,
//!     "(block web\n    (blockinherit container)\n    (allow process var_log_t (file (read)))\n)\n"
//! );
//!
//! let outside = RawSelinuxProfileSpec { policy: Some("(typepermissive spc_t)".to_owned()), ..spec };
//! assert!(parse("web".parse()?, &outside).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod check;
mod declared;
mod diff;
mod judge;
mod model;
mod parse;
mod render;
mod rule;
mod statement;

pub(crate) use check::check;
pub use diff::{Diff, diff};
pub use model::Profile;
pub use parse::parse;
pub use render::to_cil;
pub use statement::PERMITTED;
