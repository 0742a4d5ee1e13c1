//! SeccompProfile, and the enumerations of the seccomp vocabulary that its versions share.
//!
//! Their spelling is that of the OCI runtime specification, which took it from libseccomp:
//! <https://github.com/opencontainers/runtime-spec/blob/main/config-linux.md#seccomp>.

use crate::ProfileName;
use crate::words::words;

pub mod v1;
pub mod v1beta1;

/// The name of a profile's file, below the kubelet's seccomp folder and in it the folder `operator`.
///
/// A name that already ends in `.json` gets no second suffix.
pub fn file_name(profile: &ProfileName) -> String {
    let name = profile.as_str();
    if name.ends_with(".json") { name.to_owned() } else { format!("{name}.json") }
}

/// What a pod writes into `seccompProfile.localhostProfile` to be confined by the profile.
pub fn localhost_profile(profile: &ProfileName) -> String {
    format!("operator/{}", file_name(profile))
}

words! {
    /// What the kernel does with a call. The default refuses it.
    #[derive(Default, PartialOrd, Ord)]
    pub enum Action("a seccomp action") {
        /// Kills the thread; the old name of [`Action::KillThread`].
        Kill = "SCMP_ACT_KILL",
        /// Kills the process.
        KillProcess = "SCMP_ACT_KILL_PROCESS",
        /// Kills the thread.
        KillThread = "SCMP_ACT_KILL_THREAD",
        /// Sends SIGSYS.
        Trap = "SCMP_ACT_TRAP",
        /// Refuses the call with `errnoRet`, EPERM by default.
        #[default]
        Errno = "SCMP_ACT_ERRNO",
        /// Tells a tracer, or refuses with ENOSYS where there is none.
        Trace = "SCMP_ACT_TRACE",
        /// Lets the call through.
        Allow = "SCMP_ACT_ALLOW",
        /// Lets the call through and writes an audit record.
        Log = "SCMP_ACT_LOG",
        /// Asks the listener at `listenerPath`.
        Notify = "SCMP_ACT_NOTIFY",
    }
}

words! {
    /// How an argument is compared.
    #[derive(Default, PartialOrd, Ord)]
    pub enum Operator("a comparison of seccomp") {
        /// not equal
        NotEqual = "SCMP_CMP_NE",
        /// less than
        LessThan = "SCMP_CMP_LT",
        /// at most
        LessEqual = "SCMP_CMP_LE",
        /// equal
        #[default]
        Equal = "SCMP_CMP_EQ",
        /// at least
        GreaterEqual = "SCMP_CMP_GE",
        /// greater than
        GreaterThan = "SCMP_CMP_GT",
        /// `argument & value == valueTwo`
        MaskedEqual = "SCMP_CMP_MASKED_EQ",
    }
}

words! {
    /// An architecture, or one of the ABIs of a machine; `SCMP_ARCH_NATIVE` is that of the node.
    #[derive(PartialOrd, Ord)]
    #[expect(missing_docs, reason = "the names are those of the architectures")]
    pub enum Arch("an architecture of seccomp") {
        Native = "SCMP_ARCH_NATIVE",
        X86 = "SCMP_ARCH_X86",
        X86_64 = "SCMP_ARCH_X86_64",
        X32 = "SCMP_ARCH_X32",
        Arm = "SCMP_ARCH_ARM",
        Aarch64 = "SCMP_ARCH_AARCH64",
        Mips = "SCMP_ARCH_MIPS",
        Mips64 = "SCMP_ARCH_MIPS64",
        Mips64N32 = "SCMP_ARCH_MIPS64N32",
        Mipsel = "SCMP_ARCH_MIPSEL",
        Mipsel64 = "SCMP_ARCH_MIPSEL64",
        Mipsel64N32 = "SCMP_ARCH_MIPSEL64N32",
        Ppc = "SCMP_ARCH_PPC",
        Ppc64 = "SCMP_ARCH_PPC64",
        Ppc64Le = "SCMP_ARCH_PPC64LE",
        S390 = "SCMP_ARCH_S390",
        S390x = "SCMP_ARCH_S390X",
        Parisc = "SCMP_ARCH_PARISC",
        Parisc64 = "SCMP_ARCH_PARISC64",
        Riscv64 = "SCMP_ARCH_RISCV64",
    }
}

words! {
    /// A flag of `seccomp(2)`.
    #[derive(PartialOrd, Ord)]
    pub enum Flag("a flag of seccomp(2)") {
        /// All threads of the process get the filter.
        Tsync = "SECCOMP_FILTER_FLAG_TSYNC",
        /// Refusals are logged too.
        Log = "SECCOMP_FILTER_FLAG_LOG",
        /// No mitigation of speculative store bypass.
        SpecAllow = "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
        /// A call that waits for its listener can only be killed.
        WaitKillableRecv = "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suffix_is_written_once() {
        assert_eq!(localhost_profile(&"web".parse().unwrap()), "operator/web.json");
        assert_eq!(localhost_profile(&"web.json".parse().unwrap()), "operator/web.json");
        assert_eq!(localhost_profile(&"json".parse().unwrap()), "operator/json.json");
    }
}
