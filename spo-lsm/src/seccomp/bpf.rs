//! Classic BPF, as far as seccomp filters use it.
//!
//! The instruction format is `struct sock_filter` of the kernel's `linux/filter.h`; what a filter sees is `struct seccomp_data` of
//! `linux/seccomp.h`.

use std::fmt;

/// One instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct Instruction {
    /// What it does.
    pub code: u16,
    /// How many instructions are passed over if a comparison holds.
    pub jt: u8,
    /// How many, if it does not.
    pub jf: u8,
    /// Its operand.
    pub k: u32,
}

/// A filter for the kernel.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Program(Vec<Instruction>);

impl Program {
    pub(super) fn new(instructions: Vec<Instruction>) -> Self {
        Self(instructions)
    }

    /// The instructions, in order.
    pub fn instructions(&self) -> &[Instruction] {
        &self.0
    }
}

/// Load a word of `seccomp_data` at an offset.
pub(super) const LOAD: u16 = 0x20;
/// Keep these bits.
pub(super) const AND: u16 = 0x54;
/// Jump by the operand.
pub(super) const JUMP: u16 = 0x05;
/// End with the operand as answer.
pub(super) const RETURN: u16 = 0x06;

/// A comparison of the loaded word with the operand, unsigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compare {
    Equal,
    Greater,
    GreaterEqual,
}

impl Compare {
    pub(super) const fn code(self) -> u16 {
        match self {
            Self::Equal => 0x15,
            Self::Greater => 0x25,
            Self::GreaterEqual => 0x35,
        }
    }
}

/// Offsets into `struct seccomp_data`, on little-endian machines: nr, arch, instruction pointer, six arguments of 64 bits.
pub(super) mod data {
    pub(in crate::seccomp) const NUMBER: u32 = 0;
    pub(in crate::seccomp) const ARCH: u32 = 4;

    /// The lower half of an argument.
    pub(in crate::seccomp) const fn low(argument: u8) -> u32 {
        16 + 8 * argument as u32
    }

    /// The upper half of an argument.
    pub(in crate::seccomp) const fn high(argument: u8) -> u32 {
        low(argument) + 4
    }
}

/// As `bpf_dbg` and libseccomp's `scmp_bpf_disasm` show a filter: a line number, then the instruction, its jumps as line numbers.
impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .enumerate()
            .try_for_each(|(line, instruction)| writeln!(f, "{line:4}  {}", Line(line, *instruction)))
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Program")?;
        fmt::Display::fmt(self, f)
    }
}

struct Line(usize, Instruction);

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(line, Instruction { code, jt, jf, k }) = *self;
        let comparison = |name: &str, f: &mut fmt::Formatter<'_>| {
            write!(f, "{name} {k:#x}, {}, {}", line + 1 + usize::from(jt), line + 1 + usize::from(jf))
        };
        match code {
            LOAD => write!(f, "ld [{k}]"),
            AND => write!(f, "and {k:#x}"),
            JUMP => write!(f, "ja {}", line + 1 + k as usize),
            RETURN => write!(f, "ret {k:#x}"),
            _ if code == Compare::Equal.code() => comparison("jeq", f),
            _ if code == Compare::Greater.code() => comparison("jgt", f),
            _ if code == Compare::GreaterEqual.code() => comparison("jge", f),
            _ => write!(f, "unknown {code:#x}"),
        }
    }
}
