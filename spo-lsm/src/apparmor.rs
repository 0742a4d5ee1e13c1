//! AppArmor: which files, networks and capabilities a program may use.
//!
//! Vocabulary: a [`Profile`] has [`Pattern`]s of files for each way to use them, [`Capability`]s and networks; the words of the API stand
//! for several AppArmor rules each. Its text is made from rules and not from templates: a rule knows how it is quoted, so that no path,
//! name or capability can become another rule.
//!
//! # Denials in the text
//!
//! What no rule permits is refused and logged, so no denial is written that only repeats it. Two kinds are: a path that may only be read,
//! inside of what may be written (or the other way round), is an exception, as with `/etc/app/**` read-write and `/etc/app/key` read-only;
//! and what no container may do to the machine stays refused, whatever is permitted. Both are logged, as other refusals are. There is no
//! exception where it would take away what the profile permits inside of it: with `/data/**` read-only and `/data/tmp/*` read-write, the
//! first says nothing about writing. Nothing is denied in complain mode, where the kernel would enforce it.
//!
//! # Back from the text
//!
//! [`parse_text`] reads a text of ours back, and of one that others wrote as much as an AppArmorProfile can say; each rule that became
//! less or more, or nothing, is told with its line.
//!
//! # Comparing and merging
//!
//! [`merge`] and [`diff`] judge what profiles permit, not how they are written, with a [`Glob`] for each path; a profile in complain mode
//! is judged as if it were enforced.
//!
//! ```
//! use spo_api::apparmor::v1::AppArmorProfileSpec;
//! use spo_lsm::{Policy, check, parse, render};
//!
//! let spec: AppArmorProfileSpec = serde_json::from_str(
//!     r#"{"mode": "Complain", "abstract": {"filesystem": {"readOnlyPaths": ["/etc/passwd", "/srv/My Documents/**"]}}}"#,
//! )?;
//! let profile = parse("web".parse()?, &spec).map_err(|violations| violations[0].to_string())?;
//! let checked = check(&profile, &Policy::default()).map_err(|violations| violations[0].to_string())?;
//! let artifact = render(&checked);
//! let text = String::from_utf8(artifact.bytes)?;
//! assert!(text.contains("  /etc/passwd r,\n  \"/srv/My Documents/**\" r,\n"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod access;
mod capability;
mod diff;
mod glob;
mod import;
mod index;
mod merge;
mod model;
mod name;
mod parse;
mod pattern;
mod ptrace;
mod quoted;
mod rules;
mod spec;
mod text;
mod uses;

pub use capability::{Capability, UnknownCapability};
pub use diff::{Diff, Permission, diff};
pub use glob::{Glob, InvalidGlob};
pub use import::{ImportError, Imported, Unread, parse_text};
pub use merge::{MergeError, merge};
pub use model::{Network, Profile};
pub use name::{InvalidName, Name};
pub use parse::parse;
pub use pattern::{InvalidPattern, Pattern};
pub use ptrace::Ptrace;
pub use spec::to_spec;
pub use text::to_text;
#[cfg(feature = "host")]
pub(crate) use text::{HEADER, HEADER_BY_HAND, is_marked, loaded_as};
pub use uses::Uses;
