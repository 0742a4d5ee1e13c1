//! Paths of the host that a profile or the configuration may name. The patterns of the schema let some through that lead
//! elsewhere (W-X-16); these types do not.

use crate::parsed::parsed;

/// The folder of the sockets that [`ListenerPath`]s name.
pub const LISTENER_DIR: &str = "/var/run/security-profiles-operator/";
/// What the kernel's `sockaddr_un` has room for, without the NUL.
const MAX_SOCKET_BYTES: usize = 107;
/// The kernel's `PATH_MAX`, without the NUL.
const MAX_PATH_BYTES: usize = 4095;

/// The path of a socket directly below [`LISTENER_DIR`]: `spec.listenerPath` of a SeccompProfile.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ListenerPath(String);

/// `/proc` or a path below it: `spec.hostProcVolumePath` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostProcPath(String);

/// A path that is not where it has to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPath {
    /// Not a socket in the folder of listeners.
    #[error(
        "{0:?} is no socket directly below {LISTENER_DIR}: one name of letters, digits, '_', '-' and '.' is wanted"
    )]
    Listener(String),
    /// Longer than the kernel permits.
    #[error("has {length} bytes; at most {max} are possible")]
    Length {
        /// How many there are.
        length: usize,
        /// How many are possible.
        max: usize,
    },
    /// Neither `/proc` nor below it.
    #[error("{0:?} is neither /proc nor below it; a path without '..' is wanted")]
    HostProc(String),
}

parsed!(ListenerPath, InvalidPath);
parsed!(HostProcPath, InvalidPath);

impl ListenerPath {
    fn check(text: &str) -> Result<(), InvalidPath> {
        let name = text.strip_prefix(LISTENER_DIR).unwrap_or_default();
        let fits = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
        if !fits || ["", ".", ".."].contains(&name) {
            return Err(InvalidPath::Listener(text.to_owned()));
        }
        length(text, MAX_SOCKET_BYTES)
    }
}

impl HostProcPath {
    fn check(text: &str) -> Result<(), InvalidPath> {
        let below = text.strip_prefix("/proc").filter(|rest| rest.is_empty() || rest.starts_with('/'));
        let fits = below.is_some_and(|rest| rest.split('/').all(|part| part != ".."));
        if !fits || text.contains(char::is_control) {
            return Err(InvalidPath::HostProc(text.to_owned()));
        }
        length(text, MAX_PATH_BYTES)
    }
}

fn length(text: &str, max: usize) -> Result<(), InvalidPath> {
    if text.len() <= max { Ok(()) } else { Err(InvalidPath::Length { length: text.len(), max }) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_the_pattern_of_the_schema_admits_is_accepted_but_for_folders(name in r"[a-zA-Z0-9_\-\.]{1,70}") {
            let accepted = ListenerPath::try_from(format!("{LISTENER_DIR}{name}")).is_ok();
            prop_assert_eq!(accepted, name != "." && name != "..");
        }

        #[test]
        fn an_accepted_path_stays_in_its_folder(text in ".*") {
            let leaves = |path: &str| std::path::Path::new(path).components().any(|part| part.as_os_str() == "..");
            if let Ok(path) = HostProcPath::try_from(format!("/proc/{text}")) {
                prop_assert!(!leaves(path.as_str()));
            }
        }
    }

    #[test]
    fn a_socket_in_its_folder_is_accepted() {
        for name in ["agent.sock", "...", ".hidden", "a_b-c"] {
            assert!(ListenerPath::try_from(format!("{LISTENER_DIR}{name}")).is_ok(), "{name}");
        }
    }

    #[test]
    fn w_x_16_a_listener_path_that_leaves_its_folder_is_refused() {
        for name in ["..", ".", "", "../x", "a/b", "a b", "a\n"] {
            assert!(ListenerPath::try_from(format!("{LISTENER_DIR}{name}")).is_err(), "{name:?}");
        }
        for path in ["", "agent.sock", "/var/run/agent.sock", "/var/run/security-profiles-operator"] {
            assert!(ListenerPath::try_from(path).is_err(), "{path:?}");
        }
    }

    #[test]
    fn a_socket_that_the_kernel_cannot_bind_is_refused() {
        let path = |length: usize| format!("{LISTENER_DIR}{}", "x".repeat(length - LISTENER_DIR.len()));
        assert!(ListenerPath::try_from(path(107)).is_ok());
        let error = ListenerPath::try_from(path(108)).unwrap_err().to_string();
        assert_eq!(error, "has 108 bytes; at most 107 are possible");
    }

    #[test]
    fn w_x_16_a_path_that_leaves_proc_is_refused() {
        for path in ["/proc", "/proc/", "/proc/1/root/proc", "/proc/..x"] {
            assert!(HostProcPath::try_from(path).is_ok(), "{path}");
        }
        for path in ["", "/", "/procs", "proc", "/proc/../etc", "/proc/1/..", "/host/proc", "/proc/a\0", "/proc/a\nb"] {
            assert!(HostProcPath::try_from(path).is_err(), "{path:?}");
        }
        assert!(HostProcPath::try_from(format!("/proc/{}", "x".repeat(4090))).is_err());
    }
}
