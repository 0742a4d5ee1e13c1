//! Which process a thread belongs to.

use std::fs;

use rustix::process::Pid;

/// The process of a thread, as `/proc` knows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Process {
    /// Its id.
    pub(super) pid: i32,
    /// The name of the thread, by default that of the program.
    pub(super) name: String,
}

impl Process {
    /// The process of thread `tid`. Where `/proc` does not tell, the thread stands for it.
    pub(super) fn of_thread(tid: Pid) -> Self {
        let status = fs::read_to_string(format!("/proc/{tid}/status")).unwrap_or_default();
        Self {
            pid: field(&status, "Tgid:").and_then(|pid| pid.parse().ok()).unwrap_or(tid.as_raw_nonzero().get()),
            name: field(&status, "Name:").unwrap_or("?").to_owned(),
        }
    }
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_belongs_to_its_process() {
        let main = rustix::process::getpid();
        let tid = std::thread::spawn(rustix::thread::gettid).join().unwrap();
        assert_eq!(Process::of_thread(main).pid, main.as_raw_nonzero().get());
        let gone = Process::of_thread(tid);
        assert!(gone.pid == main.as_raw_nonzero().get() || gone.name == "?", "{gone:?}");
    }

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let status = "Name:\tmy prog\nUmask:\t0022\nTgid:\t42\nNgid:\t0\n";
        assert_eq!(field(status, "Tgid:"), Some("42"));
        assert_eq!(field(status, "Name:"), Some("my prog"));
    }
}
