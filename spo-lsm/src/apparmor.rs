//! AppArmor: which files, networks and capabilities a program may use.
//!
//! Vocabulary: a [`Profile`] has [`Pattern`]s of files for each way to use them, [`Capability`]s and networks; the words of the API stand
//! for several AppArmor rules each. Its text is made from rules and not from templates: a rule knows how it is quoted, so that no path,
//! name or capability can become another rule.
//!
//! # Denials in the text
//!
//! What no rule permits is refused, so a denial is there for what it does beyond that: it wins over every permission, and it keeps its
//! refusals out of the log. As in the reference, a path that may only be read is denied to be written, and the other way round. Not so
//! where that would take away what the profile permits inside of it: with `/data/**` read-only and `/data/tmp/*` read-write, the first is
//! not denied to be written, as the second would be of no use. The other way round, a single read-only file inside of what may be
//! written, is an exception, and denied. Nothing is denied in complain mode, where the kernel would enforce it.
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

mod capability;
mod covers;
mod model;
mod name;
mod parse;
mod pattern;
mod ptrace;
mod quoted;
mod rules;
mod text;

pub use capability::{Capability, UnknownCapability};
pub use model::{Network, Profile};
pub use name::{InvalidName, Name};
pub use parse::parse;
pub use pattern::{InvalidPattern, Pattern};
pub use ptrace::Ptrace;
pub use text::to_text;
