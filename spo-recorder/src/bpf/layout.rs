//! What the programs are told about the running kernel: the words of their `.rodata`.

use std::fs;

use spo_api::syscalls::Abi;

use super::btf::{BtfError, KernelTypes};
use super::error::StartError;

/// Where the kernel describes its types.
const TYPES: &str = "/sys/kernel/btf/vmlinux";

/// Setting → struct and member.
const MEMBERS: &[(&str, &str, &str)] = &[
    ("TASK_PID", "task_struct", "pid"),
    ("TASK_TGID", "task_struct", "tgid"),
    ("TASK_CGROUPS", "task_struct", "cgroups"),
    ("TASK_NSPROXY", "task_struct", "nsproxy"),
    ("NSPROXY_MNT", "nsproxy", "mnt_ns"),
    ("MNTNS_INUM", "mnt_namespace", "ns.inum"),
    ("BPRM_FILE", "linux_binprm", "file"),
    ("BPRM_FILENAME", "linux_binprm", "filename"),
    ("FILE_DENTRY", "file", "f_path.dentry"),
    ("DENTRY_NAME", "dentry", "d_name.name"),
    ("CSS_SET_DFL", "css_set", "dfl_cgrp"),
    ("CGROUP_KN", "cgroup", "kn"),
    ("CGROUP_ROOT", "cgroup", "root"),
    ("CGROUP_PARENT", "cgroup", "self.parent"),
    ("ROOT_HIERARCHY", "cgroup_root", "hierarchy_id"),
    ("KN_ID", "kernfs_node", "id"),
    ("KN_NAME", "kernfs_node", "name"),
];

/// Members that not every kernel has.
const OPTIONAL: &[(&str, &str, &str)] = &[("BPRM_FDPATH", "linux_binprm", "fdpath")];

/// Where a task says that its call is one of the 32-bit ABI: the member, and the bits in it.
#[cfg(target_arch = "x86_64")]
const COMPAT: Option<(&str, u32)> = Some(("thread_info.status", 0x2)); // TS_COMPAT
#[cfg(target_arch = "aarch64")]
const COMPAT: Option<(&str, u32)> = Some(("thread_info.flags", 1 << 22)); // TIF_32BIT
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const COMPAT: Option<(&str, u32)> = None;

/// What was found in the running kernel.
#[derive(Debug)]
pub(crate) struct Layout {
    /// Values of the settings in `.rodata`.
    pub(crate) settings: Vec<(&'static str, u32)>,
    /// Ids of the tracepoints, in the order in which they were asked for.
    pub(crate) tracepoints: Vec<u32>,
}

impl Layout {
    /// Asks the running kernel.
    pub(crate) fn of_this_kernel(tracepoints: &[&str]) -> Result<Self, StartError> {
        let data = fs::read(TYPES).map_err(|source| StartError::NoKernelTypes { path: TYPES, source })?;
        Self::read(&data, tracepoints).map_err(|source| StartError::KernelTypes { path: TYPES, source })
    }

    pub(super) fn read(data: &[u8], tracepoints: &[&str]) -> Result<Self, BtfError> {
        let mut structs: Vec<&str> = MEMBERS.iter().chain(OPTIONAL).map(|(_, of, _)| *of).collect();
        structs.dedup();
        let typedefs: Vec<String> = tracepoints.iter().map(|name| format!("btf_trace_{name}")).collect();
        let typedefs: Vec<&str> = typedefs.iter().map(String::as_str).collect();
        let types = KernelTypes::parse(data, &structs, &typedefs)?;
        let mut settings = Vec::new();
        for (setting, of, member) in MEMBERS {
            settings.push((*setting, types.offset(of, member)?));
        }
        for (setting, of, member) in OPTIONAL {
            settings.push((*setting, types.offset(of, member).unwrap_or(0)));
        }
        if let Some((member, bits)) = COMPAT {
            settings.push(("COMPAT_OFFSET", types.offset("task_struct", member)?));
            settings.push(("COMPAT_BITS", bits));
        }
        for (setting, name) in [("NR_EXECVE", "execve"), ("NR_EXECVEAT", "execveat")] {
            let number = Abi::native().number(name);
            settings.push((setting, number.ok_or_else(|| BtfError::Missing(format!("system call {name}")))?));
        }
        let tracepoints = tracepoints.iter().map(|name| types.tracepoint(name)).collect::<Result<_, _>>()?;
        Ok(Self { settings, tracepoints })
    }
}
