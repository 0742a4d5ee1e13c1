//! Whom the command runs as: the user who called `sudo`, not root.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use rustix::fs::{Gid, Uid};

/// The user who called `sudo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    /// `SUDO_UID`
    pub(super) uid: Uid,
    /// `SUDO_GID`
    pub(super) gid: Gid,
    /// All groups of the user, that one included.
    pub(super) groups: Vec<Gid>,
    /// `SUDO_USER`
    pub(super) user: String,
    /// Their home, from the user database.
    pub(super) home: String,
}

impl Identity {
    /// The user who called `sudo`, where one did and this process is root.
    ///
    /// Without all three variables of `sudo` the identity stays. Variables that mean nobody are an error: a command that was to
    /// lose root must not keep it.
    pub(super) fn of_sudo() -> Result<Option<Self>> {
        let var = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let (Some(uid), Some(gid), Some(user)) = (var("SUDO_UID"), var("SUDO_GID"), var("SUDO_USER")) else {
            return Ok(None);
        };
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        Self::look_up(&uid, &gid, user, Path::new("/etc"), asked_from_the_system).map(Some).with_context(|| {
            "cannot drop to the user who called sudo; run as root without SUDO_UID, SUDO_GID and SUDO_USER to keep root for the command"
        })
    }

    fn look_up(uid: &str, gid: &str, user: String, etc: &Path, ask: impl Fn(&str, &str) -> String) -> Result<Self> {
        let number = |name: &str, text: &str| {
            text.parse::<u32>().with_context(|| format!("{name} is {text:?}, which is no number"))
        };
        let (uid, gid) = (number("SUDO_UID", uid)?, number("SUDO_GID", gid)?);
        let passwd = std::fs::read_to_string(etc.join("passwd")).unwrap_or_default();
        let home =
            home_in(&passwd, uid).or_else(|| home_in(&ask("passwd", &uid.to_string()), uid)).with_context(|| {
                format!("user {uid} ({user}) is not in the user database, so the home folder is unknown")
            })?;
        let group = std::fs::read_to_string(etc.join("group")).unwrap_or_default();
        let mut groups = groups_in(&group, &user);
        groups.extend(initial_groups(&ask("initgroups", &user)));
        groups.push(gid);
        groups.sort_unstable();
        groups.dedup();
        Ok(Self {
            uid: Uid::from_raw(uid),
            gid: Gid::from_raw(gid),
            groups: groups.into_iter().map(Gid::from_raw).collect(),
            user,
            home,
        })
    }

    /// `environment` for a command of this user: nothing of `sudo`, the user's own name and home.
    pub(super) fn environment(
        &self,
        environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> Vec<(OsString, OsString)> {
        let ours = |key: &OsStr| key == "HOME" || key == "USER" || key.as_encoded_bytes().starts_with(b"SUDO_");
        let mut all: Vec<_> = environment.filter(|(key, _)| !ours(key)).collect();
        all.push(("HOME".into(), self.home.clone().into()));
        all.push(("USER".into(), self.user.clone().into()));
        all
    }
}

/// The home of user `uid` in text of the form of `/etc/passwd`.
fn home_in(passwd: &str, uid: u32) -> Option<String> {
    passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        (fields.get(2)?.parse() == Ok(uid)).then(|| fields.get(5).map(|home| (*home).to_owned()))?
    })
}

/// The groups that list `user` as a member, in text of the form of `/etc/group`.
fn groups_in(group: &str, user: &str) -> Vec<u32> {
    let of = |line: &str| {
        let mut fields = line.split(':');
        let gid = fields.nth(2)?.parse().ok()?;
        fields.next()?.split(',').any(|member| member.trim() == user).then_some(gid)
    };
    group.lines().filter_map(of).collect()
}

/// The groups in a line of the form that `getent initgroups` has: the user, and the numbers.
fn initial_groups(line: &str) -> impl Iterator<Item = u32> {
    line.split_whitespace().skip(1).filter_map(|gid| gid.parse().ok())
}

/// What the machine tells of an entry of a database, wherever else it takes its users from (LDAP, systemd): its own tool knows, a
/// static program does not. Nothing where there is no such tool or entry.
fn asked_from_the_system(database: &str, entry: &str) -> String {
    let asked = Command::new("getent").args([database, entry]).stdin(Stdio::null()).stderr(Stdio::null()).output();
    asked.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\nalice:x:4711:4712:,,,:/home/alice:/bin/sh\n";
    const GROUP: &str = "root:x:0:\nadm:x:4:syslog,alice\nusers:x:100:bob\nvideo:x:44:alice\n";

    fn etc() -> tempfile::TempDir {
        let etc = tempfile::tempdir().unwrap();
        std::fs::write(etc.path().join("passwd"), PASSWD).unwrap();
        std::fs::write(etc.path().join("group"), GROUP).unwrap();
        etc
    }

    /// A machine that takes its users from nowhere else.
    fn silent(_database: &str, _entry: &str) -> String {
        String::new()
    }

    #[test]
    fn home_and_groups_come_from_wherever_the_machine_has_its_users() {
        let directory = |database: &str, entry: &str| match (database, entry) {
            ("passwd", "5000") => "bob:x:5000:5000:Bob:/home/bob:/bin/sh\n".to_owned(),
            ("initgroups", "bob") => "bob                   5000 27 3000\n".to_owned(),
            _ => String::new(),
        };
        let identity = Identity::look_up("5000", "5000", "bob".to_owned(), etc().path(), directory).unwrap();
        assert_eq!(identity.home, "/home/bob");
        let groups: Vec<u32> = identity.groups.iter().map(|gid| gid.as_raw()).collect();
        assert_eq!(groups, [27, 100, 3000, 5000], "those of /etc/group and those of the directory");
    }

    #[test]
    fn home_and_groups_come_from_the_user_database() {
        let identity = Identity::look_up("4711", "4712", "alice".to_owned(), etc().path(), silent).unwrap();
        assert_eq!(identity.home, "/home/alice");
        let groups: Vec<u32> = identity.groups.iter().map(|gid| gid.as_raw()).collect();
        assert_eq!(groups, [4, 44, 4712]);
    }

    #[test]
    fn variables_that_mean_nobody_are_an_error() {
        let look_up = |uid: &str, gid: &str| Identity::look_up(uid, gid, "eve".to_owned(), etc().path(), silent);
        let message = |result: Result<Identity>| format!("{:#}", result.unwrap_err());
        assert!(message(look_up("x", "1")).contains("SUDO_UID is \"x\""));
        assert!(message(look_up("1", "-1")).contains("SUDO_GID is \"-1\""));
        assert!(message(look_up("3999999999", "1")).contains("not in the user database"));
    }

    #[test]
    fn environment_has_nothing_of_sudo_left() {
        let identity = Identity::look_up("4711", "4712", "alice".to_owned(), etc().path(), silent).unwrap();
        let before =
            [("SUDO_UID", "4711"), ("SUDO_COMMAND", "x"), ("HOME", "/root"), ("USER", "root"), ("PATH", "/bin")];
        let after = identity.environment(before.iter().map(|(key, value)| (key.into(), value.into())));
        let expected: Vec<(OsString, OsString)> = [("PATH", "/bin"), ("HOME", "/home/alice"), ("USER", "alice")]
            .iter()
            .map(|(k, v)| (k.into(), v.into()))
            .collect();
        assert_eq!(after, expected);
    }
}
