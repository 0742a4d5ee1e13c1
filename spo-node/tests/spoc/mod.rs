//! What the tests of `spoc` share: the program, profiles, and what this machine can do.
#![allow(dead_code, unreachable_pub, reason = "each test program uses a part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot go on panics, and one that is skipped says so"
)]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A folder of one test, which everybody may enter and write in, and that has a copy of `spoc` whom nobody is kept from.
pub struct Place {
    dir: TempDir,
}

/// What a command said, and how it ended.
#[derive(Debug)]
pub struct Said {
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Place {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o1777)).unwrap();
        copy_program(env!("CARGO_BIN_EXE_spoc"), &dir.path().join("spoc"));
        Self { dir }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file and gives back its path.
    pub fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// `spoc` in this folder, with temporary files here too, and nothing of a `sudo` that the tests may run under.
    pub fn spoc(&self, words: &[&str]) -> Command {
        self.prepare(Command::new(self.path("spoc")), words)
    }

    /// The same, started by `env` with these options.
    pub fn env(&self, options: &[&str], words: &[&str]) -> Command {
        let mut command = Command::new("env");
        command.args(options).arg(self.path("spoc"));
        self.prepare(command, words)
    }

    fn prepare(&self, mut command: Command, words: &[&str]) -> Command {
        command.args(words).current_dir(self.dir.path()).env("TMPDIR", self.dir.path()).stdin(Stdio::null());
        for variable in ["SUDO_UID", "SUDO_GID", "SUDO_USER"] {
            command.env_remove(variable);
        }
        command
    }

    pub fn run(&self, words: &[&str]) -> Said {
        said(&mut self.spoc(words))
    }
}

/// Copies a program. Another process does: were the file open for writing here, a child that another test forks at that moment would
/// keep it open, and it could not be started.
pub fn copy_program(from: &str, to: &Path) {
    let copied = Command::new("cp").arg(from).arg(to).status().unwrap();
    assert!(copied.success(), "{copied}");
}

/// Runs it to its end. A command that has not ended after a minute hangs, and fails the test.
pub fn said(command: &mut Command) -> Said {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let started = Instant::now();
    let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let reader = |mut from: Box<dyn std::io::Read + Send>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            from.read_to_end(&mut bytes).unwrap();
            String::from_utf8_lossy(&bytes).into_owned()
        })
    };
    let (out, err) = (reader(Box::new(out)), reader(Box::new(err)));
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if started.elapsed() > Duration::from_secs(60) {
            child.kill().unwrap();
            panic!("hangs: {command:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    Said { status: status.code(), stdout: out.join().unwrap(), stderr: err.join().unwrap() }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            status: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Said {
    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert_eq!(self.status, Some(0), "{self:#?}");
        self
    }

    #[track_caller]
    pub fn failed(self) -> Self {
        assert_eq!(self.status, Some(1), "{self:#?}");
        assert!(self.stderr.contains("Unable to run: "), "{self:#?}");
        self
    }

    #[track_caller]
    pub fn tells(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "no {text:?} in {self:#?}");
        self
    }

    #[track_caller]
    pub fn does_not_tell(self, text: &str) -> Self {
        assert!(!self.stderr.contains(text), "{text:?} in {self:#?}");
        self
    }
}

/// Builds `small`, a program of two 32-bit calls, getpid and exit. Says why not, if that cannot be done here.
pub fn has_32_bit_program(place: &Place) -> bool {
    place.file(
        "small.c",
        "void _start(void) {\n\
         int result;\n\
         __asm__ volatile(\"int $0x80\" : \"=a\"(result) : \"a\"(20) : \"memory\");\n\
         __asm__ volatile(\"int $0x80\" : \"=a\"(result) : \"a\"(1), \"b\"(0) : \"memory\");\n\
         }\n",
    );
    let gcc = ["-m32", "-static", "-nostdlib", "-fno-pie", "-no-pie", "-o", "small", "small.c"];
    let built = Command::new("gcc").args(gcc).current_dir(place.path("")).stderr(Stdio::null()).status();
    let starts = || Command::new(place.path("small")).status().is_ok_and(|status| status.success());
    let has = built.is_ok_and(|status| status.success()) && starts();
    if !has {
        println!("skipped: no compiler for 32-bit programs, or a kernel that does not run them");
    }
    has
}

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether this machine can record; says why not.
pub fn can_record() -> bool {
    if !is_root() {
        println!("skipped: needs root");
        return false;
    }
    if !Path::new("/sys/kernel/btf/vmlinux").exists() {
        println!("skipped: the kernel has no BTF");
        return false;
    }
    true
}

/// Whether this test may take on other identities; says why not.
pub fn can_change_identity() -> bool {
    if !is_root() {
        println!("skipped: needs root");
    }
    is_root()
}

/// A profile that permits everything but `names`, which get `action`.
pub fn all_but(names: &[&str], action: &str) -> String {
    format!(
        "apiVersion: security-profiles-operator.x-k8s.io/v1\nkind: SeccompProfile\nmetadata:\n  name: all-but\nspec:\n  \
        defaultAction: SCMP_ACT_ALLOW\n  syscalls:\n  - action: {action}\n    names: [{}]\n",
        names.join(", ")
    )
}

/// Whatever the C library makes a folder with.
pub const MKDIR: [&str; 2] = ["mkdir", "mkdirat"];
