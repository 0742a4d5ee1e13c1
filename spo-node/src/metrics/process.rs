//! What the kernel knows of this process, under the names that all clients of Prometheus use.

use prometheus::{Counter, IntGauge, Opts, Registry};
use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};

/// Gauges that are set when somebody looks.
#[derive(Debug)]
pub(super) struct Process {
    cpu_seconds: Counter,
    start_seconds: IntGauge,
    resident_bytes: IntGauge,
    virtual_bytes: IntGauge,
    open_files: IntGauge,
    most_files: IntGauge,
}

/// What `/proc/<pid>/stat` says, in the kernel's units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    cpu_ticks: u64,
    /// Since the machine was started.
    start_ticks: u64,
    virtual_bytes: u64,
    resident_pages: u64,
}

impl Process {
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let gauge = |name: &str, what: &str| {
            let gauge = IntGauge::new(name, what)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let cpu_seconds =
            Counter::with_opts(Opts::new("process_cpu_seconds_total", "Time on processors, in seconds."))?;
        registry.register(Box::new(cpu_seconds.clone()))?;
        Ok(Self {
            cpu_seconds,
            start_seconds: gauge("process_start_time_seconds", "When the process was started, in seconds since 1970.")?,
            resident_bytes: gauge("process_resident_memory_bytes", "Memory that is in use, in bytes.")?,
            virtual_bytes: gauge("process_virtual_memory_bytes", "Addresses that are in use, in bytes.")?,
            open_files: gauge("process_open_fds", "Files that are open.")?,
            most_files: gauge("process_max_fds", "Files that may be open.")?,
        })
    }

    /// Takes in how things are now. What cannot be read stays as it was.
    pub(super) fn look(&self) {
        if let Some(stat) = std::fs::read("/proc/self/stat").ok().and_then(|text| Stat::parse(&text)) {
            let ticks = clock_ticks_per_second().max(1);
            let cpu_seconds = stat.cpu_ticks as f64 / ticks as f64;
            self.cpu_seconds.inc_by((cpu_seconds - self.cpu_seconds.get()).max(0.0));
            self.virtual_bytes.set(gauged(stat.virtual_bytes));
            self.resident_bytes.set(gauged(stat.resident_pages.saturating_mul(page_size() as u64)));
            if let Some(boot) = std::fs::read("/proc/stat").ok().and_then(|text| boot_seconds(&text)) {
                self.start_seconds.set(gauged(boot.saturating_add(stat.start_ticks / ticks)));
            }
        }
        if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
            // One of them is the folder itself.
            self.open_files.set(gauged(files.count().saturating_sub(1) as u64));
        }
        self.most_files.set(getrlimit(Resource::Nofile).current.map_or(i64::MAX, gauged));
    }
}

impl Stat {
    /// The name of the process, in parentheses, may hold anything.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let end = text.iter().rposition(|byte| *byte == b')')?;
        let fields: Vec<&str> = std::str::from_utf8(&text[end + 1..]).ok()?.split_ascii_whitespace().take(22).collect();
        // proc(5) counts from 1, and the first after the name is the third.
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self {
            cpu_ticks: field(14)?.saturating_add(field(15)?),
            start_ticks: field(22)?,
            virtual_bytes: field(23)?,
            resident_pages: field(24)?,
        })
    }
}

/// When the machine was started, by `/proc/stat`.
pub(super) fn boot_seconds(text: &[u8]) -> Option<u64> {
    let line = text.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"btime "))?;
    std::str::from_utf8(line).ok()?.trim().parse().ok()
}

fn gauged(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_whose_name_is_hostile_is_read_all_the_same() {
        let text = b"7 (a) R 1 (b) S 1 7 7 0 -1 4194560 900 0 0 0 25 5 0 0 20 0 3 0 100 4096000 300 18446744073709551615 1 1\n";
        let expected = Stat { cpu_ticks: 30, start_ticks: 100, virtual_bytes: 4_096_000, resident_pages: 300 };
        assert_eq!(Stat::parse(text), Some(expected));
        assert_eq!(Stat::parse(b"7 (a) S 1 7"), None);
        assert_eq!(Stat::parse(b""), None);
    }

    #[test]
    fn this_process_has_memory_files_and_a_past() {
        let registry = Registry::new();
        let process = Process::new(&registry).unwrap();
        process.look();
        assert!(process.resident_bytes.get() > 100_000, "{process:?}");
        assert!(process.open_files.get() > 2 && process.most_files.get() > process.open_files.get(), "{process:?}");
        assert!(process.start_seconds.get() > 1_500_000_000, "{process:?}");
    }
}
