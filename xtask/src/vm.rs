//! `cargo xtask vm`: Debian guests in QEMU, for the security modules that this machine's kernel has not.
//!
//! One image serves both: which module is live is said by the kernel's command line. Guests run without virtualisation of the processor too,
//! if slowly. They have no systemd and no network: a small first process ([`init`](self)) mounts what tests look at, loads the
//! policy, runs one script and powers off.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitCode};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Subcommand;

use crate::run::{Run, complain, print};
pub(crate) use guest::{Ended, Guest, obstacle, prepare};
pub(crate) use image::Image;
pub(crate) use machine::{Lsm, Machine, PROGRAM, Policy, Words};

mod debian;
pub(crate) mod disk;
mod guest;
mod image;
mod machine;
mod policy;
mod root;
pub(crate) mod scratch;
pub(crate) mod store;

/// Runs programs in Debian guests with a kernel of their own: with AppArmor, or with SELinux enforcing.
///
/// The first time, the image is made from Debian's packages, in half a minute as root; it is kept in ~/.cache/spo or where SPO_CACHE says. A
/// guest boots in 3 s. Each run begins with the same disk; nothing is kept but what --out asks for.
///
/// In a guest, /job has what --in brought, and is the current folder. Programs run as root, under SELinux as kernel_t. apparmor_parser,
/// semodule, secilc, crun, containerd and busybox are there. Programs that were built on this machine run there if it is Debian 12 or newer,
/// as do static ones.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Vm {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  cargo xtask vm run apparmor -- sh -c 'cat /sys/kernel/security/lsm; aa-enabled'
  cargo xtask vm run selinux --in profiles -- semodule -i errorlogger.cil
  cargo xtask vm shell selinux --permissive";

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes the image, and prints where it is. Harmless if it is there.
    Image,
    /// Runs a program in a guest; prints what it prints, and ends as it does.
    ///
    /// Status 125 means that the guest failed, not the program.
    Run {
        #[command(flatten)]
        guest: Which,
        /// Brings the files of this folder into the guest's /job.
        #[arg(long = "in", value_name = "DIR")]
        bring: Option<PathBuf>,
        /// Copies /job into this folder in the end, with the kernel's log as dmesg.txt.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// How long it may take.
        #[arg(long, value_name = "SECONDS", default_value_t = 600)]
        timeout: u64,
        /// The program and its arguments.
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Opens a shell in a guest. Leave it to power off; Ctrl-A X ends the guest at once.
    Shell {
        #[command(flatten)]
        guest: Which,
        /// Brings the files of this folder into the guest's /job.
        #[arg(long = "in", value_name = "DIR")]
        bring: Option<PathBuf>,
    },
}

/// Which guest.
#[derive(Debug, clap::Args)]
struct Which {
    /// Its security module.
    lsm: Lsm,
    /// Its SELinux policy.
    #[arg(long, value_enum, default_value_t)]
    policy: Policy,
    /// SELinux only reports.
    #[arg(long)]
    permissive: bool,
    /// Its memory.
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    memory: u32,
}

impl Which {
    fn machine(&self) -> Machine {
        let mut machine = Machine::new(self.lsm);
        (machine.policy, machine.permissive, machine.memory_mib) = (self.policy, self.permissive, self.memory);
        machine
    }
}

impl Vm {
    pub(crate) fn run(self) -> Result<ExitCode> {
        match self.command {
            Command::Image => print(&Image::get()?.dir().display().to_string())?,
            Command::Run { guest, bring, out, timeout, command } => {
                let guest = with_files(&guest, bring.as_deref(), &script(&command))?;
                let ended = guest.boot(SCRIPT, Duration::from_secs(timeout), pass_on)?;
                if let Some(out) = out {
                    guest.copy_out(&out)?;
                }
                return Ok(exit_code(ended));
            }
            Command::Shell { guest, bring } => with_files(&guest, bring.as_deref(), "")?.shell()?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The script of a command line.
const SCRIPT: &str = "script";

/// A guest with its files.
fn with_files(which: &Which, bring: Option<&Path>, script: &str) -> Result<Guest> {
    let job = scratch::folder()?;
    if let Some(bring) = bring {
        Run::new("cp").arg("-a").arg(bring.join(".")).arg(job.path()).quiet().run()?;
    }
    fs::write(job.path().join(SCRIPT), script).context("cannot write the script of the job")?;
    Guest::new(which.machine(), job.path())
}

fn script(command: &[String]) -> String {
    let words: Vec<String> = command.iter().map(|word| quoted(word)).collect();
    format!("exec {}\n", words.join(" "))
}

/// Copies a program into a folder for a guest, without what only debuggers read, which is most of it.
pub(crate) fn bring(program: &Path, folder: &Path, name: &str) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Run::new("strip").args(["--strip-debug", "-o"]).arg(folder.join(name)).arg(program).quiet().run()
}

/// A word for a shell.
pub(crate) fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Passes on what the guest prints. A guest that has ended closes both.
fn pass_on(child: &mut Child) -> Vec<JoinHandle<()>> {
    let out = forward(child.stdout.take(), std::io::stdout());
    let errors = forward(child.stderr.take(), std::io::stderr());
    out.into_iter().chain(errors).collect()
}

/// Copies what comes to where it goes, in a thread of its own.
pub(crate) fn forward(
    from: Option<impl Read + Send + 'static>,
    mut to: impl Write + Send + 'static,
) -> Option<JoinHandle<()>> {
    let mut from = from?;
    Some(std::thread::spawn(move || {
        let copied = std::io::copy(&mut from, &mut to).and_then(|_| to.flush());
        if copied.is_err() {
            // Whoever reads this has enough of it; but what is not read stops the guest.
            let _end = std::io::copy(&mut from, &mut std::io::sink());
        }
    }))
}

fn exit_code(ended: Ended) -> ExitCode {
    const GUEST_FAILED: u8 = 125;
    match ended {
        Ended::Status(status) => ExitCode::from(status),
        Ended::Failed(why) => {
            complain(&why);
            ExitCode::from(GUEST_FAILED)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_argument_reaches_the_program_as_it_is() {
        let words = ["echo", "a b", "it's", "$HOME", ""].map(str::to_owned);
        assert_eq!(script(&words), "exec 'echo' 'a b' 'it'\\''s' '$HOME' ''\n");
    }
}
