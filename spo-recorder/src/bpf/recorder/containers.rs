//! Containers: the pods that are expected, and what the kernel made of them.

use std::io;
use std::path::{Path, PathBuf};

use super::{Recorder, key, map};
use crate::bpf::request::Select;
use crate::bpf::slots::Chosen;
use crate::bpf::wire::{NOWHERE, Name, Place};
use crate::bpf::{Notice, RecordError, cgroup, decode};
use crate::sys::map::Map;

impl Recorder {
    /// Records the containers of the pod whose cgroup has or will have this name. [`Notice`]s tell of them.
    ///
    /// The name is set down before the directory is looked for, so that the kubelet cannot make it in between.
    ///
    /// # Errors
    /// If the name cannot be that of a cgroup, or cgroups cannot be read. The pod is not expected then, unless it was before.
    pub fn expect_pod(&mut self, name: &str) -> Result<(), RecordError> {
        let key = key(name.as_bytes(), "a cgroup")?;
        self.needs(Select::Containers, "containers")?;
        let is_new = self.expected.insert(name.to_owned());
        let found = self.expect(name, &key);
        if found.is_err() && is_new {
            let pod = self.pod(name).ok().flatten();
            // What cannot be undone is not worse than what is told.
            let _ = self.forget(name, &key, pod.map(|(_, id)| id));
        }
        self.waiting.extend(found?);
        Ok(())
    }

    fn expect(&mut self, name: &str, key: &Name) -> Result<Vec<Notice>, RecordError> {
        self.attach()?;
        self.expected_pods()?.set(key, &1).map_err(map("expect a pod"))?;
        let Some((dir, id)) = self.pod(name)? else { return Ok(Vec::new()) };
        let mut notices = Vec::new();
        if self.loaded.selected.add(&id, &NOWHERE).map_err(map("select a pod"))? {
            notices.push(Notice::Pod { name: name.to_owned() });
        }
        for child in cgroup::children(&dir).map_err(unreadable(&dir))? {
            let id = cgroup::id(&child).map_err(unreadable(&child))?;
            let Some(id) = id else { continue };
            if !self.is_selected(id)? {
                let name = child.file_name().unwrap_or_default().to_string_lossy().into_owned();
                notices.push(Notice::Late { name });
            }
        }
        Ok(notices)
    }

    /// Does not look for this pod any more. Containers that exist go on, also those that no [`Notice`] has told of yet.
    ///
    /// # Errors
    /// If the kernel refuses, or cgroups cannot be read.
    pub fn forget_pod(&mut self, name: &str) -> Result<(), RecordError> {
        let key = key(name.as_bytes(), "a cgroup")?;
        self.needs(Select::Containers, "containers")?;
        if !self.expected.contains(name) {
            return Ok(());
        }
        let pod = self.pod(name)?;
        self.forget(name, &key, pod.map(|(_, id)| id))
    }

    fn forget(&mut self, name: &str, key: &Name, cgroup: Option<u64>) -> Result<(), RecordError> {
        self.expected.remove(name);
        self.expected_pods()?.remove(key).map_err(map("forget a pod"))?;
        match cgroup {
            Some(cgroup) => self.forget_cgroup(cgroup)?,
            None => self.loaded.barrier.wait().map_err(map("wait for programs"))?,
        }
        // Among what was told there may be a container, and then this is not the time to rest.
        self.drain()?;
        self.rest_if_idle()
    }

    /// Gives the containers of a pod no slots any more. Those that have one by now were told of.
    fn forget_cgroup(&self, pod: u64) -> Result<(), RecordError> {
        self.loaded.selected.remove(&pod).map_err(map("forget a pod"))?;
        self.loaded.barrier.wait().map_err(map("wait for programs"))
    }

    /// The cgroup of a pod, if it is there: its directory and its id.
    fn pod(&self, name: &str) -> Result<Option<(PathBuf, u64)>, RecordError> {
        let Some(root) = &self.cgroup_root else { return Ok(None) };
        let Some(dir) = cgroup::find(root, name).map_err(unreadable(root))? else { return Ok(None) };
        let id = cgroup::id(&dir).map_err(unreadable(&dir))?;
        Ok(id.map(|id| (dir, id)))
    }

    fn expected_pods(&self) -> Result<&Map<Name, u32>, RecordError> {
        self.loaded.expected.as_ref().ok_or(RecordError::NotRequested("containers"))
    }

    /// Whether new tasks of a cgroup are marked.
    fn is_selected(&self, cgroup: u64) -> Result<bool, RecordError> {
        Ok(self.loaded.selected.get(&cgroup).map_err(map("look for a container"))?.is_some())
    }

    /// The cgroup of a pod that was made; `None` if the pod was forgotten meanwhile.
    pub(super) fn pod_made(&self, name: String, cgroup: u64) -> Result<Option<Notice>, RecordError> {
        if self.expected.contains(&name) {
            return Ok(Some(Notice::Pod { name }));
        }
        self.forget_cgroup(cgroup)?;
        Ok(None)
    }

    /// A container that the kernel gave a slot; `None` if it is known, or was taken already.
    pub(super) fn container(&mut self, place: Place, name: String) -> Result<Option<Notice>, RecordError> {
        let state = self.loaded.slots.get(&place.slot).map_err(map("read a slot"))?;
        let is_over = state.is_none_or(|state| state.generation != place.generation);
        if is_over || self.slots.by_place(place).is_some() {
            return Ok(None);
        }
        // It began at some time since we last looked.
        let slot = self.slots.begin(place, Chosen::Container, self.looked_at.clone());
        Ok(Some(Notice::Container { slot, name }))
    }

    /// The end of a container; `None` if it was told before, or if it was taken.
    pub(super) fn container_ended(&mut self, place: Place, name: String) -> Option<Notice> {
        let slot = self.slots.by_place(place)?;
        self.slots.tell_end(slot).then_some(Notice::ContainerEnded { slot, name })
    }

    /// Notifications were lost: looks at every slot instead. They are hints; what counts is in the slots.
    pub(super) fn look_at_all(&mut self) -> Result<(), RecordError> {
        if self.select != Select::Containers {
            return Ok(());
        }
        for slot in 0..self.select.slots() {
            let state = self.loaded.slots.get(&slot).map_err(map("read a slot"))?;
            let Some(state) = state.filter(|state| state.cgroup != 0) else { continue };
            let place = Place { slot, generation: state.generation };
            let notice = self.container(place, decode::text(&state.name))?;
            self.waiting.extend(notice);
        }
        let active: Vec<Place> = self.slots.places().collect();
        for place in active {
            let state = self.loaded.slots.get(&place.slot).map_err(map("read a slot"))?;
            let Some(state) = state else { continue };
            if !self.is_selected(state.cgroup)? {
                let notice = self.container_ended(place, decode::text(&state.name));
                self.waiting.extend(notice);
            }
        }
        Ok(())
    }
}

fn unreadable(path: &Path) -> impl Fn(io::Error) -> RecordError {
    move |source| RecordError::Cgroup { path: path.to_owned(), source }
}
