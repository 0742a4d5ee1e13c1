//! A container in a guest: busybox, run by crun, or by containerd with runc.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use super::{Containerd, all, said};

/// What busybox is in it.
const APPLETS: &[&str] =
    &["cat", "chmod", "cp", "echo", "id", "ls", "mkdir", "mount", "nc", "ping", "rm", "sh", "touch"];

/// A container that is to be run.
#[derive(Debug)]
pub struct Container {
    bundle: tempfile::TempDir,
    process: Value,
    mounts: Vec<Value>,
    seccomp: Option<PathBuf>,
    /// The context that crun runs in, if it is not that of the test.
    engine: Option<&'static str>,
}

impl Container {
    /// With busybox as all of its files, as root without capabilities.
    ///
    /// # Panics
    /// If its files cannot be made.
    #[must_use]
    pub fn busybox() -> Self {
        // Not in /tmp, where nothing is labelled as a file of a container.
        let bundle =
            tempfile::Builder::new().prefix("container-").tempdir_in("/var/lib").expect("a folder can be made");
        for dir in ["bin", "proc", "tmp", "etc", "dev"] {
            fs::create_dir_all(bundle.path().join("rootfs").join(dir)).expect("a folder can be made");
        }
        let programs = bundle.path().join("rootfs/bin");
        fs::copy("/usr/bin/busybox", programs.join("busybox")).expect("the guest has busybox");
        for applet in APPLETS {
            symlink("busybox", programs.join(applet)).expect("a link can be made");
        }
        let process = json!({
            "terminal": false, "user": {"uid": 0, "gid": 0}, "cwd": "/", "env": ["PATH=/bin"], "noNewPrivileges": true,
        });
        let mounts = vec![json!({"destination": "/proc", "type": "proc", "source": "proc"})];
        Self { bundle, process, mounts, seccomp: None, engine: None }
    }

    /// Its files on the guest.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.bundle.path().join("rootfs")
    }

    /// Confined by a profile that AppArmor has loaded.
    #[must_use]
    pub fn apparmor(mut self, profile: &str) -> Self {
        self.process["apparmorProfile"] = profile.into();
        self
    }

    /// Confined by the seccomp profile in this file.
    #[must_use]
    pub fn seccomp(mut self, file: &Path) -> Self {
        self.seccomp = Some(file.to_owned());
        self
    }

    /// With a label of SELinux, such as `system_u:system_r:container_t:s0:c1,c2`. Its files get the type `files`.
    #[must_use]
    pub fn selinux(mut self, label: &str, files: &str) -> Self {
        self.process["selinuxLabel"] = label.into();
        let root = self.root();
        said("chcon", ["-R".as_ref(), format!("system_u:object_r:{files}:s0").as_ref(), root.as_os_str()]);
        self
    }

    /// Started as by a container engine, whose descriptors the containers of this host's policy may use. Those of the test they may not, so
    /// that nothing comes of their output.
    #[must_use]
    pub fn by_an_engine(mut self) -> Self {
        // Without categories: else the host's policy keeps those of containers from the engine.
        self.engine = Some("system_u:system_r:container_engine_t:s0");
        self
    }

    /// With these capabilities, such as `CAP_NET_RAW`.
    #[must_use]
    pub fn capabilities(mut self, names: &[&str]) -> Self {
        self.process["capabilities"] = json!({"bounding": names, "effective": names, "permitted": names});
        self
    }

    /// With a folder or file of the guest at the same path.
    #[must_use]
    pub fn mount(mut self, path: &str) -> Self {
        let mount = json!({"destination": path, "type": "bind", "source": path, "options": ["rbind", "rw"]});
        self.mounts.push(mount);
        self
    }

    /// What a script prints in it under a type of SELinux, as in a pod with that type. It prints into a file, for no container may use the pipes
    /// of a test.
    ///
    /// # Panics
    /// If crun cannot be started.
    #[must_use]
    pub fn print_as(self, kind: &str, script: &str) -> String {
        let folder = tempfile::tempdir_in("/var/lib").expect("a folder can be made");
        let path = folder.path().to_str().expect("its name is text");
        said("chcon", ["-t", "container_file_t", path]);
        let label = format!("system_u:system_r:{kind}:s0:c1,c2");
        let container = self.selinux(&label, "container_file_t").by_an_engine().mount(path);
        let output = container.run(&format!("{{ {script}\n}} >{path}/printed 2>&1"));
        let printed = fs::read_to_string(folder.path().join("printed"));
        printed.unwrap_or_else(|error| format!("nothing: {error}: {}", all(&output)))
    }

    /// Runs a script of busybox's shell in it, to its end.
    ///
    /// # Panics
    /// If crun cannot be started.
    pub fn run(mut self, script: &str) -> Output {
        self.process["args"] = json!(["/bin/sh", "-c", script]);
        let namespaces = ["pid", "mount", "ipc", "uts", "network"].map(|kind| json!({"type": kind}));
        let seccomp = self.seccomp.as_deref().map(|file| {
            let text = fs::read(file).expect("the profile is there");
            serde_json::from_slice::<Value>(&text).expect("it is JSON")
        });
        let config = json!({
            "ociVersion": "1.0.0", "process": self.process, "root": {"path": "rootfs"}, "mounts": self.mounts,
            "linux": {"namespaces": namespaces, "seccomp": seccomp},
        });
        fs::write(self.bundle.path().join("config.json"), config.to_string()).expect("a file can be written");
        let name = self.bundle.path().file_name().and_then(|name| name.to_str()).expect("a name");
        crun(self.bundle.path(), name, self.engine)
    }

    /// The same by containerd, with the mounts, the namespaces and the capabilities that it gives to any container, and runc.
    ///
    /// # Panics
    /// If its client cannot be started, or a path is no text; and where more is asked for than profiles of AppArmor and seccomp, for which
    /// that client has no words.
    pub fn run_by(self, containerd: &Containerd, script: &str) -> Output {
        let asked = ["selinuxLabel", "capabilities"].iter().any(|field| self.process.get(field).is_some());
        assert!(
            !asked && self.mounts.len() == 1 && self.engine.is_none(),
            "containerd's client cannot be asked for this"
        );
        let text = |path: &Path| path.to_str().expect("a path that is text").to_owned();
        let root = self.root();
        let seccomp = self.seccomp.as_deref().map(|file| ["--seccomp".into(), "--seccomp-profile".into(), text(file)]);
        let apparmor =
            self.process["apparmorProfile"].as_str().map(|name| ["--apparmor-profile", name].map(String::from));
        let mut words = ["run", "--rm", "--rootfs"].map(String::from).to_vec();
        words.extend(seccomp.into_iter().flatten().chain(apparmor.into_iter().flatten()));
        words.push(text(&root));
        words.extend(["by-containerd", "/bin/sh", "-c", script].map(String::from));
        containerd.ctr(&words.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

fn crun(bundle: &Path, name: &str, engine: Option<&str>) -> Output {
    let mut crun = Command::new(if engine.is_some() { "runcon" } else { "crun" });
    crun.args(engine.into_iter().flat_map(|context| [context, "crun"]));
    // There is no systemd to ask for control groups.
    crun.args(["--cgroup-manager=cgroupfs", "run", name]).current_dir(bundle).stdin(Stdio::null());
    crun.output().expect("crun can be started")
}
