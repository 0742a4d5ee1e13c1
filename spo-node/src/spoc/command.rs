//! The program that a user names: found in PATH as a shell would, and made ready for `execve`.

use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// A command that can be started.
#[derive(Debug, Clone)]
pub(super) struct Command {
    /// The file of the program.
    pub(super) program: PathBuf,
    argv: Vec<OsString>,
}

impl Command {
    /// The command that `words` spell: a program and its arguments.
    pub(super) fn find(words: &[OsString]) -> Result<Self> {
        let name = named(words)?;
        let program = if name.as_bytes().contains(&b'/') {
            PathBuf::from(name)
        } else {
            in_path(name, &std::env::var_os("PATH").unwrap_or_default())
                .with_context(|| format!("no program {name:?} in PATH; check its name or give its path"))?
        };
        Ok(Self { program, argv: words.to_vec() })
    }

    /// What `execve` takes as the file.
    pub(super) fn program_text(&self) -> Result<CString> {
        text(self.program.as_os_str())
    }

    /// What `execve` takes as the arguments.
    pub(super) fn argv_texts(&self) -> Result<Vec<CString>> {
        self.argv.iter().map(|word| text(word)).collect()
    }
}

/// The base name of the program that `words` name, by which its profile is called.
pub(super) fn base_name(words: &[OsString]) -> Result<String> {
    let name = named(words)?;
    Ok(Path::new(name).file_name().unwrap_or(name).to_string_lossy().into_owned())
}

fn named(words: &[OsString]) -> Result<&OsString> {
    match words.first() {
        Some(name) if !name.is_empty() => Ok(name),
        _ => bail!("no command given: name the program to start, and its arguments"),
    }
}

/// `text` as the kernel takes it.
pub(super) fn text(text: &OsStr) -> Result<CString> {
    CString::new(text.as_bytes()).with_context(|| format!("{text:?} has a NUL byte, which no argument can have"))
}

/// The first executable file called `name` in the folders of `path`.
pub(super) fn in_path(name: &OsStr, path: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(path).map(|folder| folder.join(name)).find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    file.metadata().is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    #[test]
    fn a_bare_name_is_looked_up_in_path() {
        let found = in_path(OsStr::new("sh"), OsStr::new("/nowhere:/bin:/usr/bin")).unwrap();
        assert_eq!(found, Path::new("/bin/sh"));
        assert_eq!(in_path(OsStr::new("sh"), OsStr::new("")), None);
    }

    #[test]
    fn a_file_that_nobody_may_execute_is_not_found() {
        assert_eq!(in_path(OsStr::new("passwd"), OsStr::new("/etc")), None);
    }

    #[test]
    fn a_path_is_taken_as_it_stands() {
        let command = Command::find(&words(&["./relative/tool", "-x"])).unwrap();
        assert_eq!(command.program, Path::new("./relative/tool"));
        assert_eq!(base_name(&words(&["./relative/tool", "-x"])).unwrap(), "tool");
        assert_eq!(command.argv_texts().unwrap().len(), 2);
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = Command::find(&words(&["no-such-program-here"])).unwrap_err();
        assert!(error.to_string().contains("no-such-program-here"), "{error}");
    }
}
