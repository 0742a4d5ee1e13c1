//! `bpf(2)`: one call, one function for each command that is used.
//!
//! Each command takes the start of `union bpf_attr`; what is not given counts as zero. The layouts are those of `linux/bpf.h`.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use aya_obj::generated::{bpf_cmd, bpf_insn, bpf_prog_info};

/// Gives a command to the kernel.
///
/// # Safety
/// `A` is the layout of the command's attributes, and what it points to is valid for what the command does with it.
unsafe fn bpf<A>(command: bpf_cmd, attributes: &mut A) -> io::Result<i64> {
    // SAFETY: as promised by the caller; the kernel reads and writes no more than the given size.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, command as libc::c_int, std::ptr::from_mut(attributes), size_of::<A>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// A command that gives back a descriptor.
///
/// # Safety
/// As for [`bpf`], and the command gives back a descriptor.
unsafe fn bpf_fd<A>(command: bpf_cmd, attributes: &mut A) -> io::Result<OwnedFd> {
    // SAFETY: as promised by the caller.
    let result = unsafe { bpf(command, attributes)? };
    let fd = i32::try_from(result).map_err(io::Error::other)?;
    // SAFETY: new, and nobody else's. The kernel sets close-on-exec on all of them.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// How a map is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MapSpec<'a> {
    pub(crate) kind: u32,
    pub(crate) key_size: u32,
    pub(crate) value_size: u32,
    pub(crate) max_entries: u32,
    pub(crate) flags: u32,
    pub(crate) name: &'a str,
    /// Types of key and value, for the kinds of map that want them.
    pub(crate) types: Option<(BorrowedFd<'a>, u32, u32)>,
    /// A map like those that it holds, for a map of maps.
    pub(crate) inner: Option<BorrowedFd<'a>>,
}

pub(crate) fn create_map(spec: &MapSpec<'_>) -> io::Result<OwnedFd> {
    #[repr(C)]
    struct Attributes {
        kind: u32,
        key_size: u32,
        value_size: u32,
        max_entries: u32,
        flags: u32,
        inner_map: u32,
        numa_node: u32,
        name: [u8; 16],
        ifindex: u32,
        btf: u32,
        key_type: u32,
        value_type: u32,
    }
    let (btf, key_type, value_type) =
        spec.types.map_or((0, 0, 0), |(fd, key, value)| (fd.as_raw_fd().cast_unsigned(), key, value));
    let mut attributes = Attributes {
        kind: spec.kind,
        key_size: spec.key_size,
        value_size: spec.value_size,
        max_entries: spec.max_entries,
        flags: spec.flags,
        inner_map: spec.inner.map_or(0, |map| map.as_raw_fd().cast_unsigned()),
        numa_node: 0,
        name: object_name(spec.name),
        ifindex: 0,
        btf,
        key_type,
        value_type,
    };
    // SAFETY: the layout of BPF_MAP_CREATE, which points to nothing.
    unsafe { bpf_fd(bpf_cmd::BPF_MAP_CREATE, &mut attributes) }
}

/// How the kernel names a map or a program: at most 15 letters, digits, dots and underscores.
fn object_name(name: &str) -> [u8; 16] {
    let mut short = [0; 16];
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    for (to, from) in short[..15].iter_mut().zip(name.bytes().filter(allowed)) {
        *to = from;
    }
    short
}

#[repr(C)]
struct Element {
    map: u32,
    padding: u32,
    key: u64,
    value: u64,
    flags: u64,
}

impl Element {
    fn new(map: BorrowedFd<'_>, key: &[u8], value: *const u8, flags: u64) -> Self {
        Self {
            map: map.as_raw_fd().cast_unsigned(),
            padding: 0,
            key: key.as_ptr().expose_provenance() as u64,
            value: value.expose_provenance() as u64,
            flags,
        }
    }
}

/// Reads the value of a key into `value`; `false` where there is none. Both have the sizes that the map was made with.
pub(crate) fn look_up(map: BorrowedFd<'_>, key: &[u8], value: &mut [u8]) -> io::Result<bool> {
    let mut element = Element::new(map, key, value.as_mut_ptr(), 0);
    // SAFETY: the typed maps, the only callers, make slices of the sizes of their map.
    found(unsafe { bpf(bpf_cmd::BPF_MAP_LOOKUP_ELEM, &mut element) })
}

/// Sets the value of a key. An empty key is that of a map without keys.
pub(crate) fn update(map: BorrowedFd<'_>, key: &[u8], value: &[u8], flags: u64) -> io::Result<()> {
    let mut element = Element::new(map, key, value.as_ptr(), flags);
    if key.is_empty() {
        element.key = 0;
    }
    // SAFETY: as above; the kernel only reads.
    unsafe { bpf(bpf_cmd::BPF_MAP_UPDATE_ELEM, &mut element) }.map(drop)
}

/// Removes a key; `false` where it was not there.
pub(crate) fn delete(map: BorrowedFd<'_>, key: &[u8]) -> io::Result<bool> {
    let mut element = Element::new(map, key, std::ptr::null(), 0);
    // SAFETY: as above.
    found(unsafe { bpf(bpf_cmd::BPF_MAP_DELETE_ELEM, &mut element) })
}

/// Finds any key of a map; `false` where there is none.
pub(crate) fn any_key(map: BorrowedFd<'_>, key: &mut [u8]) -> io::Result<bool> {
    let mut element = Element::new(map, &[], key.as_mut_ptr(), 0);
    element.key = 0;
    // SAFETY: as above; without a key to begin from the kernel writes its first one to where the value would be.
    found(unsafe { bpf(bpf_cmd::BPF_MAP_GET_NEXT_KEY, &mut element) })
}

fn found(result: io::Result<i64>) -> io::Result<bool> {
    match result {
        Ok(_) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes a map read-only for user space, so that the verifier takes its values for constants.
pub(crate) fn freeze(map: BorrowedFd<'_>) -> io::Result<()> {
    let mut fd = map.as_raw_fd();
    // SAFETY: the layout of BPF_MAP_FREEZE, which points to nothing.
    unsafe { bpf(bpf_cmd::BPF_MAP_FREEZE, &mut fd) }.map(drop)
}

/// Gives the kernel the types of an object.
pub(crate) fn load_btf(types: &[u8]) -> io::Result<OwnedFd> {
    #[repr(C)]
    struct Attributes {
        btf: u64,
        log: u64,
        size: u32,
        log_size: u32,
        log_level: u32,
        padding: u32,
    }
    let mut attributes = Attributes {
        btf: types.as_ptr().expose_provenance() as u64,
        log: 0,
        size: length(types.len())?,
        log_size: 0,
        log_level: 0,
        padding: 0,
    };
    // SAFETY: the layout of BPF_BTF_LOAD; the kernel reads as many bytes as are given.
    unsafe { bpf_fd(bpf_cmd::BPF_BTF_LOAD, &mut attributes) }
}

/// A program for the kernel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProgramSpec<'a> {
    pub(crate) kind: u32,
    pub(crate) name: &'a str,
    pub(crate) instructions: &'a [bpf_insn],
    pub(crate) licence: &'a CStr,
    pub(crate) attach_type: u32,
    /// Id of the type in the kernel's BTF that says what is attached to, or 0.
    pub(crate) attach_to: u32,
}

/// Has a program verified. `log` takes what the verifier says, if it is not empty.
pub(crate) fn load_program(spec: &ProgramSpec<'_>, log: &mut [u8]) -> io::Result<OwnedFd> {
    #[repr(C)]
    struct Attributes {
        kind: u32,
        count: u32,
        instructions: u64,
        licence: u64,
        log_level: u32,
        log_size: u32,
        log: u64,
        kernel_version: u32,
        flags: u32,
        name: [u8; 16],
        ifindex: u32,
        attach_type: u32,
        btf: u32,
        func_info_size: u32,
        func_info: u64,
        func_info_count: u32,
        line_info_size: u32,
        line_info: u64,
        line_info_count: u32,
        attach_to: u32,
    }
    let mut attributes = Attributes {
        kind: spec.kind,
        count: length(spec.instructions.len())?,
        instructions: spec.instructions.as_ptr().expose_provenance() as u64,
        licence: spec.licence.as_ptr().expose_provenance() as u64,
        log_level: u32::from(!log.is_empty()),
        log_size: length(log.len())?,
        log: if log.is_empty() { 0 } else { log.as_mut_ptr().expose_provenance() as u64 },
        kernel_version: 0,
        flags: 0,
        name: object_name(spec.name),
        ifindex: 0,
        attach_type: spec.attach_type,
        btf: 0,
        func_info_size: 0,
        func_info: 0,
        func_info_count: 0,
        line_info_size: 0,
        line_info: 0,
        line_info_count: 0,
        attach_to: spec.attach_to,
    };
    // SAFETY: the layout of BPF_PROG_LOAD; instructions, licence and log live until the call is over, and have the sizes given.
    unsafe { bpf_fd(bpf_cmd::BPF_PROG_LOAD, &mut attributes) }
}

/// Attaches a program to a tracepoint: by name, or without one to that which it was loaded for. It is detached when the
/// descriptor is closed.
pub(crate) fn attach(program: BorrowedFd<'_>, tracepoint: Option<&CStr>) -> io::Result<OwnedFd> {
    #[repr(C)]
    struct Attributes {
        name: u64,
        program: u32,
        padding: u32,
    }
    let mut attributes = Attributes {
        name: tracepoint.map_or(0, |name| name.as_ptr().expose_provenance() as u64),
        program: program.as_raw_fd().cast_unsigned(),
        padding: 0,
    };
    // SAFETY: the layout of BPF_RAW_TRACEPOINT_OPEN; the name ends with a zero.
    unsafe { bpf_fd(bpf_cmd::BPF_RAW_TRACEPOINT_OPEN, &mut attributes) }
}

/// How many runs of a program the kernel skipped, as it was running on the same processor already.
pub(crate) fn skipped_runs(program: BorrowedFd<'_>) -> io::Result<u64> {
    #[repr(C)]
    struct Attributes {
        program: u32,
        length: u32,
        info: u64,
    }
    // SAFETY: integers, for which zeros are values.
    let mut info: bpf_prog_info = unsafe { std::mem::zeroed() };
    let mut attributes = Attributes {
        program: program.as_raw_fd().cast_unsigned(),
        length: length(size_of::<bpf_prog_info>())?,
        info: std::ptr::from_mut(&mut info).expose_provenance() as u64,
    };
    // SAFETY: the layout of BPF_OBJ_GET_INFO_BY_FD; the kernel writes at most the given length. Lists are asked for with room for none.
    unsafe { bpf(bpf_cmd::BPF_OBJ_GET_INFO_BY_FD, &mut attributes)? };
    Ok(info.recursion_misses)
}

fn length(length: usize) -> io::Result<u32> {
    u32::try_from(length).map_err(io::Error::other)
}
