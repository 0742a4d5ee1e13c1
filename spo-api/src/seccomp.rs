//! SeccompProfile, and the enumerations of the seccomp vocabulary that its versions share.
//!
//! Their spelling is that of the OCI runtime specification, which took it from libseccomp:
//! <https://github.com/opencontainers/runtime-spec/blob/main/config-linux.md#seccomp>.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ProfileName;

pub mod v1;

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

/// What the kernel does with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Action {
    /// Kills the thread; the old name of [`Action::KillThread`].
    #[serde(rename = "SCMP_ACT_KILL")]
    Kill,
    /// Kills the process.
    #[serde(rename = "SCMP_ACT_KILL_PROCESS")]
    KillProcess,
    /// Kills the thread.
    #[serde(rename = "SCMP_ACT_KILL_THREAD")]
    KillThread,
    /// Sends SIGSYS.
    #[serde(rename = "SCMP_ACT_TRAP")]
    Trap,
    /// Refuses the call with `errnoRet`, EPERM by default.
    #[serde(rename = "SCMP_ACT_ERRNO")]
    Errno,
    /// Tells a tracer, or refuses with ENOSYS where there is none.
    #[serde(rename = "SCMP_ACT_TRACE")]
    Trace,
    /// Lets the call through.
    #[serde(rename = "SCMP_ACT_ALLOW")]
    Allow,
    /// Lets the call through and writes an audit record.
    #[serde(rename = "SCMP_ACT_LOG")]
    Log,
    /// Asks the listener at `listenerPath`.
    #[serde(rename = "SCMP_ACT_NOTIFY")]
    Notify,
}

/// How an argument is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Operator {
    /// not equal
    #[serde(rename = "SCMP_CMP_NE")]
    NotEqual,
    /// less than
    #[serde(rename = "SCMP_CMP_LT")]
    LessThan,
    /// at most
    #[serde(rename = "SCMP_CMP_LE")]
    LessEqual,
    /// equal
    #[serde(rename = "SCMP_CMP_EQ")]
    Equal,
    /// at least
    #[serde(rename = "SCMP_CMP_GE")]
    GreaterEqual,
    /// greater than
    #[serde(rename = "SCMP_CMP_GT")]
    GreaterThan,
    /// `argument & value == valueTwo`
    #[serde(rename = "SCMP_CMP_MASKED_EQ")]
    MaskedEqual,
}

/// An architecture, or one of the ABIs of a machine; `SCMP_ARCH_NATIVE` is that of the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the names are those of the architectures")]
pub enum Arch {
    #[serde(rename = "SCMP_ARCH_NATIVE")]
    Native,
    #[serde(rename = "SCMP_ARCH_X86")]
    X86,
    #[serde(rename = "SCMP_ARCH_X86_64")]
    X86_64,
    #[serde(rename = "SCMP_ARCH_X32")]
    X32,
    #[serde(rename = "SCMP_ARCH_ARM")]
    Arm,
    #[serde(rename = "SCMP_ARCH_AARCH64")]
    Aarch64,
    #[serde(rename = "SCMP_ARCH_MIPS")]
    Mips,
    #[serde(rename = "SCMP_ARCH_MIPS64")]
    Mips64,
    #[serde(rename = "SCMP_ARCH_MIPS64N32")]
    Mips64N32,
    #[serde(rename = "SCMP_ARCH_MIPSEL")]
    Mipsel,
    #[serde(rename = "SCMP_ARCH_MIPSEL64")]
    Mipsel64,
    #[serde(rename = "SCMP_ARCH_MIPSEL64N32")]
    Mipsel64N32,
    #[serde(rename = "SCMP_ARCH_PPC")]
    Ppc,
    #[serde(rename = "SCMP_ARCH_PPC64")]
    Ppc64,
    #[serde(rename = "SCMP_ARCH_PPC64LE")]
    Ppc64Le,
    #[serde(rename = "SCMP_ARCH_S390")]
    S390,
    #[serde(rename = "SCMP_ARCH_S390X")]
    S390x,
    #[serde(rename = "SCMP_ARCH_PARISC")]
    Parisc,
    #[serde(rename = "SCMP_ARCH_PARISC64")]
    Parisc64,
    #[serde(rename = "SCMP_ARCH_RISCV64")]
    Riscv64,
}

/// A flag of `seccomp(2)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Flag {
    /// All threads of the process get the filter.
    #[serde(rename = "SECCOMP_FILTER_FLAG_TSYNC")]
    Tsync,
    /// Refusals are logged too.
    #[serde(rename = "SECCOMP_FILTER_FLAG_LOG")]
    Log,
    /// No mitigation of speculative store bypass.
    #[serde(rename = "SECCOMP_FILTER_FLAG_SPEC_ALLOW")]
    SpecAllow,
    /// A call that waits for its listener can only be killed.
    #[serde(rename = "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV")]
    WaitKillableRecv,
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
