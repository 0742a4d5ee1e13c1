//! The virtual machine: QEMU's command line.
//!
//! One processor, as several that are emulated make the guest's kernel panic in one boot of fifty (QEMU 7.2). Standard output and
//! standard error of the job are QEMU's own, through two ports of a virtual serial device; a third port takes the exit status.

use std::ffi::OsString;
use std::path::Path;

use clap::ValueEnum;

use super::disk;
use super::image::Image;
use crate::machine::{Package, present};

/// What the machine is emulated by.
pub(super) const PACKAGES: &[Package] =
    &[Package { name: "qemu-system-x86", file: PROGRAM }, Package { name: "e2fsprogs", file: "/sbin/mkfs.ext4" }];

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
    /// Types and labels of Debian's, few of its rules: one `semodule` takes 1 to 2 s.
    #[default]
    Mini,
    /// What containers need of Debian's modules, as it is: one `semodule` takes 8 s.
    Default,
}

/// QEMU.
pub(crate) const PROGRAM: &str = "qemu-system-x86_64";

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

    /// The arguments of QEMU that boot it from what is in `place`, to run a script of the job; [`SHELL`] takes the terminal instead.
    pub(crate) fn arguments(&self, image: &Image, place: &Path, script: &str) -> Vec<OsString> {
        let mut words = Words::default();
        words.all(&["-M", "q35", "-smp", "1", "-m", &format!("{}M", self.memory_mib)]);
        words.all(accelerator());
        words.all(&["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]);
        words.path("-kernel", "", &image.kernel(), "");
        words.all(&["-append", &self.parameters(script)]);
        words.all(&["-device", "nvme,id=nvme,serial=guest"]);
        words.drive(&place.join("root.img"), "root", 1);
        words.drive(&place.join("job.img"), "job", 2);
        if script == SHELL {
            words.all(&["-serial", "mon:stdio"]);
            return words.0;
        }
        words.path("-serial", "file:", &place.join("console"), "");
        words.all(&["-device", "virtio-serial-pci,max_ports=4"]);
        words.port(1, Path::new("/dev/fd/1"));
        words.port(2, Path::new("/dev/fd/2"));
        words.port(3, &place.join("status"));
        words.0
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

/// A command line.
#[derive(Debug, Default)]
pub(crate) struct Words(pub(crate) Vec<OsString>);

impl Words {
    pub(crate) fn all(&mut self, words: &[&str]) {
        self.0.extend(words.iter().map(OsString::from));
    }

    fn path(&mut self, name: &str, before: &str, path: &Path, after: &str) {
        let mut value = OsString::from(before);
        value.push(path);
        value.push(after);
        self.0.extend([name.into(), value]);
    }

    /// One of the disks. Nobody wants the guest's files after a crash of the machine.
    pub(crate) fn drive(&mut self, file: &Path, name: &str, number: u32) {
        self.path("-drive", "file=", file, &format!(",format=raw,if=none,id={name},cache=unsafe"));
        self.all(&["-device", &format!("nvme-ns,drive={name},bus=nvme,nsid={number}")]);
    }

    /// A port of the virtual serial device, to a file or pipe that others may write to as well.
    fn port(&mut self, number: u32, to: &Path) {
        self.path("-chardev", &format!("file,id=port{number},append=on,path="), to, "");
        self.all(&["-device", &format!("virtserialport,chardev=port{number},nr={number}")]);
    }
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
