//! What a program writes and with whom it speaks, counted by strace.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::machine::{Package, require};

const STRACE: Package = Package { name: "strace", file: "strace" };

/// Every call that changes a file, or what a folder holds. Not each architecture has all.
const CHANGES: &str = "write,pwrite64,writev,pwritev,pwritev2,?rename,?renameat,renameat2,?unlink,unlinkat,?rmdir,?link,linkat,?symlink,\
    symlinkat,?mkdir,mkdirat,?mknod,mknodat,truncate,ftruncate,fallocate,?chmod,fchmod,fchmodat,?chown,fchown,?lchown,fchownat,utimensat,\
    setxattr,lsetxattr,fsetxattr,copy_file_range,sendfile,splice";

/// What strace saw, in a file of its own.
pub(super) struct Trace {
    file: PathBuf,
}

/// What was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    /// Calls that changed something below the folder.
    pub(super) writes: usize,
    /// Connections through a network.
    pub(super) connections: usize,
}

impl Trace {
    /// `program` with all that it starts, under strace. What is seen is in `file`.
    pub(super) fn of(program: &Path, file: &Path) -> Result<(Self, Command)> {
        require(&[STRACE], "counting writes")?;
        let mut command = Command::new(STRACE.file);
        // Beside the program and not above it, so that signals reach that; with the paths of descriptors.
        command.args(["-D", "-f", "-y", "-qq", "-e", "signal=none", "-e", &format!("trace=connect,{CHANGES}"), "-o"]);
        command.arg(file).arg(program);
        Ok((Self { file: file.to_owned() }, command))
    }

    /// What was seen until now, below `root`.
    pub(super) fn counts(&self, root: &Path) -> Result<Counts> {
        let seen = std::fs::read(&self.file).with_context(|| format!("cannot read {}", self.file.display()))?;
        Ok(count(&String::from_utf8_lossy(&seen), root))
    }
}

fn count(seen: &str, root: &Path) -> Counts {
    let root = root.as_os_str();
    let done = || seen.lines().filter(|line| !line.contains(" resumed>") && !line.contains("= -1 "));
    let is_connect = |line: &&str| line.contains("connect(");
    Counts {
        writes: done().filter(|line| !is_connect(line) && is_below(line, root)).count(),
        connections: seen.lines().filter(is_connect).filter(|line| line.contains("sa_family=AF_INET")).count(),
    }
}

fn is_below(line: &str, root: &OsStr) -> bool {
    line.contains(root.to_string_lossy().as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEEN: &str = r#"7 write(4</tmp/r/p/.new>, "{}", 2) = 2
7 renameat2(5</tmp/r/p>, ".new", 5</tmp/r/p>, "web.json", 0 <unfinished ...>
8 write(2</var/log/daemon>, "installed", 9) = 9
7 <... renameat2 resumed>) = 0
7 mkdirat(AT_FDCWD</tmp>, "/tmp/r/p", 0777) = -1 EEXIST (File exists)
9 connect(6<socket:[1]>, {sa_family=AF_UNIX, sun_path="/tmp/r/socket"}, 20) = 0
9 connect(6<socket:[1]>, {sa_family=AF_INET, sin_port=htons(6443), sin_addr=inet_addr("127.0.0.1")}, 16) = -1 EINPROGRESS (Operation now in progress)
"#;

    #[test]
    fn what_changes_something_below_the_folder_is_counted_once_and_connections_however_they_end() {
        assert_eq!(count(SEEN, Path::new("/tmp/r")), Counts { writes: 2, connections: 1 });
        assert_eq!(count(SEEN, Path::new("/elsewhere")), Counts { writes: 0, connections: 1 });
    }
}
