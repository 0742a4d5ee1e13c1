//! `spo-node status`: what is installed on this host, whether the kernel agrees, and what a daemon said of it.
//!
//! It asks hosts as a daemon does, in this process and beside one that runs; nothing is changed. What a daemon with a folder of profiles
//! reports stands in its folder of statuses. One in a cluster reports to the API server: `kubectl get securityprofilenodestatuses`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;
use spo_api::ProfileState;
use spo_lsm::host::{Content, Installed, SeccompHost};

use crate::daemon::BoxedHost;
use crate::source::directory::{Told, ToldOfProfile, told};
use crate::status::chain;
use crate::{args, installer, paths};

/// What was found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Survey {
    modules: Vec<OfModule>,
    /// What the daemon's folder of statuses says, if there is one.
    statuses: Vec<Status>,
    /// What the daemon could not use of the files in its folder of profiles, and why: no profile that has a status.
    files: BTreeMap<String, Vec<String>>,
    /// Why that could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    unread: Option<String>,
}

/// The profiles of one module that are on this host.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct OfModule {
    module: &'static str,
    /// Why profiles of it cannot be used here, or what is installed cannot be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Whether that is a failure, and not only a host without the module.
    is_error: bool,
    profiles: Vec<Found>,
}

/// Something that is installed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    /// Its file, or its module in the store of SELinux.
    name: String,
    state: State,
    /// What it is, if it is none of ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    what: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum State {
    /// Ours. The kernel has it; for seccomp, its file is whole.
    Installed,
    /// Ours, but changed, not loaded, or loaded in another mode. A daemon mends that.
    Stale,
    /// Somebody else's, in a folder of ours.
    Foreign,
}

/// What a daemon said of a profile.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    profile: String,
    state: ProfileState,
    message: String,
}

/// Looks, and prints what there is. The exit status is 1 if something is not as it should be, or cannot be read.
///
/// # Errors
/// Standard output cannot be written to.
pub fn status(settings: &args::Status) -> Result<ExitCode> {
    let survey = survey(settings);
    let mut out = std::io::stdout().lock();
    if settings.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&survey)?)?;
    } else {
        out.write_all(survey.for_people().as_bytes())?;
    }
    Ok(if survey.is_well() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn survey(settings: &args::Status) -> Survey {
    let root = &settings.host.root;
    let seccomp = SeccompHost::new(root, &paths::profiles(&settings.host.kubelet()));
    let mut hosts: Vec<BoxedHost> = vec![Box::new(seccomp)];
    // Programs and kernel of a host that is somewhere else cannot be asked.
    if root == Path::new("/") {
        hosts.extend(installer::hosts());
    }
    let folder = settings.status_dir.clone().unwrap_or_else(|| paths::below(root, Path::new(paths::STATUSES)));
    let (told, unread) = match told(&folder) {
        Ok(told) => (told, None),
        Err(error) => (Told::default(), Some(format!("cannot read {}: {error}", folder.display()))),
    };
    let statuses = told.profiles.into_iter().map(Status::from).collect();
    Survey { modules: hosts.into_iter().map(OfModule::asked).collect(), statuses, files: told.mistakes, unread }
}

impl OfModule {
    fn asked(mut host: BoxedHost) -> Self {
        let module = host.module().as_str();
        let bare = |reason: Option<String>, is_error| Self { module, reason, is_error, profiles: Vec::new() };
        if let Err(unsupported) = host.support() {
            return bare(Some(unsupported.to_string()), false);
        }
        match host.installed() {
            Ok(installed) => Self { profiles: found(installed), ..bare(None, false) },
            Err(error) => bare(Some(chain(&error)), true),
        }
    }
}

fn found(installed: Installed) -> Vec<Found> {
    let state = |content| match content {
        Content::Profile(_) => State::Installed,
        Content::Stale => State::Stale,
    };
    let ours = installed.files.into_iter().map(|(name, content)| Found { name, state: state(content), what: None });
    let others = installed.foreign.into_iter();
    let others = others.map(|foreign| Found { name: foreign.name, state: State::Foreign, what: Some(foreign.what) });
    ours.chain(others).collect()
}

impl From<ToldOfProfile> for Status {
    fn from(told: ToldOfProfile) -> Self {
        Self { profile: told.key.to_string(), state: told.state, message: told.message }
    }
}

impl Survey {
    fn is_well(&self) -> bool {
        let as_it_should_be = |found: &Found| found.state == State::Installed;
        self.unread.is_none()
            && self.files.is_empty()
            && self.modules.iter().all(|of| !of.is_error && of.profiles.iter().all(as_it_should_be))
            && self.statuses.iter().all(|status| status.state != ProfileState::Error)
    }

    fn for_people(&self) -> String {
        let mut text = String::new();
        for of in &self.modules {
            match &of.reason {
                Some(reason) => text += &format!("{}: {reason}\n", of.module),
                None => text += &format!("{}: {} installed\n", of.module, of.profiles.len()),
            }
            for found in &of.profiles {
                text += &format!("  {:<9} {}{}\n", found.state.word(), found.name, found.said());
            }
        }
        if !self.statuses.is_empty() {
            text += "what the daemon says:\n";
        }
        for status in &self.statuses {
            text += &format!("  {:<11} {}: {}\n", status.state.as_str(), status.profile, status.message);
        }
        if !self.files.is_empty() {
            text += "what it cannot use:\n";
        }
        for (file, mistakes) in &self.files {
            for mistake in mistakes {
                text += &format!("  {file}: {mistake}\n");
            }
        }
        if let Some(unread) = &self.unread {
            text += &format!("{unread}\n");
        }
        text
    }
}

impl State {
    const fn word(self) -> &'static str {
        match self {
            Self::Installed => "installed",
            Self::Stale => "stale",
            Self::Foreign => "foreign",
        }
    }
}

impl Found {
    fn said(&self) -> String {
        self.what.map(|what| format!(", which is {what}")).unwrap_or_default()
    }
}
