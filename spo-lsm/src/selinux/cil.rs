//! CIL, the language of SELinux policy modules, as far as its form goes: bytes in, a tree out.
//!
//! The reader sees what libsepol's sees, and takes nothing that libsepol would not: two readers that disagree about where a comment
//! ends are how a statement hides from the one that checks. What that means in particular:
//!
//! - A comment goes from `;` to the end of its line. A carriage return ends a line for libsepol too, except between two quotes, so
//!   one without a line feed is refused.
//! - `"block"` in quotes is the same word as `block` without. Quotes end in the line in which they begin.
//! - What is neither a word, a quoted word, a parenthesis, a blank nor in a comment is refused.
//!
//! What statements mean is no matter of this module.
//!
//! ```
//! use spo_lsm::selinux::cil;
//!
//! let policy = cil::parse(b"(allow process var_log_t (file (read))) ; (user x)")?;
//! assert_eq!(policy.len(), 1);
//! assert_eq!(policy[0].to_string(), "(allow process var_log_t (file (read)))");
//!
//! let error = cil::parse(b"(type process))").unwrap_err();
//! assert!(error.to_string().starts_with("line 1, column 15: "));
//! # Ok::<(), spo_lsm::selinux::cil::CilError>(())
//! ```

mod error;
mod position;
mod token;
mod tree;

pub use error::CilError;
pub use position::Position;
pub(super) use tree::parse_from;
pub use tree::{List, Node, Word, parse};

/// The longest policy that is read, in characters, as the schema of the API has it.
pub const MAX_CHARACTERS: usize = 500_000;

/// The longest word that is read: libsepol takes no longer name.
pub const MAX_WORD_BYTES: usize = 2048;

/// How deep parentheses may be nested. Rules need five levels; libsepol itself stops at some thousands, or does not stop at all.
pub const MAX_DEPTH: usize = 128;
