//! What `semodule` says when it fails, and whose fault that is.

use std::path::Path;

use crate::host::HostError;
use crate::host::tool::Ended;

/// Where a policy store is, if its path is not in what was said.
const STORE: &str = "/var/lib/selinux";

/// Whose fault a failure is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Blame {
    /// Nobody's of the modules: the host cannot do it now.
    Host(HostError),
    /// The last module that was named as not compiling.
    Module {
        /// Its priority.
        priority: u16,
        /// Its name.
        name: String,
    },
    /// Nothing was named.
    Unknown,
}

/// Whose fault it is, by what was said.
pub(super) fn blame(said: &str) -> Blame {
    let any = |words: &[&str]| words.iter().any(|word| said.contains(word));
    let path = || Path::new(STORE).to_owned();
    if any(&["No space left on device", "Disk quota exceeded"]) {
        return Blame::Host(HostError::NoSpace { path: path() });
    }
    if any(&["Read-only file system"]) {
        return Blame::Host(HostError::ReadOnly { path: path() });
    }
    if any(&["transaction lock", "read lock"]) {
        return Blame::Host(busy(said));
    }
    modules(said).last().map_or(Blame::Unknown, |(priority, name)| Blame::Module { priority, name: name.to_owned() })
}

/// The modules whose files are named, in order.
pub(super) fn modules(said: &str) -> impl Iterator<Item = (u16, &str)> {
    said.match_indices("/modules/").filter_map(|(at, found)| {
        let mut parts = said[at + found.len()..].split('/');
        let (priority, name) = (parts.next()?.parse().ok()?, parts.next()?);
        let file = parts.next()?;
        let is_file = ["cil", "hll", "lang_ext"].iter().any(|known| file.starts_with(known));
        (is_file && name.len() < 256).then_some((priority, name))
    })
}

/// The error of a call that failed: what it said, in words about modules instead of the files of its store.
pub(super) fn error(mut ended: Ended) -> HostError {
    ended.said = readable(&ended.said);
    ended.failure(true)
}

/// What was said without the lines that say nothing, and with `line 3 of web` instead of a path into the store.
pub(super) fn readable(said: &str) -> String {
    const NOTHING: [&str; 4] = ["Failed to resolve AST", "Failed to build AST", "semodule:  Failed", "Removing last"];
    let lines = said.lines().filter(|line| !NOTHING.iter().any(|nothing| line.contains(nothing)));
    lines.map(|line| line.split(' ').map(place).collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join("\n")
}

/// A word, or the place in a module that it names.
fn place(word: &str) -> String {
    let (path, line) = word.split_once(':').unwrap_or((word, ""));
    match modules(path).next() {
        Some((_, name)) if path.starts_with('/') && !line.is_empty() => format!("line {line} of {name}"),
        Some((priority, name)) if path.starts_with('/') => format!("{name} (priority {priority})"),
        _ => word.to_owned(),
    }
}

/// The error of a store that another program uses.
fn busy(said: &str) -> HostError {
    let line = said.lines().find(|line| line.contains("lock")).unwrap_or_default().trim();
    let message = format!("another program is changing the host's policy, which is tried again later ({line})");
    HostError::Tool { tool: super::SEMODULE, message, may_pass: true }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn module(priority: u16, name: &str) -> Blame {
        Blame::Module { priority, name: name.to_owned() }
    }

    /// What semodule 3.8 of Debian 13 says.
    #[rstest]
    #[case::rule(
        "Failed to resolve allow statement at /var/lib/selinux/mini/tmp/modules/370/bad/cil:3\nFailed to resolve AST\nsemodule:  Failed!\n",
        module(370, "bad")
    )]
    #[case::twice(
        "Re-declaration of block good\nPrevious declaration of block at /var/lib/selinux/mini/tmp/modules/100/good/cil:1\nBad block declaration at /var/lib/selinux/mini/tmp/modules/370/bad/cil:1\nFailed to build AST\n",
        module(370, "bad")
    )]
    #[case::parentheses(
        "Open parenthesis without matching close at line 2 of /var/lib/selinux/mini/tmp/modules/400/bad6/cil\nlibsemanage.semanage_load_files: Error while reading from file /var/lib/selinux/mini/tmp/modules/400/bad6/cil. (No such file or directory).\n",
        module(400, "bad6")
    )]
    #[case::damaged(
        "libsemanage.semanage_direct_get_module_info: Unable to open good module lang ext file at /var/lib/selinux/mini/active/modules/400/good/lang_ext. (No such file or directory).\nsemodule:  Failed on full!\n",
        module(400, "good")
    )]
    #[case::keyword(
        "Error: Unknown keyword nosuchstatement\nFailed to build AST\nsemodule:  Failed!\n",
        Blame::Unknown
    )]
    #[case::nothing("", Blame::Unknown)]
    #[case::odd_paths(
        "/modules/ /modules/x/y/cil /modules/70000/y/cil /modules/370/y/other /modules/370",
        Blame::Unknown
    )]
    fn the_module_that_is_named_last_is_to_blame(#[case] said: &str, #[case] expected: Blame) {
        assert_eq!(blame(said), expected);
    }

    #[test]
    fn what_is_told_is_about_modules_and_not_about_files_of_the_store() {
        let said = "Failed to resolve permission nosuchperm\nFailed to resolve allow statement at /var/lib/selinux/mini/tmp/modules/370/bad/cil:3\nFailed to resolve AST\nsemodule:  Failed!\n";
        assert_eq!(
            readable(said),
            "Failed to resolve permission nosuchperm\nFailed to resolve allow statement at line 3 of bad"
        );
        let damaged = "Error mapping file: /var/lib/selinux/mini/tmp/modules/370/good/cil (Invalid argument).";
        assert_eq!(readable(damaged), "Error mapping file: good (priority 370) (Invalid argument).");
    }

    #[rstest]
    #[case(
        "libsemanage.semanage_get_lock: Could not get direct transaction lock at /var/lib/selinux/mini/semanage.trans.LOCK. (Resource temporarily unavailable).\nsemodule:  Failed on good.cil!\n",
        "semodule says: another program is changing the host's policy, which is tried again later (libsemanage.semanage_get_lock: Could not get"
    )]
    #[case(
        "libsemanage.semanage_get_lock: Could not open direct transaction lock at /var/lib/selinux/mini/semanage.trans.LOCK. (Read-only file system).\n",
        "/var/lib/selinux is on a read-only file system"
    )]
    #[case(
        "libsemanage: write failed /var/lib/selinux/mini/tmp/modules/370/a/cil (No space left on device).\n",
        "there is no space left for /var/lib/selinux"
    )]
    fn what_the_host_lacks_is_no_fault_of_a_module(#[case] said: &str, #[case] expected: &str) {
        let Blame::Host(error) = blame(said) else { panic!("{said} blames a module") };
        assert!(error.to_string().starts_with(expected) && error.may_pass(), "{error}");
    }
}
