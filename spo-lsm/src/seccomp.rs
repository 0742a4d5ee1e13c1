//! Seccomp: which system calls a process may make.
//!
//! Vocabulary: a [`Profile`] has a default [`Effect`] and [`Entry`]s; an entry gives some calls, by name, an effect, under
//! [`Condition`]s on their arguments. [`evaluate`] says what happens to one call, [`compile`] makes the [`Program`] that tells the
//! kernel; both work from the same table of decisions by number, one per ABI.
//!
//! # What a profile means
//!
//! The file that a node keeps is read by runc, crun or youki, and given to libseccomp. The meaning here is what they make of it, and
//! the tests compare it with libseccomp's on random profiles and calls:
//!
//! 1. An entry whose effect equals the default effect does nothing.
//! 2. A call that an ABI does not have is left out for this ABI.
//! 3. Of several entries for one call, the first without conditions decides alone.
//! 4. Else entries whose conditions all hold decide. If their effects differ, the most restrictive one wins; libseccomp's answer
//!    depends on the order of its tree there, and [`Profile::warnings`] says so.
//! 5. Conditions of one entry must all hold, but if two of them are about the same argument, each counts as an entry of its own.
//! 6. On x86 and x32 only the lower 32 bits of an argument are compared.
//! 7. On x86 an entry for a socket or System V IPC call counts for `socketcall` or `ipc` with this sub-call too, its condition on the
//!    first argument replaced.
//! 8. Conditions that look at no bit of an argument are none.
//! 9. A call of an architecture that the profile does not list, other than the machine's own, kills the thread.
//!
//! libseccomp loses the entries of some profiles on some architectures, and mixes up some entries for one call; [`Profile::warnings`] says so.

mod assemble;
mod bpf;
mod check;
mod combine;
mod compare;
mod compile;
mod condition;
mod contradiction;
mod diff;
mod evaluate;
mod intersect;
mod json;
mod lost;
mod lower;
mod merge;
mod model;
mod multiplex;
mod oci;
mod parse;
mod resolve;
mod space;
mod spec;
mod subset;
mod tree;
mod union;
mod written;

pub use bpf::{Instruction, Program};
#[cfg(feature = "host")]
pub(crate) use check::RESERVED_FILE;
pub(crate) use check::check;
pub use compile::{CompileError, MAX_INSTRUCTIONS, compile, compile_notifying};
pub use condition::{Argument, Condition, Test};
pub use diff::{Calls, Change, Diff, Permits, Setting, diff};
pub use evaluate::{Call, Verdict, evaluate};
pub use intersect::{IntersectError, Intersection, intersect};
pub use json::{Form, to_json};
pub use merge::{MergeError, merge};
pub use model::{Base, Effect, Entry, Profile};
pub use oci::{MAX_BYTES, OciError, parse_oci};
pub use parse::parse;
pub use resolve::{LookupError, MAX_CHAIN, ResolveError, resolve};
pub use spec::{SpecError, to_spec};
pub use subset::{Excess, SubsetError, excess};
pub use union::union;
