//! `spoc convert`: from a manifest to what a container runtime or a module of the kernel reads, and back.

use anyhow::{Context, Result};
use spo_lsm::apparmor::Name;
use spo_lsm::seccomp::{Form, to_json};
use spo_lsm::{Profile, apparmor, selinux};

use super::args::Convert;
use super::file::{self, ProfileFile};
use super::output::Output;
use super::{log, yaml};

/// What others may do with a converted profile: nothing.
const MODE: u32 = 0o600;

/// Converts one profile.
pub(super) fn convert(args: &Convert) -> Result<()> {
    let file = ProfileFile::read(&args.profile)?;
    let (text, what) = match file.form {
        file::Form::Manifest => (raw(&file.profile, args)?, "raw profile"),
        file::Form::Raw => (manifest(&file, args)?, "profile"),
    };
    let output = Output::prepare(&args.output_file, MODE)?;
    output.write(text.as_bytes())?;
    log::line(format_args!("Successfully wrote {what} to {}.", args.output_file.display()));
    Ok(())
}

/// What is read by whoever enforces a profile.
fn raw(profile: &Profile, args: &Convert) -> Result<String> {
    if args.name.is_some() {
        log::line("--name is for the other direction: it names the object that is made of a raw profile");
    }
    let Profile::AppArmor(apparmor) = profile else {
        if args.program_name.is_some() {
            log::line(format_args!("--program-name is for AppArmor profiles; a {} is not named by it", profile.kind()));
        }
        return Ok(match profile {
            Profile::Seccomp(profile) => to_json(profile, Form::Pretty) + "\n",
            Profile::Selinux(profile) => selinux::to_cil(profile),
            Profile::RawSelinux(profile) => selinux::raw::to_cil(profile),
            Profile::AppArmor(profile) => apparmor::to_text(profile, profile.loaded_as()),
        });
    };
    let name: Name = match &args.program_name {
        Some(name) => name.parse().context("--program-name")?,
        None => {
            log::line("The profile is attached to no program; name one with --program-name to have it confined by it");
            apparmor.loaded_as().clone()
        }
    };
    Ok(apparmor::to_text(apparmor, &name))
}

/// An object of the API.
fn manifest(file: &ProfileFile, args: &Convert) -> Result<String> {
    let name = match &args.name {
        Some(name) => name.parse().context("--name")?,
        None => file.profile.name().clone(),
    };
    yaml::of_profile(&name, &file.metadata, &file.profile)
}
