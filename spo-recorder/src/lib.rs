//! Records what a workload does, and drafts the profile that it needs.
//!
//! A source tells [`Event`]s, an [`Observation`] takes them in, whatever their order, and [`draft`] makes of it a profile and
//! says how [complete](draft::Completeness) it is. One source is here: [`bpf`], by which the kernel notes the system calls of a
//! process tree, of an executable or of containers, from their first instruction on and by the ABI that each was made with.
//!
//! ```no_run
//! use std::process::Command;
//! use spo_recorder::bpf::{Recorder, Request};
//! use spo_recorder::{base, draft};
//!
//! let mut recorder = Recorder::start(&Request::tree())?;
//! let (mut child, slot) = recorder.spawn(Command::new("date"))?;
//! child.wait()?;
//! recorder.wait_tree(slot, None)?;
//! let seen = recorder.take(slot)?;
//! let how = draft::Draft { base: base::BASE_SYSCALLS, ..draft::Draft::default() };
//! let (profile, completeness) = draft::seccomp(&seen, &how);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The crate does not decide what is recorded, writes no file and starts no thread.
#![warn(missing_docs)]

pub mod base;
pub mod bpf;
pub mod draft;

mod event;
mod observe;
mod sys;

pub use event::{Event, Loss};
pub use observe::{Losses, Observation};
