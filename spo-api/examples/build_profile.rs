//! Builds a profile in code, checks its fields, and prints the manifest: `cargo run -p spo-api --example build_profile`.
#![expect(clippy::print_stdout, reason = "an example prints")]

use anyhow::{Result, bail};
use spo_api::seccomp::v1::{Arg, SeccompProfile, SeccompProfileSpec, Syscall};
use spo_api::seccomp::{Action, Arch, Operator};
use spo_api::{SecurityProfile as _, Validate as _, seccomp};

fn main() -> Result<()> {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let spec = SeccompProfileSpec {
        default_action: Action::Errno,
        architectures: Some(vec![Arch::X86_64, Arch::Aarch64]),
        syscalls: Some(vec![
            Syscall { names: names(&["read", "write", "exit_group"]), action: Action::Allow, ..Default::default() },
            Syscall {
                names: names(&["socket"]),
                action: Action::Allow,
                // AF_UNIX only.
                args: Some(vec![Arg { index: 0, value: Some(1), op: Operator::Equal, ..Default::default() }]),
                ..Default::default()
            },
        ]),
        ..Default::default()
    };
    let profile = SeccompProfile::new("web", spec);

    if let Some(violation) = profile.validate().first() {
        bail!("not a profile: {violation}");
    }
    print!("{}", serde_saphyr::to_string(&profile)?);
    println!("# localhostProfile: {}", seccomp::localhost_profile(&profile.key()?.name));
    Ok(())
}
