//! The layers: which test program belongs to which, and what each needs of the machine.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::ValueEnum;

use super::build::Built;
use super::job::Job;
use crate::machine::Package;

/// A layer of tests, cheapest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum Layer {
    /// Every crate by itself, with its examples; no root.
    Unit,
    /// The programs of a node: spoc, and the daemon on a folder.
    Node,
    /// Recording on this kernel, by eBPF, held against strace.
    Kernel,
    /// Security modules that this kernel may not have, in guests that have them.
    Guest,
    /// Against a real API server.
    Api,
    /// Pods on a real cluster.
    Cluster,
    /// Pods on nodes with AppArmor and with SELinux.
    Nodes,
}

/// What building any test needs: a C linker, and the library that the seccomp compiler is held against.
pub(super) const BUILD: &[Package] = &[
    Package { name: "gcc", file: "cc" },
    Package { name: "libc6-dev", file: "/usr/include/stdlib.h" },
    Package { name: "libseccomp-dev", file: "/usr/include/seccomp.h" },
];

const MINUTE: Duration = Duration::from_secs(60);

impl Layer {
    /// One line about it.
    pub(super) fn about(self) -> &'static str {
        match self {
            Self::Unit => "every crate by itself, with its examples",
            Self::Node => "spoc, and the daemon on a folder",
            Self::Kernel => "recording on this kernel",
            Self::Guest => "security modules, in guests that have them",
            Self::Api => "against a real API server",
            Self::Cluster => "pods on a real cluster",
            Self::Nodes => "pods on nodes with AppArmor and with SELinux",
        }
    }

    /// How long one test program may take before it is taken for hung.
    pub(super) fn patience(self) -> Duration {
        match self {
            Self::Unit | Self::Node => 10 * MINUTE,
            Self::Kernel | Self::Guest | Self::Api => 20 * MINUTE,
            Self::Cluster | Self::Nodes => 40 * MINUTE,
        }
    }

    /// Where a test program belongs.
    fn of(built: &Built) -> Result<Self> {
        match (built.package.as_str(), built.is_integration) {
            ("spo-node", true) => Ok(Self::Node),
            ("spo-tests", true) => Self::of_tests(&built.target),
            _ => Ok(Self::Unit),
        }
    }

    /// The programs of tests/ are named after their layer.
    fn of_tests(target: &str) -> Result<Self> {
        let begins = |(pattern, _): &&(&str, Self)| target.starts_with(pattern.trim_end_matches('*'));
        match PATTERNS.iter().find(begins) {
            Some((_, layer)) => Ok(*layer),
            None => bail!(
                "tests/tests/{target}.rs belongs to no layer: begin its name with recording, guest, api, cluster or nodes"
            ),
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unit => "unit",
            Self::Node => "node",
            Self::Kernel => "kernel",
            Self::Guest => "guest",
            Self::Api => "api",
            Self::Cluster => "cluster",
            Self::Nodes => "nodes",
        })
    }
}

/// The names of the programs in tests/, by layer.
const PATTERNS: &[(&str, Layer)] = &[
    ("recording*", Layer::Kernel),
    ("guest*", Layer::Guest),
    ("api*", Layer::Api),
    ("cluster*", Layer::Cluster),
    ("nodes*", Layer::Nodes),
];

/// How the names of these layers' programs begin; none if the layers have others as well.
pub(super) fn patterns(layers: &[Layer]) -> Vec<&'static str> {
    let of = |layer: &Layer| PATTERNS.iter().find(|(_, of)| of == layer).map(|(pattern, _)| *pattern);
    layers.iter().map(of).collect::<Option<_>>().unwrap_or_default()
}

/// The layers asked for, in their order; all of them if none was named.
pub(super) fn chosen(only: &[Layer]) -> Vec<Layer> {
    let all = Layer::value_variants().iter().copied();
    all.filter(|layer| only.is_empty() || only.contains(layer)).collect()
}

/// The test programs of the layers wanted, and the examples in the docs as part of the first layer.
pub(super) fn sort(built: Vec<Built>, wanted: &[Layer]) -> Result<BTreeMap<Layer, Vec<Job>>> {
    let mut jobs: BTreeMap<Layer, Vec<Job>> = BTreeMap::new();
    for built in built {
        jobs.entry(Layer::of(&built)?).or_default().push(Job::program(built));
    }
    // Cargo tells of them as they are done, which is another order each time.
    jobs.values_mut().for_each(|jobs| jobs.sort_by(|a, b| a.name.cmp(&b.name)));
    jobs.entry(Layer::Unit).or_default().push(Job::examples());
    jobs.retain(|layer, _| wanted.contains(layer));
    Ok(jobs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(package: &str, target: &str, is_integration: bool) -> Built {
        Built { package: package.to_owned(), target: target.to_owned(), is_integration, ..Built::default() }
    }

    #[test]
    fn programs_are_sorted_by_package_and_name() {
        assert_eq!(Layer::of(&built("spo-lsm", "oracle", true)).unwrap(), Layer::Unit);
        assert_eq!(Layer::of(&built("spo-node", "spo-node", false)).unwrap(), Layer::Unit);
        assert_eq!(Layer::of(&built("spo-node", "spoc", true)).unwrap(), Layer::Node);
        assert_eq!(Layer::of(&built("spo-tests", "recording_threads", true)).unwrap(), Layer::Kernel);
        assert_eq!(Layer::of(&built("spo-tests", "guest_apparmor", true)).unwrap(), Layer::Guest);
        assert_eq!(Layer::of(&built("spo-tests", "cluster", true)).unwrap(), Layer::Cluster);
        assert_eq!(Layer::of(&built("spo-tests", "nodes_ready", true)).unwrap(), Layer::Nodes);
    }

    #[test]
    fn only_programs_of_the_layers_asked_for_are_built_where_their_names_say_which() {
        assert_eq!(patterns(&[Layer::Guest, Layer::Api]), ["guest*", "api*"]);
        assert!(patterns(&chosen(&[])).is_empty(), "everything");
    }

    #[test]
    fn a_program_of_no_layer_is_named() {
        let error = Layer::of(&built("spo-tests", "misc", true)).unwrap_err();
        assert!(error.to_string().contains("misc.rs"), "{error}");
    }

    #[test]
    fn layers_run_in_their_order_whatever_the_command_line_says() {
        assert_eq!(chosen(&[Layer::Cluster, Layer::Unit]), [Layer::Unit, Layer::Cluster]);
        assert_eq!(chosen(&[]).len(), 7);
    }
}
