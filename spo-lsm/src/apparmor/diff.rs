//! What one profile permits and another does not.

use std::fmt;

use serde::Serialize;
use spo_api::apparmor::v1::Mode;

use super::access::{self, Access};
use super::glob::{Budget, Found};
use super::{Profile, Uses};

/// How two profiles differ in what they permit. It is empty for profiles that permit the same, however they are written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Diff {
    /// Their modes, where these differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modes: Option<[Mode; 2]>,
    /// What only the first permits.
    pub only_first: Vec<Permission>,
    /// What only the second permits.
    pub only_second: Vec<Permission>,
}

/// Something that a profile permits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
#[non_exhaustive]
pub enum Permission {
    /// To use files.
    #[serde(rename_all = "camelCase")]
    File {
        /// How.
        uses: Uses,
        /// Which, as the profile names them.
        path: String,
        /// One of those that only this profile permits. There is none where comparing them would take too long; then they may be the same.
        #[serde(skip_serializing_if = "Option::is_none")]
        example: Option<String>,
    },
    /// To make sockets: `raw`, `tcp`, `udp`.
    Network {
        /// Which.
        name: &'static str,
    },
    /// To use a capability.
    Capability {
        /// Its name.
        name: &'static str,
    },
    /// To trace processes, or to be traced.
    Ptrace {
        /// The access, as AppArmor writes it.
        access: &'static str,
    },
}

/// What `first` permits that `second` does not, and the other way round.
///
/// Profiles in complain mode are compared by what they would permit if they were enforced.
pub fn diff(first: &Profile, second: &Profile) -> Diff {
    let budget = &mut access::budget();
    let (one, other) = (Access::of(first, budget), Access::of(second, budget));
    Diff {
        modes: (first.mode != second.mode).then_some([first.mode, second.mode]),
        only_first: beyond((first, &one), (second, &other), budget),
        only_second: beyond((second, &other), (first, &one), budget),
    }
}

impl Diff {
    /// Whether both permit the same.
    pub fn is_empty(&self) -> bool {
        self.modes.is_none() && self.only_first.is_empty() && self.only_second.is_empty()
    }
}

/// What the first permits and the second does not.
fn beyond(first: (&Profile, &Access), second: (&Profile, &Access), budget: &mut Budget) -> Vec<Permission> {
    let mut found = files(first.1, second.1, budget);
    let (first, second) = (first.0, second.0);
    let allowed = |profile: &Profile| {
        let network = profile.network.unwrap_or_default();
        [network.raw, network.tcp, network.udp].map(|one| one == Some(true))
    };
    for ((name, one), other) in ["raw", "tcp", "udp"].into_iter().zip(allowed(first)).zip(allowed(second)) {
        found.extend((one && !other).then_some(Permission::Network { name }));
    }
    let capabilities = first.capabilities.difference(&second.capabilities);
    found.extend(capabilities.map(|capability| Permission::Capability { name: capability.as_str() }));
    let ptrace = first.ptrace.difference(&second.ptrace);
    found.extend(ptrace.map(|ptrace| Permission::Ptrace { access: ptrace.as_str() }));
    found
}

fn files(first: &Access, second: &Access, budget: &mut Budget) -> Vec<Permission> {
    let mut found: Vec<(usize, Uses, Option<String>)> = Vec::new();
    for way in Uses::EACH {
        let (own, others) = (first.by(way), second.by(way));
        for (at, (glob, _)) in first.own().iter().enumerate().filter(|(_, (_, uses))| uses.contains(way)) {
            match own.beyond(glob, &[&others], budget) {
                Found::Nothing => {}
                Found::Path(path) => found.push((at, way, Some(path))),
                Found::Unsure => found.push((at, way, None)),
            }
        }
    }
    found.sort_by_key(|(at, ..)| *at);
    let mut permissions: Vec<Permission> = Vec::new();
    for (at, way, example) in found {
        let path = first.own()[at].0.as_str().to_owned();
        match permissions.last_mut() {
            // One pattern, several ways: one line, if the same file is an example of all.
            Some(Permission::File { uses, path: last, example: known }) if *last == path && *known == example => {
                *uses |= way
            }
            _ => permissions.push(Permission::File { uses: way, path, example }),
        }
    }
    permissions
}

impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some([first, second]) = self.modes {
            writeln!(f, "the first is in {first} mode, the second in {second} mode")?;
        }
        for (which, list) in [("first", &self.only_first), ("second", &self.only_second)] {
            if !list.is_empty() {
                writeln!(f, "only the {which} permits:")?;
            }
            list.iter().try_for_each(|permission| writeln!(f, "  {permission}"))?;
        }
        Ok(())
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { uses, path, example: Some(example) } if path == example => write!(f, "{uses} {path}"),
            Self::File { uses, path, example: Some(example) } => write!(f, "{uses} {path} (for example {example})"),
            Self::File { uses, path, example: None } => write!(f, "{uses} {path} (perhaps: it is too much to compare)"),
            Self::Network { name } => write!(f, "network {name}"),
            Self::Capability { name } => write!(f, "capability {name}"),
            Self::Ptrace { access } => write!(f, "ptrace ({access})"),
        }
    }
}
