//! What a program was built from: the output of `version`, the same for each of our programs.
//!
//! The names are those of the reference operator, with what Go says replaced by what Rust says. Nothing is asked of the machine that
//! builds, so that equal sources give equal programs: whoever builds a release (`cargo xtask image`) says the rest in environment
//! variables, see [`version!`](crate::version!).

use std::fmt;

use serde::Serialize;

/// What stands where the build was not told.
pub const UNKNOWN: &str = "unknown";

/// What a program was built from. [`version!`](crate::version!) makes one; [`fmt::Display`] is a table of two columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Version {
    /// The version of the workspace.
    pub version: &'static str,
    /// The commit, in full.
    pub git_commit: &'static str,
    /// When the commit was made, in UTC.
    pub git_commit_date: &'static str,
    /// `clean`, or `dirty` where the sources differ from the commit.
    pub git_tree_state: &'static str,
    /// When it was built; that of the commit in a build that can be repeated.
    pub build_date: &'static str,
    /// The version of the compiler.
    pub rust_version: &'static str,
    /// The compiler.
    pub compiler: &'static str,
    /// Operating system and architecture, in the words of OCI images: `linux/amd64`.
    pub platform: Platform,
}

/// The platform that a program was built for, in the words of OCI images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Platform {
    os: &'static str,
    arch: &'static str,
}

impl Platform {
    /// That of this program.
    pub const fn current() -> Self {
        let arch = if cfg!(target_arch = "x86_64") {
            "amd64"
        } else if cfg!(target_arch = "aarch64") {
            "arm64"
        } else {
            std::env::consts::ARCH
        };
        Self { os: std::env::consts::OS, arch }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.arch)
    }
}

impl Serialize for Platform {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let platform = self.platform.to_string();
        let rows = [
            ("Version:", self.version),
            ("GitCommit:", self.git_commit),
            ("GitCommitDate:", self.git_commit_date),
            ("GitTreeState:", self.git_tree_state),
            ("BuildDate:", self.build_date),
            ("RustVersion:", self.rust_version),
            ("Compiler:", self.compiler),
            ("Platform:", &platform),
        ];
        for (name, value) in rows {
            writeln!(f, "{name:<15} {value}")?;
        }
        Ok(())
    }
}

/// The [`Version`](crate::version::Version) of the crate that writes it.
///
/// Read when that crate is compiled, each `unknown` where it is not set: `SPO_GIT_COMMIT`, `SPO_GIT_COMMIT_DATE`,
/// `SPO_GIT_TREE_STATE`, `SPO_BUILD_DATE`, `SPO_RUST_VERSION`.
///
/// ```
/// let version = spo_api::version!();
/// assert_eq!(version.compiler, "rustc");
/// ```
#[macro_export]
macro_rules! version {
    () => {{
        const fn told(value: Option<&'static str>) -> &'static str {
            match value {
                Some(value) => value,
                None => $crate::version::UNKNOWN,
            }
        }
        $crate::version::Version {
            version: env!("CARGO_PKG_VERSION"),
            git_commit: told(option_env!("SPO_GIT_COMMIT")),
            git_commit_date: told(option_env!("SPO_GIT_COMMIT_DATE")),
            git_tree_state: told(option_env!("SPO_GIT_TREE_STATE")),
            build_date: told(option_env!("SPO_BUILD_DATE")),
            rust_version: told(option_env!("SPO_RUST_VERSION")),
            compiler: "rustc",
            platform: $crate::version::Platform::current(),
        }
    }};
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_are_those_of_the_reference_operator() {
        let json = serde_json::to_value(crate::version!()).unwrap();
        let names: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
        let mut expected = [
            "version",
            "gitCommit",
            "gitCommitDate",
            "gitTreeState",
            "buildDate",
            "rustVersion",
            "compiler",
            "platform",
        ];
        expected.sort_unstable();
        let mut names_sorted = names;
        names_sorted.sort_unstable();
        assert_eq!(names_sorted, expected);
        assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
        assert!(json["platform"].as_str().unwrap().starts_with("linux/"));
    }

    #[test]
    fn text_is_a_table_of_two_columns() {
        let text = crate::version!().to_string();
        assert!(text.lines().all(|line| line.split_once(' ').is_some_and(|(name, _)| name.ends_with(':'))), "{text}");
        assert!(text.contains(&format!("Version:        {}\n", env!("CARGO_PKG_VERSION"))), "{text}");
    }
}
