//! `spoc install` and `spoc remove`: AppArmor profiles of one machine, by hand.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use spo_lsm::Profile;
use spo_lsm::apparmor::{self, Name};
use spo_lsm::host::{AppArmorHost, Change, Host};

use super::args::Loaded;
use super::command::in_path;
use super::file::ProfileFile;
use super::log;

/// Loads a profile.
pub(super) fn install(args: &Loaded) -> Result<()> {
    let (profile, name) = wanted(args)?;
    let change = host()?.install(&profile, &name).with_context(|| format!("cannot install {name}"))?;
    log::line(match change {
        Change::Unchanged => format!("{name} was installed already."),
        _ => format!("Installed {name}."),
    });
    Ok(())
}

/// Takes one away.
pub(super) fn remove(args: &Loaded) -> Result<()> {
    let (_, name) = wanted(args)?;
    let change = host()?.remove(&name).with_context(|| format!("cannot remove {name}"))?;
    log::line(match change {
        Change::Absent => format!("{name} was not installed."),
        _ => format!("Removed {name}."),
    });
    Ok(())
}

fn host() -> Result<AppArmorHost> {
    let unavailable = "insufficient permissions or AppArmor is unavailable";
    if !rustix::process::geteuid().is_root() {
        bail!("{unavailable}: run this as root");
    }
    let host = AppArmorHost::by_hand();
    host.support().context(unavailable)?;
    Ok(host)
}

/// The profile, and what it is to be called.
fn wanted(args: &Loaded) -> Result<(apparmor::Profile, Name)> {
    let default = || std::env::temp_dir().join("profile.yaml");
    let path = args.profile.clone().unwrap_or_else(default);
    let file = ProfileFile::read(&path)?;
    let kind = file.profile.kind();
    let Profile::AppArmor(profile) = file.profile else {
        bail!("{}: {kind} is not installed by spoc, which installs AppArmorProfiles", path.display());
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let name = called(profile.name().as_str(), args.executable.as_deref(), &path)?;
    Ok((profile, name))
}

/// By its program if one is known, else by its object.
fn called(object: &str, executable: Option<&Path>, path: &OsStr) -> Result<Name> {
    let program: Option<PathBuf> = executable.map(Path::to_owned).or_else(|| in_path(OsStr::new(object), path));
    let name = program.map_or_else(|| object.to_owned(), |program| program.to_string_lossy().into_owned());
    name.parse().with_context(|| format!("{name:?} cannot be the name of a profile"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_called_by_its_program_if_there_is_one() {
        let path = OsStr::new("/nowhere:/bin");
        let name = |object, executable: Option<&str>| {
            called(object, executable.map(Path::new), path).map(|name| name.to_string())
        };
        assert_eq!(name("web", Some("/usr/bin/web")).unwrap(), "/usr/bin/web");
        assert_eq!(name("sh", None).unwrap(), "/bin/sh");
        assert_eq!(name("no-such-program", None).unwrap(), "no-such-program");
        assert!(name("web", Some("")).is_err());
    }
}
