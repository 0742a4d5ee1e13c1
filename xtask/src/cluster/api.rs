//! An API server without a node: etcd and kube-apiserver on the loopback device, for any user, beside any other cluster.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::build::{self, Tool};
use super::control::{Plan, Ports};
use super::dir::Dir;
use super::{kubeconfig, pki};
use crate::run::say;

const TOOLS: [Tool; 2] = [Tool::Etcd, Tool::ApiServer];

/// Starts one in this folder, unless it is there.
pub(crate) fn up(dir: &Dir) -> Result<()> {
    let tools = build::build(build::API)?;
    if dir.is_ours()? {
        if let Some(plan) = running(dir, &tools)
            && plan.is_served()
        {
            return Ok(());
        }
        down(dir)?;
    }
    dir.claim()?;
    let plan = Plan { dir: dir.clone(), tools, ports: Ports::free()?, namespace: None };
    dir.write(PORTS, serde_json::to_string(&plan.ports).context("ports are numbers")?)?;
    pki::issue(dir, &[pki::API])?;
    kubeconfig::write(dir, "kubeconfig", "admin", plan.ports.api)?;
    plan.service(Tool::Etcd).start(&plan.etcd())?;
    plan.service(Tool::ApiServer).start(&plan.api_server())?;
    plan.until_served()
}

/// Ends it and removes its folder. Without one there is nothing to do.
pub(crate) fn down(dir: &Dir) -> Result<()> {
    if !dir.is_ours()? {
        return Ok(());
    }
    for tool in TOOLS {
        super::process::Service::new(dir, tool.name()).kill()?;
    }
    dir.remove()
}

const PORTS: &str = "ports.json";

/// The cluster of this folder, if its processes run.
pub(super) fn running(dir: &Dir, tools: &build::Tools) -> Option<Plan> {
    let ports = serde_json::from_str(&dir.read(PORTS)?).ok()?;
    let plan = Plan { dir: dir.clone(), tools: tools.clone(), ports, namespace: None };
    TOOLS.iter().all(|tool| plan.service(*tool).pid().is_some()).then_some(plan)
}

/// An API server that ends with its owner.
#[derive(Debug)]
pub(crate) struct Throwaway {
    dir: Dir,
    /// Kept for its `Drop`.
    _place: tempfile::TempDir,
}

impl Throwaway {
    /// Builds what is missing, and starts.
    pub(crate) fn start() -> Result<Self> {
        let place = tempfile::Builder::new().prefix("spo-api-").tempdir().context("cannot make a temporary folder")?;
        // The owner exists before the processes do, so that they end also when the start fails half way.
        let server = Self { dir: Dir::at(place.path().join("cluster")), _place: place };
        up(&server.dir)?;
        Ok(server)
    }

    /// The kubeconfig of its administrator.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.dir.kubeconfig()
    }
}

impl Drop for Throwaway {
    fn drop(&mut self) {
        if let Err(error) = down(&self.dir) {
            say(&format!("the API server in {} is left behind: {error:#}", self.dir.path().display()));
        }
    }
}
