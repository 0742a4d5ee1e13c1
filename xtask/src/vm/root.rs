//! The files of a guest: Debian's packages, unpacked, and the few that their installation would have made.
//!
//! No script of a package is run. What is left out is only wanted by such scripts.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};

use super::debian::Archive;
use super::policy;
use crate::run::Run;

/// Both modules' tools, container runtimes with what makes a node of them, and what a shell wants.
pub(super) const PACKAGES: &[&str] = &[
    "busybox-static",
    "bash",
    "dash",
    "libc-bin",
    "coreutils",
    "grep",
    "sed",
    "findutils",
    "util-linux",
    "mount",
    "kmod",
    "apparmor",
    "auditd",
    "selinux-policy-default",
    "policycoreutils",
    "semodule-utils",
    "secilc",
    "selinux-utils",
    "crun",
    "runc",
    "containerd",
    "containernetworking-plugins",
];

/// Has disks, ext4 and the virtual serial device built in, so it needs no first root.
pub(super) const KERNEL: &str = "linux-image-cloud-amd64";

/// Beginnings of packages that only scripts of packages want.
const LEFT_OUT: &[&str] = &[
    "perl",
    "libperl5",
    "dpkg",
    "debconf",
    "init-system-helpers",
    "netbase",
    "libgdbm",
    "libdb5",
    "gcc-1",
    "base-passwd",
];

/// Folders of packages that no program reads.
const NOT_READ: &[&str] = &["./usr/share/doc", "./usr/share/man", "./usr/share/locale", "./usr/share/info"];

/// The first process.
const INIT: &str = include_str!("init");

/// Programs that busybox stands in for.
const APPLETS: &[&str] = &["awk", "tar", "vi", "ps", "ip", "less", "pidof", "bzip2", "xz", "gzip", "hostname"];

/// What the kernel has as modules: for layers of images, and for the network of a node. A module comes after those that it needs.
const MODULES: &[&str] = &["overlay", "failover", "net_failover", "virtio_net", "llc", "stp", "bridge", "veth"];

/// Large programs that nothing starts, and all network plugins but these.
const NOT_STARTED: &[&str] = &["containerd-stress", "containerd-shim", "containerd-shim-runc-v1"];
const PLUGINS: &[&str] = &["bridge", "host-local", "loopback", "portmap"];

/// Where the kubelet of a node in a cluster of ours is, which is not where the policy expects it.
const KUBELET: &str = "/var/lib/node1/kubelet";

/// Makes the files below `root`, and the kernel at `kernel`. Gives back the names of the packages' files.
pub(super) fn make(archive: &Archive, packages: &[&str], root: &Path, kernel: &Path) -> Result<Vec<String>> {
    let debs = archive.with_dependencies(packages)?;
    let image = archive.kernel(KERNEL)?;
    links(root)?;
    let used: Vec<PathBuf> =
        debs.into_iter().filter(|deb| !LEFT_OUT.iter().any(|start| name(deb).starts_with(start))).collect();
    used.iter().try_for_each(|deb| unpack(deb, root))?;
    unpack_kernel(&image, root, kernel)?;
    prune(root)?;
    configure(root)?;
    policy::install(root)?;
    Ok(used.iter().chain([&image]).map(|deb| name(deb)).collect())
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// As the installer of Debian makes them before the first package.
fn links(root: &Path) -> Result<()> {
    for dir in ["bin", "sbin", "lib", "lib64"] {
        make_dir(&root.join("usr").join(dir))?;
        symlink(format!("usr/{dir}"), root.join(dir)).with_context(|| format!("cannot make the link {dir}"))?;
    }
    Ok(())
}

/// What SELinux is told about a folder that has the place of another.
pub(super) fn aliases() -> String {
    format!("{KUBELET} /var/lib/kubelet\n")
}

fn make_dir(path: &Path) -> Result<()> {
    fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))
}

fn unpack(deb: &Path, root: &Path) -> Result<()> {
    let reader = Run::new("dpkg-deb").arg("--fsys-tarfile").arg(deb).quiet();
    let mut reader = reader.into_command().stdout(Stdio::piped()).spawn().context("cannot start dpkg-deb")?;
    let tar = Run::new("tar").args(["-x", "--keep-directory-symlink", "-C"]).arg(root);
    let tar = tar.args(NOT_READ.iter().map(|folder| format!("--exclude={folder}"))).quiet();
    let mut tar = tar.into_command();
    tar.stdin(reader.stdout.take().context("the output was asked for")?);
    let (unpacked, read) = (tar.status().context("cannot start tar")?, reader.wait().context("dpkg-deb is gone")?);
    ensure!(unpacked.success() && read.success(), "cannot unpack {}", deb.display());
    Ok(())
}

/// The kernel goes where QEMU reads it, its modules as plain files where the guest loads them without further tools.
fn unpack_kernel(deb: &Path, root: &Path, kernel: &Path) -> Result<()> {
    let whole = kernel.with_extension("package");
    Run::new("dpkg-deb").arg("-x").arg(deb).arg(&whole).quiet().run()?;
    let image = one(&whole.join("boot"), |name| name.starts_with("vmlinuz-"))?;
    fs::rename(&image, kernel).with_context(|| format!("cannot move {}", image.display()))?;
    let modules = root.join("usr/lib/modules/guest");
    make_dir(&modules)?;
    for module in MODULES {
        let packed = Run::new("find").arg(&whole).args(["-name", &format!("{module}.ko.xz")]).quiet().output()?;
        let packed = packed.lines().next().with_context(|| format!("the kernel has no module {module}"))?.to_owned();
        let output =
            Run::new("xz").args(["-dc", &packed]).quiet().into_command().output().context("cannot start xz")?;
        ensure!(output.status.success(), "cannot unpack {packed}");
        let file = modules.join(format!("{module}.ko"));
        fs::write(&file, output.stdout).with_context(|| format!("cannot write {}", file.display()))?;
    }
    fs::remove_dir_all(&whole).with_context(|| format!("cannot remove {}", whole.display()))
}

fn prune(root: &Path) -> Result<()> {
    let plugins = root.join("usr/lib/cni");
    let all = fs::read_dir(&plugins).with_context(|| format!("cannot read {}", plugins.display()))?;
    let others =
        all.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| !PLUGINS.contains(&name(path).as_str()));
    let programs = NOT_STARTED.iter().map(|name| root.join("usr/bin").join(name));
    others
        .chain(programs)
        .filter(|path| path.is_file())
        .try_for_each(|path| fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display())))
}

/// The first file of a folder that is wanted.
fn one(folder: &Path, wanted: impl Fn(&str) -> bool) -> Result<PathBuf> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths.find(|path| wanted(&name(path))).with_context(|| format!("{} lacks what is wanted of it", folder.display()))
}

fn configure(root: &Path) -> Result<()> {
    const USERS: &str = "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1::/:/usr/sbin/nologin\n\
                         sddm:x:105:105::/:/bin/false\nnobody:x:65534:65534::/:/bin/false\n";
    for (path, text) in [
        ("etc/passwd", USERS),
        ("etc/group", "root:x:0:\nadm:x:4:\nnogroup:x:65534:\n"),
        ("etc/hosts", "127.0.0.1 localhost\n"),
        // The kubelet copies it for every pod.
        ("etc/resolv.conf", ""),
        ("etc/selinux/config", "SELINUX=enforcing\nSELINUXTYPE=default\n"),
        ("init", INIT),
    ] {
        let path = root.join(path);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let pods = format!("{}/pods", &KUBELET[1..]);
    for dir in [
        "proc",
        "sys",
        "dev",
        "run",
        "tmp",
        "job",
        "root",
        "var/log/audit",
        "var/log/pods",
        "var/lib/containerd",
        &pods,
    ] {
        make_dir(&root.join(dir))?;
    }
    fs::set_permissions(root.join("init"), fs::Permissions::from_mode(0o755)).context("the first process must run")?;
    for applet in APPLETS.iter().filter(|applet| fs::symlink_metadata(root.join("usr/bin").join(applet)).is_err()) {
        symlink("busybox", root.join("usr/bin").join(applet)).with_context(|| format!("cannot link {applet}"))?;
    }
    Run::new("chroot").arg(root).arg("/sbin/ldconfig").quiet().run()
}
