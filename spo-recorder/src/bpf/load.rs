//! From the object to programs and maps in the kernel: only those that a request needs.

use std::collections::HashSet;
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use aya_obj::btf::BtfFeatures;
use aya_obj::generated::bpf_insn;
use aya_obj::{EbpfSectionKind, Map as Definition, Object};

use super::error::{RecordError, StartError};
use super::layout::{self, Layout};
use super::request::{Request, Select};
use super::wire::{Executable, Name, Place, Slot};
use crate::sys::barrier::Barrier;
use crate::sys::bpf::{self, MapSpec, ProgramSpec};
use crate::sys::map::Map;
use crate::sys::ring::RingMemory;
use crate::sys::wire::Wire;

/// BPF_PROG_TYPE_RAW_TRACEPOINT, BPF_PROG_TYPE_TRACING and BPF_TRACE_RAW_TP.
const RAW_TRACEPOINT: u32 = 17;
const TRACING: u32 = 26;
const TRACE_RAW_TP: u32 = 23;
/// BPF_F_RDONLY_PROG.
const READ_ONLY: u32 = 1 << 7;
/// BPF_MAP_TYPE_TASK_STORAGE.
const TASK_STORAGE: u32 = 29;

/// A program of the object.
#[derive(Debug, Clone, Copy)]
struct Program {
    name: &'static str,
    /// How it is attached: by the name of a raw tracepoint, or by the type that it was loaded for.
    raw: Option<&'static CStr>,
}

const SYS_ENTER: Program = Program { name: "sys_enter", raw: Some(c"sys_enter") };
const SYS_ENTER_EMPTY: Program = Program { name: "sys_enter_empty", raw: Some(c"sys_enter") };
const EXEC: Program = Program { name: "sched_process_exec", raw: None };
const FORK: Program = Program { name: "sched_process_fork", raw: None };
const EXIT: Program = Program { name: "sched_process_exit", raw: None };
const MKDIR: Program = Program { name: "cgroup_mkdir", raw: None };
const RMDIR: Program = Program { name: "cgroup_rmdir", raw: None };

/// The programs of a request, in the order in which they are attached: `sys_enter` last, when marks are kept by the others.
fn programs(select: Select) -> &'static [Program] {
    match select {
        Select::Tree | Select::Executable => &[FORK, EXIT, EXEC, SYS_ENTER],
        Select::Containers => &[FORK, EXIT, EXEC, RMDIR, MKDIR, SYS_ENTER],
    }
}

/// The maps of a request: with how many entries, or as the object says.
fn maps(select: Select) -> &'static [(&'static str, Option<u32>)] {
    // The program for exec mentions the maps of every choice; those that are never reached are as small as can be.
    const TREE: &[(&str, Option<u32>)] = &[
        ("SLOTS", Some(Select::Tree.slots())),
        ("MARKS", None),
        ("NOBODY", None),
        ("EVENTS", Some(4096)),
        ("COUNTS", None),
        ("UNREAD", None),
        ("EXECUTABLES", Some(1)),
        ("SELECTED", Some(1)),
    ];
    const EXECUTABLE: &[(&str, Option<u32>)] = &[
        ("SLOTS", Some(Select::Executable.slots())),
        ("MARKS", None),
        ("NOBODY", None),
        ("EVENTS", None),
        ("COUNTS", None),
        ("UNREAD", None),
        ("EXECUTABLES", None),
        ("SELECTED", Some(1)),
    ];
    const CONTAINERS: &[(&str, Option<u32>)] = &[
        ("SLOTS", Some(Select::Containers.slots())),
        ("MARKS", None),
        ("NOBODY", None),
        ("EVENTS", None),
        ("COUNTS", None),
        ("UNREAD", None),
        ("EXECUTABLES", Some(1)),
        ("SELECTED", None),
        ("EXPECTED", None),
        ("FREE", Some(Select::Containers.slots())),
    ];
    match select {
        Select::Tree => TREE,
        Select::Executable => EXECUTABLE,
        Select::Containers => CONTAINERS,
    }
}

/// Programs and maps in the kernel, attached to nothing.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) slots: Map<u32, Slot>,
    pub(super) counts: Map<u32, u64>,
    pub(super) marks: OwnedFd,
    pub(super) executables: Map<u32, Executable>,
    pub(super) selected: Map<u64, Place>,
    /// Only for containers, like the next.
    pub(super) expected: Option<Map<Name, u32>>,
    pub(super) free: Option<OwnedFd>,
    pub(super) ring: RingMemory,
    pub(super) barrier: Barrier,
    programs: Vec<(Program, OwnedFd)>,
}

impl Loaded {
    /// Loads what a request needs.
    pub(super) fn load(request: &Request, host_mntns: u32) -> Result<Self, StartError> {
        let select = request.select;
        let programs = programs(select);
        let tracepoints: Vec<&str> = programs.iter().filter(|p| p.raw.is_none()).map(|p| p.name).collect();
        let layout = Layout::of_this_kernel(&tracepoints)?;
        let mut object = parse(request.object.as_deref())?;
        let shared = keep(&mut object, programs);
        let counts_refused = u32::from(request.counts_refused || layout::refuses_lookups());
        let own = [("SELECT", select.number()), ("HOST_MNTNS", host_mntns), ("REFUSES_LOOKUPS", counts_refused)];
        set(&mut object, layout.settings.iter().copied().chain(own))?;
        let mut made = Made::make(&mut object, maps(select))?;
        relocate(&mut object, &made, &shared)?;
        let mut ids = layout.tracepoints.into_iter();
        let mut loaded = Vec::with_capacity(programs.len());
        for program in programs {
            let attach_to = if program.raw.is_some() { 0 } else { ids.next().unwrap_or(0) };
            loaded.push((*program, load(&object, *program, attach_to)?));
        }
        Ok(Self {
            slots: made.typed("SLOTS")?,
            counts: made.typed("COUNTS")?,
            marks: made.take("MARKS")?.1,
            executables: made.typed("EXECUTABLES")?,
            selected: made.typed("SELECTED")?,
            expected: if select == Select::Containers { Some(made.typed("EXPECTED")?) } else { None },
            free: if select == Select::Containers { Some(made.take("FREE")?.1) } else { None },
            ring: made.ring("EVENTS")?,
            barrier: Barrier::new().map_err(|source| map_refused("barrier", source))?,
            programs: loaded,
        })
    }

    /// How many runs of the programs the kernel skipped.
    pub(super) fn skipped_runs(&self) -> io::Result<u64> {
        self.programs.iter().map(|(_, fd)| bpf::skipped_runs(fd.as_fd())).sum()
    }

    /// Attaches every program; they are detached when the result is dropped.
    pub(super) fn attach(&self) -> Result<Attached, RecordError> {
        let attach = |(program, fd): &(Program, OwnedFd)| {
            bpf::attach(fd.as_fd(), program.raw).map_err(|source| RecordError::Attach { program: program.name, source })
        };
        let mut links = self.programs.iter().map(attach).collect::<Result<Vec<_>, _>>()?;
        // Dropped in this order: the costly one first.
        links.reverse();
        Ok(Attached { _links: links })
    }
}

/// As long as it lives, programs are attached.
#[derive(Debug)]
pub(super) struct Attached {
    _links: Vec<OwnedFd>,
}

/// Attaches the program that does nothing.
pub(super) fn attach_empty() -> Result<Attached, StartError> {
    let mut object = parse(None)?;
    keep(&mut object, &[SYS_ENTER_EMPTY]);
    let program = load(&object, SYS_ENTER_EMPTY, 0)?;
    let refused = |source| StartError::KernelRefused { program: SYS_ENTER_EMPTY.name, source, log: String::new() };
    let link = bpf::attach(program.as_fd(), SYS_ENTER_EMPTY.raw).map_err(refused)?;
    Ok(Attached { _links: vec![link] })
}

/// The committed object, unless another is given.
fn parse(object: Option<&[u8]>) -> Result<Object, StartError> {
    let object = match object {
        Some(object) => Object::parse(object),
        None => Object::parse(super::object::bytes()),
    };
    object.map_err(damaged)
}

fn damaged(error: impl std::fmt::Display) -> StartError {
    StartError::Object(error.to_string())
}

/// Keeps the wanted programs and the functions that programs share, as the others would want maps that are not made. Gives back
/// the sections of those functions.
fn keep(object: &mut Object, wanted: &[Program]) -> HashSet<usize> {
    let of_programs: HashSet<usize> = object.programs.values().map(|program| program.section_index).collect();
    let shared: HashSet<usize> =
        object.functions.keys().map(|key| key.0).filter(|section| !of_programs.contains(section)).collect();
    object.programs.retain(|name, _| wanted.iter().any(|program| program.name == name));
    let kept: HashSet<_> = object.programs.values().map(aya_obj::Program::function_key).collect();
    object.functions.retain(|key, _| kept.contains(key) || shared.contains(&key.0));
    shared
}

fn set(object: &mut Object, settings: impl Iterator<Item = (&'static str, u32)>) -> Result<(), StartError> {
    let settings: Vec<(&str, [u8; 4])> = settings.map(|(name, value)| (name, value.to_ne_bytes())).collect();
    let globals = settings.iter().map(|(name, value)| (*name, (value.as_slice(), true))).collect();
    object.patch_map_data(globals).map_err(damaged)
}

fn relocate(object: &mut Object, made: &Made, shared: &HashSet<usize>) -> Result<(), StartError> {
    let maps: Vec<_> = made.0.iter().map(|(name, map, fd)| (name.as_str(), fd.as_raw_fd(), map)).collect();
    object.relocate_maps(maps.into_iter(), shared).map_err(damaged)?;
    object.relocate_calls(shared).map_err(damaged)
}

fn load(object: &Object, program: Program, attach_to: u32) -> Result<OwnedFd, StartError> {
    let missing = || StartError::Object(format!("it has no program {}", program.name));
    let found = object.programs.get(program.name).ok_or_else(missing)?;
    let function = object.functions.get(&found.function_key()).ok_or_else(missing)?;
    let (kind, attach_type) = if program.raw.is_some() { (RAW_TRACEPOINT, 0) } else { (TRACING, TRACE_RAW_TP) };
    let instructions: &[bpf_insn] = &function.instructions;
    let spec = ProgramSpec { kind, name: program.name, instructions, licence: &object.license, attach_type, attach_to };
    bpf::load_program(&spec, &mut []).map_err(|source| refused(&spec, program, source))
}

/// Asks again, for the verifier's reason.
fn refused(spec: &ProgramSpec<'_>, program: Program, source: io::Error) -> StartError {
    if source.raw_os_error() == Some(libc::EPERM) {
        return StartError::NoPermission(source);
    }
    let mut log = vec![0_u8; 1 << 20];
    let _ = bpf::load_program(spec, &mut log);
    let text = CStr::from_bytes_until_nul(&log).unwrap_or_default().to_string_lossy();
    let lines: Vec<&str> = text.lines().collect();
    let log = lines[lines.len().saturating_sub(12)..].join("\n");
    StartError::KernelRefused { program: program.name, source, log }
}

/// Maps that were made, by name.
struct Made(Vec<(String, Definition, OwnedFd)>);

impl Made {
    fn make(object: &mut Object, wanted: &[(&str, Option<u32>)]) -> Result<Self, StartError> {
        let types = load_types(object)?;
        let mut made = Vec::with_capacity(wanted.len() + 1);
        for (name, max_entries) in wanted {
            let definition = object.maps.get_mut(*name);
            let definition = definition.ok_or_else(|| StartError::Object(format!("it has no map {name}")))?;
            if let Some(entries) = max_entries {
                definition.set_max_entries(*entries);
            }
            made.push(((*name).to_owned(), definition.clone(), make_map(name, definition, &types)?));
        }
        let settings = object.maps.iter().find(|(_, map)| map.section_kind() == EbpfSectionKind::Rodata);
        if let Some((name, definition)) = settings {
            made.push((name.clone(), definition.clone(), make_settings(name, definition, &types)?));
        }
        Ok(Self(made))
    }

    fn take(&mut self, name: &str) -> Result<(Definition, OwnedFd), StartError> {
        let at = self.0.iter().position(|(own, ..)| own == name);
        let at = at.ok_or_else(|| StartError::Object(format!("it has no map {name}")))?;
        let (_, definition, fd) = self.0.swap_remove(at);
        Ok((definition, fd))
    }

    fn typed<K: Wire, V: Wire>(&mut self, name: &str) -> Result<Map<K, V>, StartError> {
        let (definition, fd) = self.take(name)?;
        Map::new(fd, definition.key_size(), definition.value_size())
            .ok_or_else(|| StartError::Object(format!("its map {name} has another layout than this program")))
    }

    fn ring(&mut self, name: &str) -> Result<RingMemory, StartError> {
        let (definition, fd) = self.take(name)?;
        RingMemory::map(fd, definition.max_entries() as usize)
            .map_err(|source| StartError::MapRefused { map: name.to_owned(), source })
    }
}

/// Gives the kernel the types of the object, which task storage wants. Kinds newer than Linux 5.15 are left out of them.
fn load_types(object: &mut Object) -> Result<OwnedFd, StartError> {
    let features = BtfFeatures::new(true, true, true, true, true, false, false, false);
    let types = object.fixup_and_sanitize_btf(&features).map_err(damaged)?;
    let types = types.ok_or_else(|| StartError::Object("it has no types".to_owned()))?;
    bpf::load_btf(&types.to_bytes()).map_err(|source| match source.raw_os_error() {
        Some(libc::EPERM) => StartError::NoPermission(source),
        _ => StartError::TypesRefused(source),
    })
}

fn make_map(name: &str, definition: &Definition, types: &OwnedFd) -> Result<OwnedFd, StartError> {
    let types = match definition {
        Definition::Btf(map) if definition.map_type() == TASK_STORAGE => {
            Some((types.as_fd(), map.def.btf_key_type_id, map.def.btf_value_type_id))
        }
        _ => None,
    };
    let spec = MapSpec {
        kind: definition.map_type(),
        key_size: definition.key_size(),
        value_size: definition.value_size(),
        max_entries: definition.max_entries(),
        flags: definition.map_flags(),
        name,
        types,
        inner: None,
    };
    bpf::create_map(&spec).map_err(|source| map_refused(name, source))
}

fn map_refused(name: &str, source: io::Error) -> StartError {
    match source.raw_os_error() {
        Some(libc::EPERM) => StartError::NoPermission(source),
        _ => StartError::MapRefused { map: name.to_owned(), source },
    }
}

/// Makes the map of the settings, fills it and freezes it.
fn make_settings(name: &str, definition: &Definition, types: &OwnedFd) -> Result<OwnedFd, StartError> {
    let mut definition = definition.clone();
    if let Definition::Legacy(map) = &mut definition {
        map.def.map_flags |= READ_ONLY;
    }
    let fd = make_map(name, &definition, types)?;
    bpf::update(fd.as_fd(), &0_u32.to_ne_bytes(), definition.data(), 0)
        .and_then(|()| bpf::freeze(fd.as_fd()))
        .map_err(|source| StartError::MapRefused { map: name.to_owned(), source })?;
    Ok(fd)
}
