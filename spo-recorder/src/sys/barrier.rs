//! Waiting for the programs that run just now.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use super::bpf::{self, MapSpec};

/// BPF_MAP_TYPE_ARRAY and BPF_MAP_TYPE_ARRAY_OF_MAPS.
const ARRAY: u32 = 2;
const ARRAY_OF_MAPS: u32 = 12;

/// Waits for programs. Of one change of a map alone does the kernel promise that no program acts any more on what was there before: that of
/// a map of maps. So here is one, which no program knows.
#[derive(Debug)]
pub(crate) struct Barrier {
    inner: OwnedFd,
    outer: OwnedFd,
}

impl Barrier {
    pub(crate) fn new() -> io::Result<Self> {
        let inner = MapSpec {
            kind: ARRAY,
            key_size: 4,
            value_size: 4,
            max_entries: 1,
            flags: 0,
            name: "inner",
            types: None,
            inner: None,
        };
        let map = bpf::create_map(&inner)?;
        let outer = MapSpec { kind: ARRAY_OF_MAPS, name: "barrier", inner: Some(map.as_fd()), ..inner };
        Ok(Self { outer: bpf::create_map(&outer)?, inner: map })
    }

    /// Waits until every program that runs just now has come to its end. What maps held before the call, none acts on after it.
    pub(crate) fn wait(&self) -> io::Result<()> {
        bpf::update(self.outer.as_fd(), &0_u32.to_ne_bytes(), &self.inner.as_raw_fd().to_ne_bytes(), 0)
    }
}
