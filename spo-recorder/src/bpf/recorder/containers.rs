//! Containers: the pods that are expected, and what the kernel made of them.

use std::path::PathBuf;

use super::{Recorder, key, map};
use crate::bpf::request::Select;
use crate::bpf::slots::Chosen;
use crate::bpf::wire::Name;
use crate::bpf::{Notice, RecordError, cgroup, decode};
use crate::sys::bpf::Map;

/// Value of a pod in the map of selected cgroups.
const POD: u32 = 0;

impl Recorder {
    /// Records the containers of the pod whose cgroup has or will have this name. [`Notice`]s tell of them.
    ///
    /// The name is set down before the directory is looked for, so that the kubelet cannot make it in between.
    ///
    /// # Errors
    /// If the name cannot be that of a cgroup, or cgroups cannot be read.
    pub fn expect_pod(&mut self, name: &str) -> Result<(), RecordError> {
        let key = key(name.as_bytes(), "a cgroup")?;
        self.attach()?;
        self.expected_pods()?.set(&key, &1).map_err(map("expect a pod"))?;
        self.expected.insert(name.to_owned());
        let Some(root) = &self.cgroup_root else { return Ok(()) };
        let unreadable = |path: &PathBuf| {
            let path = path.clone();
            move |source| RecordError::Cgroup { path, source }
        };
        let Some(dir) = cgroup::find(root, name).map_err(unreadable(root))? else { return Ok(()) };
        let Some(id) = cgroup::id(&dir).map_err(unreadable(&dir))? else { return Ok(()) };
        if self.loaded.selected.add(&id, &POD).map_err(map("select a pod"))? {
            self.waiting.push_back(Notice::Pod { name: name.to_owned() });
        }
        for child in cgroup::children(&dir).map_err(unreadable(&dir))? {
            let id = cgroup::id(&child).map_err(unreadable(&child))?;
            let Some(id) = id else { continue };
            if !self.is_selected(id)? {
                let name = child.file_name().unwrap_or_default().to_string_lossy().into_owned();
                self.waiting.push_back(Notice::Late { name });
            }
        }
        Ok(())
    }

    /// Does not look for this pod any more. Containers that are recorded go on.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn forget_pod(&mut self, name: &str) -> Result<(), RecordError> {
        let key = key(name.as_bytes(), "a cgroup")?;
        self.expected_pods()?.remove(&key).map_err(map("forget a pod"))?;
        if self.expected.remove(name)
            && let Some(root) = &self.cgroup_root
            && let Ok(Some(dir)) = cgroup::find(root, name)
            && let Ok(Some(id)) = cgroup::id(&dir)
        {
            self.loaded.selected.remove(&id).map_err(map("forget a pod"))?;
        }
        self.rest_if_idle();
        Ok(())
    }

    fn expected_pods(&self) -> Result<&Map<Name, u32>, RecordError> {
        self.loaded.expected.as_ref().ok_or(RecordError::NotRequested("containers"))
    }

    /// A container that the kernel gave a slot; `None` if it is known, or gone already and its slot with it.
    pub(super) fn container(&mut self, index: u32, name: String, cgroup: u64) -> Result<Option<Notice>, RecordError> {
        let state = self.loaded.slots.get(&index).map_err(map("read a slot"))?;
        let is_known = self.slots.by_index(index).is_some() || self.slots.is_retired(index);
        if is_known || state.is_none_or(|state| state.cgroup != cgroup) {
            return Ok(None);
        }
        // It began at some time since we last looked.
        let slot = self.slots.begin(index, Chosen::Container, self.looked_at.clone());
        Ok(Some(Notice::Container { slot, name }))
    }

    /// The end of a container; `None` if it was told before, and if its slot is another's by now.
    pub(super) fn container_ended(
        &mut self,
        index: u32,
        name: String,
        cgroup: u64,
    ) -> Result<Option<Notice>, RecordError> {
        let state = self.loaded.slots.get(&index).map_err(map("read a slot"))?;
        let of_this = state.is_some_and(|state| state.cgroup == cgroup);
        let Some(slot) = self.slots.by_index(index).filter(|_| of_this) else { return Ok(None) };
        Ok(self.slots.tell_end(slot).then_some(Notice::ContainerEnded { slot, name }))
    }

    /// Notifications were lost: looks at every slot instead. They are hints; what counts is in the slots.
    pub(super) fn look_at_all(&mut self) -> Result<(), RecordError> {
        if self.select != Select::Containers {
            return Ok(());
        }
        for index in 0..self.select.slots() {
            let state = self.loaded.slots.get(&index).map_err(map("read a slot"))?;
            let Some(state) = state.filter(|state| state.cgroup != 0) else { continue };
            let notice = self.container(index, decode::text(&state.name), state.cgroup)?;
            self.waiting.extend(notice);
        }
        let active: Vec<u32> = self.slots.indices().collect();
        for index in active {
            let state = self.loaded.slots.get(&index).map_err(map("read a slot"))?;
            let Some(state) = state else { continue };
            if !self.is_selected(state.cgroup)? {
                let notice = self.container_ended(index, decode::text(&state.name), state.cgroup)?;
                self.waiting.extend(notice);
            }
        }
        Ok(())
    }
}
