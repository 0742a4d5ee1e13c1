//! The calls that x86 also has as sub-calls of `socketcall` and `ipc`.
//!
//! A 32-bit program of old reaches `socket` by `socketcall(1, …)` only. libseccomp therefore counts an entry for `socket` for that
//! sub-call too, and so does what is compiled here. Numbers: `linux/net.h` (`SYS_SOCKET` …) and `linux/ipc.h` (`SEMOP` …).

/// The call that has `name` as a sub-call, and the value of its first argument then.
pub(super) fn sub_call(name: &str) -> Option<(&'static str, u64)> {
    let find = |calls: &[(&str, u64)]| calls.iter().find(|(call, _)| *call == name).map(|(_, number)| *number);
    find(&SOCKETCALL).map(|number| ("socketcall", number)).or_else(|| find(&IPC).map(|number| ("ipc", number)))
}

/// The sub-calls of the call `name`, with the values of its first argument; most calls have none.
pub(super) fn sub_calls(name: &str) -> &'static [(&'static str, u64)] {
    match name {
        "socketcall" => &SOCKETCALL,
        "ipc" => &IPC,
        _ => &[],
    }
}

const SOCKETCALL: [(&str, u64); 20] = [
    ("socket", 1),
    ("bind", 2),
    ("connect", 3),
    ("listen", 4),
    ("accept", 5),
    ("getsockname", 6),
    ("getpeername", 7),
    ("socketpair", 8),
    ("send", 9),
    ("recv", 10),
    ("sendto", 11),
    ("recvfrom", 12),
    ("shutdown", 13),
    ("setsockopt", 14),
    ("getsockopt", 15),
    ("sendmsg", 16),
    ("recvmsg", 17),
    ("accept4", 18),
    ("recvmmsg", 19),
    ("sendmmsg", 20),
];

const IPC: [(&str, u64); 12] = [
    ("semop", 1),
    ("semget", 2),
    ("semctl", 3),
    ("semtimedop", 4),
    ("msgsnd", 11),
    ("msgrcv", 12),
    ("msgget", 13),
    ("msgctl", 14),
    ("shmat", 21),
    ("shmdt", 22),
    ("shmget", 23),
    ("shmctl", 24),
];
