//! What the tests of a layer find around them: packages, an API server, a cluster. Gone when it is dropped.

use std::ffi::OsString;

use anyhow::Result;

use super::layer::Layer;
use crate::cluster::api::Throwaway;
use crate::cluster::dir::Dir;
use crate::cluster::node;
use crate::image::BuildImage;
use crate::machine::{Package, is_root, require};
use crate::run::{complain, say};
use crate::vm::Lsm;

/// The modules' own compilers, which what we render is held against.
const COMPILERS: &[Package] =
    &[Package { name: "secilc", file: "secilc" }, Package { name: "apparmor", file: "apparmor_parser" }];

/// What recordings are held against, and what the programs and containers to be recorded are made by.
const RECORDING: &[Package] = &[
    Package { name: "strace", file: "strace" },
    Package { name: "gcc", file: "cc" },
    Package { name: "libc6-dev", file: "/usr/include/stdlib.h" },
    Package { name: "runc", file: "runc" },
];

/// What the 32-bit programs among them are built by.
const RECORDING_32: &[Package] = &[Package { name: "gcc-multilib", file: "/var/lib/dpkg/info/gcc-multilib.list" }];

/// Where tests run.
#[derive(Debug, Default)]
pub(super) struct Surroundings {
    /// What their environment holds in addition.
    pub(super) environment: Vec<(String, String)>,
    /// Words before the command line of a test program.
    pub(super) prefix: Vec<OsString>,
    /// The cluster that they have.
    cluster: Option<Dir>,
    /// Kept for what their `Drop` does.
    _server: Option<Throwaway>,
    _started: Option<Started>,
}

impl Surroundings {
    /// Installs, builds and starts what the tests of a layer need, and says so.
    pub(super) fn of(layer: Layer) -> Result<Self> {
        match layer {
            Layer::Unit => {
                // The tests that want these are skipped without them, and this layer needs no root.
                if is_root() {
                    require(COMPILERS, "what is rendered for SELinux and AppArmor")?;
                }
                Ok(Self::default())
            }
            // A guest is all that is around its tests.
            Layer::Node | Layer::Guest => Ok(Self::default()),
            Layer::Kernel => {
                require(RECORDING, "recording tests")?;
                if cfg!(target_arch = "x86_64") {
                    require(RECORDING_32, "recording 32-bit programs")?;
                }
                Ok(Self::default())
            }
            Layer::Api => Self::api_server(),
            Layer::Cluster => Self::cluster(&[]),
            Layer::Nodes => Self::cluster(&Lsm::ALL),
        }
    }

    fn api_server() -> Result<Self> {
        let server = Throwaway::start()?;
        let kubeconfig = server.kubeconfig().display().to_string();
        // Not KUBECONFIG, which may name a cluster that matters to somebody.
        Ok(Self {
            environment: vec![("SPO_TEST_API_SERVER".to_owned(), kubeconfig)],
            _server: Some(server),
            ..Self::default()
        })
    }

    /// Shows what there is around tests that failed, as long as it is there.
    pub(super) fn explain(&self) {
        let Some(cluster) = &self.cluster else { return };
        if let Err(error) = node::show_state(cluster) {
            complain(&format!("cannot show the state of the cluster: {error:#}"));
        }
    }

    /// A cluster with our image on it, and with guests as further nodes. One that was up before is used, and left up.
    fn cluster(guests: &[Lsm]) -> Result<Self> {
        let obstacle = crate::vm::obstacle().filter(|_| !guests.is_empty());
        if let Some(obstacle) = obstacle {
            say(&format!("no cluster is started: {obstacle}; its tests will be skipped"));
            return Ok(Self::default());
        }
        if !is_root() {
            say("no cluster is started, as that needs root; its tests will be skipped");
            return Ok(Self::default());
        }
        let dir = Dir::node();
        let was_there = dir.path().exists();
        // Before the start, so that one that fails half way is taken down as well.
        let mut surroundings = Self { _started: (!was_there).then(|| Started(dir.clone())), ..Self::default() };
        let image = BuildImage::for_tests();
        let name = image.name().to_owned();
        let tar = image.run()?;
        node::up(&dir)?;
        node::load(&dir, &tar)?;
        node::up_guests(&dir, guests)?;
        surroundings.environment = node::environment(&dir)?;
        surroundings.environment.push(("SPO_TEST_IMAGE".to_owned(), name));
        let guests: Vec<&str> = guests.iter().map(|lsm| lsm.name()).collect();
        surroundings.environment.push(("SPO_TEST_NODES".to_owned(), guests.join(",")));
        surroundings.prefix = node::on_network(&dir);
        surroundings.cluster = Some(dir);
        Ok(surroundings)
    }
}

/// A cluster that the tests have started, and that ends with them.
#[derive(Debug)]
struct Started(Dir);

impl Drop for Started {
    fn drop(&mut self) {
        if let Err(error) = node::down(&self.0) {
            complain(&format!("the cluster in {} is left behind: {error:#}", self.0.path().display()));
        }
    }
}
