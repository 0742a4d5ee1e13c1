//! The proof that a filter loads: a throw-away process loads it.

use spo_api::seccomp::Flag;
use spo_api::syscalls::Abi;

use super::seccomp::bits;
use super::{HostError, sys};
use crate::Digest;
use crate::seccomp::{Call, Effect, Profile, Program, evaluate};

/// What was proven when `program` was: the filter, and the flags it was loaded with.
pub(super) fn proof(profile: &Profile, program: &Program) -> Digest {
    let mut bytes = flags(profile).to_le_bytes().to_vec();
    for instruction in program.instructions() {
        bytes.extend_from_slice(&instruction.code.to_le_bytes());
        bytes.extend_from_slice(&[instruction.jt, instruction.jf]);
        bytes.extend_from_slice(&instruction.k.to_le_bytes());
    }
    Digest::of(&bytes)
}

/// Loads `program` in a process of its own.
pub(super) fn prove(profile: &Profile, program: &Program) -> Result<(), HostError> {
    let flags = flags(profile);
    let instructions = program.instructions();
    match sys::load_in_child(flags, instructions, may_exit(profile)) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(errno)) => Err(HostError::Refused { instructions: instructions.len(), flags, errno }),
        Err(errno) => Err(HostError::Prove(errno)),
    }
}

/// The flags of the profile, but for the one about threads: the throw-away process has one.
fn flags(profile: &Profile) -> u32 {
    let flags: Vec<Flag> = profile.flags().iter().copied().filter(|flag| *flag != Flag::Tsync).collect();
    bits(&flags, profile.notifies())
}

/// Whether a process under the filter can end by itself. One that cannot is killed instead: ending it by a refused call would leave
/// audit records of a violation that no workload committed.
fn may_exit(profile: &Profile) -> bool {
    let native = Abi::native();
    let exit = native.number("exit_group").map(|nr| Call { abi: native, nr, args: [0; 6] });
    exit.is_some_and(|call| evaluate(profile, native, &call).effect() == Effect::Allow)
}
