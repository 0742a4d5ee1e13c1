//! The example of a library's README, as the program outside of this workspace that it is said to be: with the dependencies that stand
//! there, and nothing else.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Context, Result};

use crate::run::{Run, root, target};

/// Those whose README has such a program.
const LIBRARIES: [&str; 2] = ["spo-convert", "spo-lsm"];

/// It is a workspace of its own, wherever it lies. What only debuggers read is left out, as here.
const PROFILE: &str =
    "\n[workspace]\n[profile.dev]\ndebug = \"line-tables-only\"\n[profile.dev.package.\"*\"]\ndebug = false\n";

pub(super) fn run() -> Result<()> {
    // Always the same place, so that what was built is found again.
    let place = target().join("readme");
    fs::create_dir_all(&place).with_context(|| format!("cannot make {}", place.display()))?;
    link(&place.join("spo"))?;
    for library in LIBRARIES {
        let text = fs::read_to_string(root().join(library).join("README.md"));
        let text = text.with_context(|| format!("{library} has no README.md"))?;
        let folder = place.join(library);
        write(&folder, &text).with_context(|| format!("{library}/README.md"))?;
        let run = Run::cargo().args(["run", "--quiet", "--manifest-path"]).arg(folder.join("Cargo.toml"));
        // The lock file of this workspace says which versions; none is looked for.
        run.arg("--offline").env("CARGO_TARGET_DIR", place.join("target")).dir(&folder).run()?;
    }
    Ok(())
}

/// As the READMEs have it: the program stands beside a clone named spo.
fn link(clone: &Path) -> Result<()> {
    match fs::remove_file(clone) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => symlink(root(), clone),
    }
    .with_context(|| format!("cannot make the link {}", clone.display()))
}

/// Makes the package of a README in `folder`.
fn write(folder: &Path, readme: &str) -> Result<()> {
    let dependencies = block(readme, "toml", "[dependencies]").context("has no dependencies of an example")?;
    let program = block(readme, "rust", "fn main()").context("has no example that is a program")?;
    let package = "[package]\nname = \"example\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n";
    fs::create_dir_all(folder.join("src"))?;
    fs::write(folder.join("Cargo.toml"), format!("{package}{dependencies}{PROFILE}"))?;
    fs::write(folder.join("src/main.rs"), program)?;
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock"))?;
    Ok(())
}

/// The first block of code in `language` that has `word` in it.
fn block<'a>(text: &'a str, language: &str, word: &str) -> Option<&'a str> {
    let fence = format!("```{language}\n");
    text.split(fence.as_str())
        .skip(1)
        .filter_map(|rest| Some(rest.split_once("```")?.0))
        .find(|code| code.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_that_is_meant_is_found_among_others() {
        let text = "```toml\nx = 1\n```\n\n```toml\n[dependencies]\n```\n```rust\nlet x;\n```\n";
        assert_eq!(block(text, "toml", "[dependencies]"), Some("[dependencies]\n"));
        assert_eq!(block(text, "rust", "fn main()"), None);
    }
}
