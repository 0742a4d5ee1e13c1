//! The tables against the kernel's own headers, where this machine has them.

use std::path::Path;

use spo_api::syscalls::{Abi, X32_BIT};

/// Headers by ABI, where Debian's linux-libc-dev and its packages for other architectures put them.
const HEADERS: [(Abi, &[&str]); 4] = [
    (
        Abi::X86_64,
        &[
            "/usr/include/x86_64-linux-gnu/asm/unistd_64.h",
            "/usr/x86_64-linux-gnu/include/asm/unistd_64.h",
            "/usr/include/asm/unistd_64.h",
        ],
    ),
    (
        Abi::X86,
        &[
            "/usr/include/x86_64-linux-gnu/asm/unistd_32.h",
            "/usr/x86_64-linux-gnu/include/asm/unistd_32.h",
            "/usr/include/asm/unistd_32.h",
        ],
    ),
    (
        Abi::X32,
        &[
            "/usr/include/x86_64-linux-gnu/asm/unistd_x32.h",
            "/usr/x86_64-linux-gnu/include/asm/unistd_x32.h",
            "/usr/include/asm/unistd_x32.h",
        ],
    ),
    (Abi::Aarch64, &["/usr/include/asm-generic/unistd.h", "/usr/aarch64-linux-gnu/include/asm-generic/unistd.h"]),
];

#[test]
fn every_call_of_the_kernel_headers_has_its_number() {
    for (abi, places) in HEADERS {
        let Some(place) = places.iter().find(|place| Path::new(place).exists()) else {
            println!("skipped: {abi}: this machine has none of {places:?}");
            continue;
        };
        let text = std::fs::read_to_string(place).unwrap();
        let header = defines(&text);
        assert!(header.len() > 250, "{place}: only {} calls were understood", header.len());
        for (name, number) in header {
            if abi == Abi::Aarch64 && !of_arm64(name) {
                continue;
            }
            let name = if abi == Abi::Aarch64 { name.strip_prefix("3264_").unwrap_or(name) } else { name };
            // The generic table has names for both widths of an offset; a 64-bit machine has one, by the name without the width.
            let name = if abi == Abi::Aarch64 { generic(name) } else { name };
            assert_eq!(abi.number(name), Some(number), "{place}: {name}");
        }
    }
}

/// `#define __NR_name number`, where the number may be one of x32.
fn defines(text: &str) -> Vec<(&str, u32)> {
    let number = |text: &str| match text.strip_prefix("(__X32_SYSCALL_BIT + ") {
        Some(rest) => rest.strip_suffix(')')?.parse::<u32>().ok().map(|number| number | X32_BIT),
        None => text.parse().ok(),
    };
    let define = |line| -> Option<(&str, u32)> {
        let (name, value) = str::strip_prefix(line, "#define __NR")?.split_once([' ', '\t'])?;
        Some((name.strip_prefix('_').unwrap_or(name), number(value.trim())?))
    };
    text.lines().filter_map(define).collect()
}

/// Not a bound of the table, not a call that only architectures with 32-bit time have, not the start of a private range.
fn of_arm64(name: &str) -> bool {
    !matches!(name, "syscalls" | "arch_specific_syscall" | "sync_file_range2")
        && !name.ends_with("_time64")
        && !name.ends_with("time64")
        && !matches!(
            name,
            "clock_gettime64"
                | "clock_settime64"
                | "clock_adjtime64"
                | "timer_gettime64"
                | "timer_settime64"
                | "timerfd_gettime64"
                | "timerfd_settime64"
        )
}

fn generic(name: &str) -> &str {
    match name {
        "fadvise64_64" => "fadvise64",
        "fstatat" => "newfstatat",
        other => other,
    }
}
