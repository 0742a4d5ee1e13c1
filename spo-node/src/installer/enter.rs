//! Into the host's mount namespace, and out of all privilege that is not needed there.

use anyhow::{Context, Result};
use rustix::fs::{Mode, OFlags};
use rustix::thread::{
    CapabilitySet, CapabilitySets, LinkNameSpaceType, capabilities, move_into_link_name_space,
    remove_capability_from_bounding_set, set_capabilities,
};

/// What remains:
///
/// * `MAC_ADMIN` to load policies of AppArmor, and to write labels that the policy does not know;
/// * `DAC_OVERRIDE` and `DAC_READ_SEARCH`, for stores of policies belong to root with modes of their own;
/// * `FOWNER`, `CHOWN` and `FSETID`, with which semodule gives the files that it replaces their owners and modes;
/// * `SYS_ADMIN`, without which `security.selinux` of files cannot be set by semodule.
const KEPT: [CapabilitySet; 7] = [
    CapabilitySet::MAC_ADMIN,
    CapabilitySet::DAC_OVERRIDE,
    CapabilitySet::DAC_READ_SEARCH,
    CapabilitySet::FOWNER,
    CapabilitySet::CHOWN,
    CapabilitySet::FSETID,
    CapabilitySet::SYS_ADMIN,
];

/// Moves this process, which must have one thread, into the mount namespace of the host's first process.
pub(super) fn host() -> Result<()> {
    const NAMESPACE: &str = "/proc/1/ns/mnt";
    let cannot = "cannot enter the host's mount namespace; the pod needs hostPID, and the container SYS_ADMIN, SYS_CHROOT and SYS_PTRACE";
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let namespace = rustix::fs::open(NAMESPACE, flags, Mode::empty()).context(cannot)?;
    move_into_link_name_space(std::os::fd::AsFd::as_fd(&namespace), Some(LinkNameSpaceType::Mount)).context(cannot)?;
    std::env::set_current_dir("/").context("cannot go to the root of the host")
}

/// Gives up every capability but those in [`KEPT`], for this process and all that it starts.
///
/// Not `no_new_privs`, under which semodule would not get the SELinux domain that the host's policy has for it.
pub(super) fn drop_privileges() -> Result<()> {
    let cannot = "cannot give up capabilities";
    let now = capabilities(None).context(cannot)?;
    let kept = KEPT.into_iter().fold(CapabilitySet::empty(), |all, one| all | one);
    // What a program that is started as root gets is bounded by this set; without SETPCAP it cannot be made smaller, and need not be.
    if now.effective.contains(CapabilitySet::SETPCAP) {
        for capability in CapabilitySet::all().iter().filter(|one| !kept.contains(*one)) {
            match remove_capability_from_bounding_set(capability) {
                // A kernel that does not know it does not give it either.
                Ok(()) | Err(rustix::io::Errno::INVAL) => {}
                Err(error) => return Err(error).context(cannot),
            }
        }
    }
    let sets = CapabilitySets {
        effective: now.effective & kept,
        permitted: now.permitted & kept,
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, sets).context(cannot)
}
