//! Rules over the text of any file.

use std::path::Path;

use super::Violation;
use super::workspace::Workspace;

/// Files that people or programs write by hand. Test data may hold what it was recorded with.
fn written(workspace: &Workspace) -> impl Iterator<Item = &super::workspace::File> {
    let ours = ["rs", "md", "toml", "yaml", "yml", "json", "sh", "c", "go", "mod"];
    workspace.files.iter().filter(move |file| file.is(&ours) || file.path.starts_with(".ci"))
}

/// Paths of the machine on which something was written: where the clone lies, and the hidden folders of a home.
pub(super) fn machine_paths(workspace: &Workspace) -> Vec<Violation> {
    let mut found = Vec::new();
    for file in written(workspace) {
        for (number, line) in file.lines() {
            if let Some(path) = machine_path(line, &workspace.root) {
                let mend =
                    format!("{path} is a path of one machine: make it relative, or take it from the environment");
                found.push(Violation::new(&file.path, mend).at(number));
            }
        }
    }
    found
}

fn machine_path(line: &str, root: &Path) -> Option<String> {
    let root = root.to_str().filter(|root| root.matches('/').count() > 1);
    if let Some(root) = root.filter(|root| line.contains(*root)) {
        return Some(root.to_owned());
    }
    words(line).find(|word| is_hidden_in_home(word)).map(str::to_owned)
}

/// Whether a path leads into a hidden folder of somebody's home, as caches and toolchains do.
fn is_hidden_in_home(path: &str) -> bool {
    let below =
        path.strip_prefix("/root/").or_else(|| path.strip_prefix("/home/")?.split_once('/').map(|(_, rest)| rest));
    below.is_some_and(|below| below.starts_with('.'))
}

/// Cut where a path ends in prose and in source.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| c.is_whitespace() || "\"'`()<>,;=:".contains(c))
}

/// Words that say that something is missing.
const MARKERS: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];

pub(super) fn markers(workspace: &Workspace) -> Vec<Violation> {
    let mut found = Vec::new();
    for file in written(workspace) {
        for (number, line) in file.lines().filter(|(_, line)| has_marker(line)) {
            let mend = format!("finish it, or say in docs what is left out and why: {}", line.trim());
            found.push(Violation::new(&file.path, mend).at(number));
        }
    }
    found
}

fn has_marker(line: &str) -> bool {
    line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| MARKERS.contains(&word))
}

/// A file of more lines than this holds more than one noun, as a rule. A table may be longer.
const LONG: usize = 500;

/// Notes about files that have grown; generated ones are as long as they have to be.
pub(super) fn long_files(workspace: &Workspace) -> Vec<String> {
    let written =
        workspace.rust().filter(|file| !file.text.lines().take(3).any(|line| line.contains(crate::generate::MARK)));
    let sized = written.map(|file| (file, file.text.lines().count()));
    sized
        .filter(|(_, lines)| *lines > LONG)
        .map(|(file, lines)| format!("{} has {lines} lines", file.path.display()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::workspace::fixture::files;
    use super::*;

    #[test]
    fn the_place_of_the_clone_and_hidden_folders_of_homes_are_found() {
        let root = Path::new("/srv/clone");
        assert!(machine_path("see /srv/clone/docs", root).is_some());
        let hidden = format!("path = \"/{}/.cache/x\"", "root");
        assert!(machine_path(&hidden, root).is_some());
        let home = format!("(/{}/ann/.cargo/bin)", "home");
        assert!(machine_path(&home, root).is_some());
    }

    #[test]
    fn ordinary_absolute_paths_are_none_of_a_machine() {
        let root = Path::new("/clone");
        for line in ["/var/lib/kubelet/seccomp", "HOME=/root", "/home/** rw,", "/clone is one step from the root"] {
            assert_eq!(machine_path(line, root), None, "{line}");
        }
    }

    #[test]
    fn markers_are_whole_words() {
        assert!(has_marker(concat!("// TO", "DO: later")));
        assert!(!has_marker("a todo list is spelled differently"));
        let tree = files([("a.rs", concat!("//! x\n// FIX", "ME\n")), ("a.png.txt", concat!("TO", "DO"))]);
        let found = markers(&tree);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, Some(2));
    }
}
