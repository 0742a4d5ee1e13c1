//! The committed inputs of a target, and running it over them.

use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use crate::mutate::Mutator;

/// How many mutations a test tries: a second or two of work without optimisation.
const MUTATIONS: u64 = 2000;

/// Runs a target over its corpus.
///
/// # Panics
/// An input makes it panic, or there is no corpus.
pub fn check_corpus(target: &str, run: fn(&[u8])) {
    for (path, data) in inputs(target) {
        if catch_unwind(|| run(&data)).is_err() {
            panic!("{} makes the target fail; see it again by {}", path.display(), command(target, &path));
        }
    }
}

/// Runs a target over mutations of its corpus, the same ones each time. One that fails is kept among the artifacts.
///
/// # Panics
/// A mutation makes it panic, or there is no corpus.
pub fn check_mutations(target: &str, run: fn(&[u8])) {
    let inputs: Vec<Vec<u8>> = inputs(target).into_iter().map(|(_, data)| data).collect();
    for seed in 0..MUTATIONS {
        let data = Mutator::new(seed).mutate(&inputs);
        if catch_unwind(|| run(&data)).is_err() {
            let path = keep(target, &format!("mutation-{seed}"), &data);
            panic!("a mutation makes the target fail; see it again by {}", command(target, &path));
        }
    }
}

/// The files of a corpus, by name.
fn inputs(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let dir = home().join("corpus").join(target);
    let entries = std::fs::read_dir(&dir).unwrap_or_else(|error| panic!("cannot list {}: {error}", dir.display()));
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} is empty: give the target a few small inputs to begin with", dir.display());
    let read = |path: PathBuf| {
        let data = std::fs::read(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
        (path, data)
    };
    paths.into_iter().map(read).collect()
}

/// Writes an input to where the fuzzer leaves what it finds.
fn keep(target: &str, name: &str, data: &[u8]) -> PathBuf {
    let dir = home().join("artifacts").join(target);
    let path = dir.join(name);
    let kept = std::fs::create_dir_all(&dir).and_then(|()| std::fs::write(&path, data));
    kept.unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
    path
}

fn command(target: &str, path: &Path) -> String {
    let path = path.strip_prefix(home().parent().unwrap_or(home())).unwrap_or(path);
    format!("`cargo run -p spo-fuzz --bin {target} -- {}`", path.display())
}

fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
