//! Programs that run already: what they did before a recording began is not in it, and neither is what they do from then on.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The kernel keeps so much of a program's name.
const MAX_COMM_BYTES: usize = 15;
/// What the kernel adds to the path of a program whose file is gone.
const DELETED: &[u8] = b" (deleted)";

/// The processes of programs with this file name, by the process file system at `proc`; in order, and without this process.
pub(super) fn running(name: &OsStr, proc: &Path) -> Vec<u32> {
    // A process that ends meanwhile is none.
    let entries = fs::read_dir(proc).into_iter().flatten().flatten();
    let processes = entries.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())));
    let ours = std::process::id();
    let mut found: Vec<u32> =
        processes.filter(|(pid, folder)| *pid != ours && is_of(folder, name)).map(|(pid, _)| pid).collect();
    found.sort_unstable();
    found
}

/// Whether a process runs a file of this name: its program's, or the name by which that was started, of which the kernel keeps
/// the beginning.
fn is_of(process: &Path, name: &OsStr) -> bool {
    let name = name.as_bytes();
    let program = fs::read_link(process.join("exe")).unwrap_or_default();
    let program = program.file_name().unwrap_or_default().as_bytes();
    let started_as = fs::read(process.join("comm")).unwrap_or_default();
    program.strip_suffix(DELETED).unwrap_or(program) == name
        || started_as.trim_ascii_end() == &name[..name.len().min(MAX_COMM_BYTES)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process file system with these processes: id, program, name.
    fn proc(processes: &[(u32, &str, &str)]) -> tempfile::TempDir {
        let proc = tempfile::tempdir().unwrap();
        for (pid, program, comm) in processes {
            let folder = proc.path().join(pid.to_string());
            fs::create_dir(&folder).unwrap();
            std::os::unix::fs::symlink(program, folder.join("exe")).unwrap();
            fs::write(folder.join("comm"), format!("{comm}\n")).unwrap();
        }
        fs::create_dir(proc.path().join("sys")).unwrap();
        proc
    }

    #[test]
    fn a_program_is_known_by_its_file_and_by_the_name_it_was_started_with() {
        let proc = proc(&[
            (3, "/usr/sbin/nginx", "renamed"),
            (2, "/bin/busybox", "nginx"),
            (5, "/usr/sbin/nginx (deleted)", "nginx"),
            (7, "/usr/sbin/nginx-debug", "nginx-debug"),
            (8, "/bin/sh", "sh"),
        ]);
        assert_eq!(running(OsStr::new("nginx"), proc.path()), [2, 3, 5]);
    }

    #[test]
    fn a_long_name_is_known_by_its_beginning() {
        let proc = proc(&[(2, "/bin/busybox", "a-very-long-nam")]);
        assert_eq!(running(OsStr::new("a-very-long-name-of-a-program"), proc.path()), [2]);
    }
}
