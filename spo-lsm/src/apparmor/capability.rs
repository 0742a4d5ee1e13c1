//! Capabilities by name.

use std::fmt;
use std::str::FromStr;

/// The kernel's capabilities in the order of their numbers: `linux/capability.h`, in small letters and without `CAP_`.
const NAMES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

/// A capability of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Capability(&'static str);

/// What is no capability.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is no capability of Linux; {}", hint(.found))]
pub struct UnknownCapability {
    /// What was written, cut where it is long.
    pub found: String,
}

impl Capability {
    /// Access to I/O ports and raw devices, with which mounts belong (`spec/node.md` 4.3).
    pub const SYS_RAWIO: Self = Self("sys_rawio");

    /// Its name, as AppArmor writes it.
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

/// Reads a name in any spelling that differs in capitals and surrounding blanks only.
impl FromStr for Capability {
    type Err = UnknownCapability;

    fn from_str(text: &str) -> Result<Self, UnknownCapability> {
        let name = text.trim().to_lowercase();
        let known = NAMES.iter().find(|known| **known == name);
        known.map(|known| Self(known)).ok_or_else(|| UnknownCapability { found: text.chars().take(64).collect() })
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

fn hint(found: &str) -> String {
    let name = found.trim().to_lowercase();
    match name.strip_prefix("cap_").filter(|rest| NAMES.contains(rest)) {
        Some(rest) => format!("write {rest}"),
        None => "write its name in small letters and without CAP_, as net_admin".to_owned(),
    }
}
