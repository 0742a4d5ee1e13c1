//! Makes the cheapest system call there is, over and over, and prints what one took: the least of many batches, in nanoseconds.
//!
//! Run by `cargo xtask bench recorder` with nothing attached, with a program that does nothing, and recorded.

use std::io::Write as _;
use std::time::{Duration, Instant};

const BATCHES: u32 = 100;
const CALLS: u32 = 5_000;

fn main() -> std::io::Result<()> {
    let least = (0..BATCHES).map(|_| batch()).min().unwrap_or_default();
    writeln!(std::io::stdout(), "{:.2}", least.as_secs_f64() * 1e9 / f64::from(CALLS))
}

fn batch() -> Duration {
    let start = Instant::now();
    for _ in 0..CALLS {
        std::hint::black_box(rustix::process::getppid());
    }
    start.elapsed()
}
