//! The system calls of Linux: their names, and their numbers on each ABI.
//!
//! An [`Abi`] is what decides which call a number is: a 64-bit x86 kernel serves three of them. The tables below come from
//! `cargo xtask generate`; they hold what Linux 7.0 has, so a name that [`is_known`] refuses is either misspelt or newer.
//!
//! ```
//! use spo_api::syscalls::Abi;
//!
//! assert_eq!(Abi::X86_64.number("openat"), Some(257));
//! assert_eq!(Abi::X86.name(295), Some("openat"));
//! ```

use std::fmt;

use crate::seccomp::Arch;

mod aarch64;
mod elsewhere;
mod x32;
mod x86;
mod x86_64;

/// The bit that tells a call of [`Abi::X32`] from one of [`Abi::X86_64`]: the kernel gives both the same architecture.
pub const X32_BIT: u32 = 0x4000_0000;

/// `AUDIT_ARCH_*` of the kernel's `linux/audit.h`: the ELF machine, and bits for 64-bit and little endian.
mod audit {
    const BITS_64: u32 = 0x8000_0000;
    const LITTLE_ENDIAN: u32 = 0x4000_0000;

    pub(super) const X86_64: u32 = 62 | BITS_64 | LITTLE_ENDIAN;
    pub(super) const I386: u32 = 3 | LITTLE_ENDIAN;
    pub(super) const AARCH64: u32 = 183 | BITS_64 | LITTLE_ENDIAN;
}

/// The way a program makes system calls: which number means which call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Abi {
    /// 64-bit x86.
    X86_64,
    /// 32-bit x86: `int 0x80`, also from a 64-bit program.
    X86,
    /// 64-bit x86 with 32-bit pointers; its numbers carry [`X32_BIT`].
    X32,
    /// 64-bit ARM.
    Aarch64,
}

/// The calls of one ABI in the order of their numbers, and their positions in the order of their names.
struct Table {
    calls: &'static [(u32, &'static str)],
    by_name: &'static [u16],
}

impl Abi {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::X86_64, Self::X86, Self::X32, Self::Aarch64];

    /// The ABI that this program was built for.
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "x86"))]
    pub const fn native() -> Self {
        if cfg!(target_arch = "aarch64") {
            Self::Aarch64
        } else if cfg!(target_arch = "x86") {
            Self::X86
        } else if cfg!(target_pointer_width = "32") {
            Self::X32
        } else {
            Self::X86_64
        }
    }

    /// What a profile calls it.
    pub const fn arch(self) -> Arch {
        match self {
            Self::X86_64 => Arch::X86_64,
            Self::X86 => Arch::X86,
            Self::X32 => Arch::X32,
            Self::Aarch64 => Arch::Aarch64,
        }
    }

    /// The ABI that a profile's architecture means on a machine whose own is `native`; none if we have no table for it.
    pub const fn from_arch(arch: Arch, native: Self) -> Option<Self> {
        match arch {
            Arch::Native => Some(native),
            Arch::X86_64 => Some(Self::X86_64),
            Arch::X86 => Some(Self::X86),
            Arch::X32 => Some(Self::X32),
            Arch::Aarch64 => Some(Self::Aarch64),
            Arch::Arm
            | Arch::Mips
            | Arch::Mips64
            | Arch::Mips64N32
            | Arch::Mipsel
            | Arch::Mipsel64
            | Arch::Mipsel64N32
            | Arch::Ppc
            | Arch::Ppc64
            | Arch::Ppc64Le
            | Arch::S390
            | Arch::S390x
            | Arch::Parisc
            | Arch::Parisc64
            | Arch::Riscv64 => None,
        }
    }

    /// The value of `AUDIT_ARCH_*` that the kernel reports with a call, to seccomp filters and in audit records.
    pub const fn audit_arch(self) -> u32 {
        match self {
            Self::X86_64 | Self::X32 => audit::X86_64,
            Self::X86 => audit::I386,
            Self::Aarch64 => audit::AARCH64,
        }
    }

    /// The ABI of a call, from what the kernel reports with it.
    ///
    /// On x86_64 the numbers from [`X32_BIT`] on are those of x32, but for the last: -1 is what a tracer puts in the place of a
    /// call that it wants skipped.
    pub const fn from_audit(audit_arch: u32, number: u32) -> Option<Self> {
        match audit_arch {
            audit::X86_64 if number >= X32_BIT && number != u32::MAX => Some(Self::X32),
            audit::X86_64 => Some(Self::X86_64),
            audit::I386 => Some(Self::X86),
            audit::AARCH64 => Some(Self::Aarch64),
            _ => None,
        }
    }

    /// Whether arguments are 32 bits wide.
    pub const fn is_32_bit(self) -> bool {
        match self {
            Self::X86 | Self::X32 => true,
            Self::X86_64 | Self::Aarch64 => false,
        }
    }

    /// The name of the call with this number.
    pub fn name(self, number: u32) -> Option<&'static str> {
        let calls = self.table().calls;
        calls.binary_search_by_key(&number, |call| call.0).ok().map(|position| calls[position].1)
    }

    /// The number of the call with this name.
    pub fn number(self, name: &str) -> Option<u32> {
        let Table { calls, by_name } = self.table();
        let found = by_name.binary_search_by_key(&name, |&position| calls[usize::from(position)].1).ok()?;
        Some(calls[usize::from(by_name[found])].0)
    }

    /// Every call, by number.
    pub fn calls(self) -> impl ExactSizeIterator<Item = (u32, &'static str)> {
        self.table().calls.iter().copied()
    }

    fn table(self) -> &'static Table {
        match self {
            Self::X86_64 => &x86_64::TABLE,
            Self::X86 => &x86::TABLE,
            Self::X32 => &x32::TABLE,
            Self::Aarch64 => &aarch64::TABLE,
        }
    }
}

/// As the kernel and `uname` spell it: `x86_64`, `x86`, `x32`, `aarch64`.
impl fmt::Display for Abi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::X86_64 => "x86_64",
            Self::X86 => "x86",
            Self::X32 => "x32",
            Self::Aarch64 => "aarch64",
        })
    }
}

/// Whether any architecture of Linux has a call of this name, also one that we have no table for.
pub fn is_known(name: &str) -> bool {
    elsewhere::NAMES.binary_search(&name).is_ok() || Abi::ALL.iter().any(|abi| abi.number(name).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_is_found_by_name_and_by_number() {
        for abi in Abi::ALL {
            for (number, name) in abi.calls() {
                assert_eq!((abi.number(name), abi.name(number)), (Some(number), Some(name)), "{abi}");
            }
            assert_eq!(abi.calls().len(), abi.table().by_name.len(), "{abi}");
        }
    }

    #[test]
    fn numbers_are_those_of_the_abi() {
        assert_eq!(Abi::X86_64.number("read"), Some(0));
        assert_eq!(Abi::X86.number("read"), Some(3));
        assert_eq!(Abi::X32.number("read"), Some(X32_BIT));
        assert_eq!(Abi::X32.number("execve"), Some(X32_BIT + 520));
        assert_eq!(Abi::Aarch64.number("read"), Some(63));
        assert_eq!(Abi::Aarch64.number("open"), None);
        assert_eq!(Abi::X86_64.name(9999), None);
    }

    #[test]
    fn calls_of_new_kernels_are_there() {
        for name in
            ["cachestat", "fchmodat2", "map_shadow_stack", "futex_requeue", "statmount", "lsm_list_modules", "mseal"]
        {
            assert!(Abi::ALL.iter().all(|abi| abi.number(name).is_some()), "{name}");
        }
        for name in ["removexattrat", "open_tree_attr", "file_setattr", "listns", "rseq_slice_yield"] {
            assert!(Abi::ALL.iter().all(|abi| abi.number(name).is_some()), "{name}");
        }
        assert_eq!((Abi::X86_64.number("uretprobe"), Abi::X86_64.number("uprobe")), (Some(335), Some(336)));
    }

    #[test]
    fn a_name_of_another_architecture_is_known_and_a_misspelt_one_is_not() {
        for name in ["openat", "socketcall", "s390_pci_mmio_read", "set_tls", "riscv_flush_icache", "sync_file_range2"]
        {
            assert!(is_known(name), "{name}");
        }
        for name in ["", "opennat", "OPENAT", "openat ", "__NR_openat"] {
            assert!(!is_known(name), "{name}");
        }
    }

    #[test]
    fn a_call_is_told_by_architecture_and_number() {
        for abi in Abi::ALL {
            let (number, _) = abi.calls().last().unwrap();
            assert_eq!(Abi::from_audit(abi.audit_arch(), number), Some(abi));
            assert_eq!(Abi::from_arch(abi.arch(), Abi::X86_64), Some(abi));
        }
        assert_eq!((Abi::X86_64.audit_arch(), Abi::X86.audit_arch()), (0xc000_003e, 0x4000_0003));
        assert_eq!(Abi::Aarch64.audit_arch(), 0xc000_00b7);
        assert_eq!(Abi::from_audit(0x4000_0028, 1), None);
        let of_number = |number| Abi::from_audit(0xc000_003e, number);
        assert_eq!((of_number(X32_BIT - 1), of_number(1 << 31)), (Some(Abi::X86_64), Some(Abi::X32)));
        assert_eq!((of_number(u32::MAX - 1), of_number(u32::MAX)), (Some(Abi::X32), Some(Abi::X86_64)));
        assert_eq!(Abi::from_arch(Arch::Native, Abi::Aarch64), Some(Abi::Aarch64));
        assert_eq!(Abi::from_arch(Arch::Arm, Abi::Aarch64), None);
    }
}
