//! The virtual machine: QEMU's command line.
//!
//! One processor, as several that are emulated make the guest's kernel panic in one boot of fifty (QEMU 7.2). Standard output and
//! standard error of the job are QEMU's own, through two ports of a virtual serial device; a third port takes the exit status.

use std::path::Path;
use std::process::Command;

use clap::ValueEnum;

use super::disk;
use super::image::Image;
use crate::machine::{Package, present};
use crate::run::Run;

/// Emulates the machine.
pub(super) const PACKAGES: &[Package] = &[
    Package { name: "qemu-system-x86", file: "qemu-system-x86_64" },
    Package { name: "e2fsprogs", file: "/sbin/mkfs.ext4" },
];

/// The security module that confines by name in a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Lsm {
    /// AppArmor.
    Apparmor,
    /// SELinux, enforcing.
    Selinux,
}

impl Lsm {
    pub(crate) const ALL: [Self; 2] = [Self::Apparmor, Self::Selinux];

    /// In lower case, as test programs are named after it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Apparmor => "apparmor",
            Self::Selinux => "selinux",
        }
    }
}

/// The SELinux policy of a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Default)]
pub(crate) enum Policy {
    /// Types and labels of Debian's, few of its rules: one `semodule` takes 2 s.
    #[default]
    Mini,
    /// What containers need of Debian's modules, as it is: one `semodule` takes 8 s.
    Default,
}

/// What a guest is booted with.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    pub(crate) lsm: Lsm,
    pub(crate) policy: Policy,
    pub(crate) permissive: bool,
    pub(crate) memory_mib: u32,
}

impl Machine {
    pub(crate) fn new(lsm: Lsm) -> Self {
        Self { lsm, policy: Policy::default(), permissive: false, memory_mib: 1024 }
    }

    /// The command that boots it from what is in `place`, to run a script of the job; `shell` takes the terminal instead.
    pub(super) fn command(&self, image: &Image, place: &Path, script: &str) -> Command {
        // It ends with this tool, however that ends.
        let mut command =
            Run::new("setpriv").args(["--pdeathsig", "KILL", "--", "qemu-system-x86_64"]).quiet().into_command();
        // Its temporary files are the guest's.
        command.env("TMPDIR", place).args(["-M", "q35", "-smp", "1", "-m", &format!("{}M", self.memory_mib)]);
        command.args(accelerator()).args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]);
        command.arg("-kernel").arg(image.kernel()).arg("-append").arg(self.parameters(script));
        command.args(["-device", "nvme,id=nvme,serial=guest"]);
        drive(&mut command, &place.join("root.img"), "root", 1);
        drive(&mut command, &place.join("job.img"), "job", 2);
        if script == SHELL {
            command.args(["-serial", "mon:stdio"]);
            return command;
        }
        command.arg("-serial").arg(option("file:", &place.join("console"), ""));
        command.args(["-device", "virtio-serial-pci,max_ports=4"]);
        port(&mut command, 1, Path::new("/dev/fd/1"));
        port(&mut command, 2, Path::new("/dev/fd/2"));
        port(&mut command, 3, &place.join("status"));
        command
    }

    /// The kernel's command line.
    fn parameters(&self, script: &str) -> String {
        let root = disk::root_parameter();
        // A panic ends the machine. Mitigations are against others on the same machine, and emulated ones are slow.
        let common = "rootwait rootfstype=ext4 rw init=/init console=ttyS0 quiet panic=-1 audit=1 \
                      audit_backlog_limit=8192 mitigations=off";
        let modules = format!("lsm=landlock,lockdown,yama,integrity,{},bpf", self.lsm.name());
        let own = match self.lsm {
            Lsm::Apparmor => "apparmor=1".to_owned(),
            Lsm::Selinux => {
                let policy = if self.policy == Policy::Mini { "mini" } else { "default" };
                format!("enforcing={} vm.policy={policy}", u8::from(!self.permissive))
            }
        };
        format!("{root} {common} {modules} {own} vm.script={script}")
    }
}

/// The script that is none: a shell on the terminal.
pub(super) const SHELL: &str = "shell";

/// One of the disks.
fn drive(command: &mut Command, file: &Path, name: &str, number: u32) {
    // Nobody wants the guest's files after a crash of the machine.
    command.arg("-drive").arg(option("file=", file, &format!(",format=raw,if=none,id={name},cache=unsafe")));
    command.args(["-device", &format!("nvme-ns,drive={name},bus=nvme,nsid={number}")]);
}

/// A port of the virtual serial device. To a file: QEMU's other devices stop a guest whose reader is slow or gone.
fn port(command: &mut Command, number: u32, to: &Path) {
    command.arg("-chardev").arg(option(&format!("file,id=port{number},path="), to, ""));
    command.args(["-device", &format!("virtserialport,chardev=port{number},nr={number}")]);
}

fn option(before: &str, path: &Path, after: &str) -> std::ffi::OsString {
    let mut text = std::ffi::OsString::from(before);
    text.push(path);
    text.push(after);
    text
}

/// The processor itself where the kernel can lend it, else an emulated one. Of that, only the features that are quick to emulate: with all
/// of them, programs choose wide vectors, and take a fifth longer.
fn accelerator() -> &'static [&'static str] {
    if has_kvm() {
        return &["-accel", "kvm", "-cpu", "host"];
    }
    &["-accel", "tcg,tb-size=512", "-cpu", "qemu64,+ssse3,+sse4.1,+sse4.2,+popcnt,+rdrand"]
}

/// Whether the kernel lends the processor to a stock kernel. One that is itself a guest of the kind `pvm` has the device, and cannot.
fn has_kvm() -> bool {
    let flags = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let virtual_machines = flags.split_whitespace().any(|flag| flag == "vmx" || flag == "svm");
    let device = std::fs::OpenOptions::new().read(true).write(true).open("/dev/kvm");
    virtual_machines && device.is_ok() && !present("/sys/module/kvm_pvm")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_guest_has_its_security_module_and_bpf() {
        for lsm in Lsm::ALL {
            let text = Machine::new(lsm).parameters("job");
            assert!(text.contains(&format!("integrity,{},bpf", lsm.name())), "{text}");
        }
    }

    #[test]
    fn selinux_enforces_unless_told_otherwise() {
        let mut machine = Machine::new(Lsm::Selinux);
        assert!(machine.parameters("job").contains("enforcing=1 vm.policy=mini"));
        machine.permissive = true;
        machine.policy = Policy::Default;
        assert!(machine.parameters("job").contains("enforcing=0 vm.policy=default"));
    }
}
