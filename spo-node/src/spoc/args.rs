//! The command line: names, short names and defaults of the reference, and what `--help` teaches.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Arg, ArgAction, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

/// Record, try, merge, compare and convert security profiles on this machine.
#[derive(Debug, Parser)]
#[command(name = "spoc", version, arg_required_else_help = true, after_help = AFTER_HELP)]
pub(super) struct Spoc {
    #[command(subcommand)]
    pub(super) command: Command,
}

impl Spoc {
    /// The definition of the command line.
    pub(super) fn definition() -> clap::Command {
        Self::command().mut_subcommands(|command| command.mut_args(with_value))
    }

    /// What the user asked for.
    pub(super) fn read(words: impl Iterator<Item = OsString>) -> Result<Self, clap::Error> {
        Self::from_arg_matches(&Self::definition().try_get_matches_from(words)?)
    }
}

/// Lets a switch have a value: `--privileged=false` means what it says.
fn with_value(arg: Arg) -> Arg {
    if !matches!(arg.get_action(), ArgAction::SetTrue) {
        return arg;
    }
    arg.action(ArgAction::Set)
        .num_args(0..=1)
        .require_equals(true)
        .value_parser(BoolishValueParser::new())
        .value_name("true|false")
        .default_missing_value("true")
        .default_value("false")
        .hide_default_value(true)
        .hide_possible_values(true)
}

const AFTER_HELP: &str = "\
A profile in four steps:
  sudo spoc record -o app.yaml ./app --its --options    what does it need?
  spoc run -p app.yaml ./app --its --options            does it run with no more than that?
  spoc convert -o app.json app.yaml                     the file that a container runtime reads
  kubectl apply -f app.yaml                             or the same for a cluster";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run a command and write the profile of what it did.
    #[command(visible_alias = "r", after_help = RECORD_HELP, override_usage = "spoc record [OPTIONS] COMMAND [ARGS]...")]
    Record(Record),
    /// Run a command confined by a profile, and name the calls that are refused.
    #[command(visible_alias = "x", after_help = RUN_HELP, override_usage = "spoc run [OPTIONS] COMMAND [ARGS]...")]
    Run(Run),
    /// Make one profile of several, which permits what any of them permits.
    #[command(visible_alias = "m", after_help = MERGE_HELP)]
    Merge(Merge),
    /// Say what one profile permits and another does not.
    #[command(after_help = DIFF_HELP)]
    Diff(Diff),
    /// Write what a container runtime or a module of the kernel reads, or a manifest of that.
    #[command(visible_alias = "c", after_help = CONVERT_HELP)]
    Convert(Convert),
    /// Load an AppArmorProfile into this host's kernel, and keep it over reboots.
    #[command(visible_alias = "i", after_help = INSTALL_HELP)]
    Install(Loaded),
    /// Take away what `spoc install` loaded.
    #[command(visible_alias = "rm")]
    Remove(Loaded),
    /// Rewrite manifests of any release to v1, and say what changed.
    #[command(after_help = MIGRATE_HELP)]
    Migrate(Migrate),
    /// Say what this program was built from.
    #[command(visible_alias = "v")]
    Version {
        /// As JSON.
        #[arg(long, short)]
        json: bool,
    },
    /// Print completions for a shell.
    #[command(after_help = "Example:\n  spoc completions bash > /etc/bash_completion.d/spoc")]
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Write the manual pages.
    #[command(after_help = "Example:\n  spoc man /usr/local/share/man/man1")]
    Man {
        /// The folder they are written to; it must exist.
        folder: PathBuf,
    },
}

const INSTALL_HELP: &str = "\
The profile is called after EXECUTABLE, which it confines from its next start on. Without one it is called after its object: \
by the path of a program of that name in PATH if there is one, else by the name itself, so that containers can name it.

Examples:
  sudo spoc install app.yaml /usr/bin/app
  sudo spoc install web.yaml && podman run --security-opt apparmor=web IMAGE
  sudo spoc remove web.yaml";

const RECORD_HELP: &str = "\
Everything that the command starts is recorded too, from its first instruction to the end of its last process, whatever its name, \
its user or its mount namespace. Recording needs root (or CAP_BPF, CAP_PERFMON and CAP_SYS_RESOURCE) and a kernel with BTF. \
Called through sudo, the command itself runs as the user who called it.

The profile says how complete it is: on standard error, and in its annotation spo.x-k8s.io/completeness.

Examples:
  sudo spoc record -o ls.yaml ls -la /
  sudo spoc record -t raw-seccomp -o web.json --no-base-syscalls ./web --port 8080
  sudo spoc record --no-proc-start nginx";

const RUN_HELP: &str = "\
The filter is loaded for the command and all it starts, never for spoc itself. Without CAP_SYS_ADMIN it is loaded with \
no_new_privs, so set-user-ID programs gain nothing below it.

Each call that the profile does not permit is named, of all processes, with what to add to the profile. It still gets the answer \
that the profile says; only a process that the profile kills is killed by SIGKILL instead of SIGSYS.

Examples:
  spoc run -p app.yaml ./app
  spoc run -p /var/lib/kubelet/seccomp/operator/app.json ./app";

const MERGE_HELP: &str = "\
All profiles are of one kind. The result is judged by what it does: it permits a call, a file or a permission if any of the profiles does, \
under the conditions under which one of them does, and nothing else. Name and metadata are those of the first. What cannot be merged \
exactly is named, and nothing is written.

Examples:
  spoc merge -o app.yaml app.yaml recorded-1.yaml recorded-2.yaml
  spoc merge --check app.yaml recorded.yaml";

const DIFF_HELP: &str = "\
Profiles are compared by what they do, and not by how they are written. Seccomp profiles are compared on every architecture that one of \
them covers; a line begins with - if only the first permits a call, with + if only the second does, and with ~ if they differ otherwise. Of \
the other kinds there is a list of what only the first permits, and one of what only the second does.

Exit status: 0 if both do the same, 1 if they differ, 2 if that cannot be told.

Examples:
  spoc diff app.yaml recorded.yaml
  spoc diff --json app.yaml /var/lib/kubelet/seccomp/operator/app.json";

const CONVERT_HELP: &str = "\
A SeccompProfile becomes the JSON of the OCI runtime specification, a SelinuxProfile or RawSelinuxProfile a module in CIL, an \
AppArmorProfile a text for apparmor_parser; and each of these becomes a manifest. What a manifest cannot say is named and left out.

Examples:
  spoc convert app.yaml
  spoc convert -o /var/lib/kubelet/seccomp/app.json app.yaml
  spoc convert --name app -o app.yaml /etc/containers/seccomp/app.json";

const MIGRATE_HELP: &str = "\
Every object of security-profiles-operator.x-k8s.io becomes one of v1 that means the same, whichever release it was written for. \
Documents that hold others, or that need no change, keep their text. In a document that changes, comments are lost. What only an \
API server or an operator writes is left out: the status, uid, resourceVersion, finalizers and the like. Profiles of 0.8 lose their namespace: \
they belong to the whole cluster since. If anything cannot be migrated, it is named and nothing is written.

Examples:
  spoc migrate profile.yaml > profile-v1.yaml
  spoc migrate --in-place manifests/*.yaml
  spoc migrate --check manifests/*.yaml
  kubectl get seccompprofiles --all-namespaces -o yaml | spoc migrate -o all.yaml -";

#[derive(Debug, Args)]
pub(super) struct Record {
    /// Where the profile is written to; `-` is standard output [default: profile.yaml in the temporary folder, profile.json
    /// for raw-seccomp]
    #[arg(long, short, value_name = "FILE")]
    pub(super) output_file: Option<PathBuf>,
    /// What is written.
    #[arg(long, short = 't', value_name = "TYPE", default_value = "seccomp")]
    pub(super) r#type: RecordType,
    /// Add these system calls instead of the built-in list; may be repeated.
    #[arg(long, short, value_name = "NAMES", value_delimiter = ',')]
    pub(super) base_syscalls: Vec<String>,
    /// Add no system calls to those recorded. The built-in list is what container runtimes need to start a container.
    #[arg(long, short)]
    pub(super) no_base_syscalls: bool,
    /// Start nothing: record each program of COMMAND's file name that is started until Ctrl-C.
    #[arg(long)]
    pub(super) no_proc_start: bool,
    /// Keep root for the command, also when called through sudo.
    #[arg(long)]
    pub(super) privileged: bool,
    /// How many seconds to wait, after the command ended, for processes that it left behind.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub(super) wait: Duration,
    /// The command and its arguments.
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
    pub(super) command: Vec<OsString>,
}

/// What `record` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum RecordType {
    /// A SeccompProfile.
    Seccomp,
    /// The JSON of the OCI runtime specification.
    RawSeccomp,
    /// An AppArmorProfile.
    #[value(hide = true)]
    Apparmor,
    /// The text of an AppArmor profile.
    #[value(hide = true)]
    RawApparmor,
    /// A SeccompProfile and an AppArmorProfile.
    #[value(hide = true)]
    All,
}

#[derive(Debug, Args)]
pub(super) struct Run {
    /// The kind of the profile.
    #[arg(long, short = 't', value_name = "TYPE", default_value = "seccomp")]
    pub(super) r#type: RunType,
    /// The profile: `.json` as a container runtime reads it, anything else a SeccompProfile [default: profile.yaml in the
    /// temporary folder]
    #[arg(long, short, value_name = "FILE")]
    pub(super) profile: Option<PathBuf>,
    /// How many seconds to go on, after the command ended, for processes that it left behind.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub(super) wait: Duration,
    /// The command and its arguments.
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
    pub(super) command: Vec<OsString>,
}

/// What `run` can confine with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum RunType {
    /// A SeccompProfile, or its raw form.
    Seccomp,
}

#[derive(Debug, Args)]
pub(super) struct Convert {
    /// Where the raw profile is written to; `-` is standard output.
    #[arg(long, short, value_name = "FILE", default_value = "/dev/stdout")]
    pub(super) output_file: PathBuf,
    /// The name of an AppArmor profile, mostly the path of the program that it confines.
    #[arg(long, short, value_name = "NAME")]
    pub(super) program_name: Option<String>,
    /// The name of the object that is made of a raw profile [default: after the profile or its file]
    #[arg(long, short, value_name = "NAME")]
    pub(super) name: Option<String>,
    /// The profile, as a manifest or raw; `-` is standard input.
    pub(super) profile: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Loaded {
    /// The AppArmorProfile [default: profile.yaml in the temporary folder]
    pub(super) profile: Option<PathBuf>,
    /// The program that it is for.
    pub(super) executable: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Merge {
    /// Where the merged profile is written to; `-` is standard output [default: profile.yaml in the temporary folder]
    #[arg(long, short, value_name = "FILE")]
    pub(super) output_file: Option<PathBuf>,
    /// Write no file. If the merged profile permits more than the first, print it on standard error and end with status 1.
    #[arg(long, short)]
    pub(super) check: bool,
    /// The profiles, the one to merge into first.
    #[arg(required = true, value_name = "FILES")]
    pub(super) files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Diff {
    /// As JSON.
    #[arg(long, short)]
    pub(super) json: bool,
    /// The one profile, as a manifest or raw.
    pub(super) first: PathBuf,
    /// The other.
    pub(super) second: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Migrate {
    /// Where the manifests are written to, those of all files one after another; `-` is standard output.
    #[arg(long, short, value_name = "FILE", default_value = "/dev/stdout", conflicts_with_all = ["in_place", "check"])]
    pub(super) output_file: PathBuf,
    /// Write each file back to where it is, if anything in it changed.
    #[arg(long)]
    pub(super) in_place: bool,
    /// Write nothing, and end with status 1 if anything would change.
    #[arg(long, conflicts_with = "in_place")]
    pub(super) check: bool,
    /// Say what changed on standard output, as a line of JSON for each object.
    #[arg(long)]
    pub(super) json: bool,
    /// The manifests, in YAML or JSON; `-` is standard input.
    #[arg(required = true, value_name = "FILES")]
    pub(super) files: Vec<PathBuf>,
}

/// The file that commands write to and read from when none is named.
pub(super) fn default_profile(extension: &str) -> PathBuf {
    std::env::temp_dir().join("profile").with_extension(extension)
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 =
        text.trim_end_matches('s').parse().map_err(|error| format!("{error}; give a number of seconds"))?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn read(words: &[&str]) -> Result<Spoc, clap::Error> {
        Spoc::read(["spoc"].iter().chain(words).map(OsString::from))
    }

    fn record(words: &[&str]) -> Record {
        match read(&[&["record"], words].concat()).unwrap().command {
            Command::Record(record) => record,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_definition_holds_together() {
        Spoc::definition().debug_assert();
    }

    #[rstest]
    #[case("r", "record")]
    #[case("x", "run")]
    #[case("c", "convert")]
    #[case("m", "merge")]
    #[case("v", "version")]
    fn aliases_are_those_of_the_reference(#[case] alias: &str, #[case] name: &str) {
        let command = Spoc::definition();
        let found =
            command.get_subcommands().find(|known| known.get_all_aliases().any(|known| known == alias)).unwrap();
        assert_eq!(found.get_name(), name);
    }

    #[rstest]
    #[case(&["ls"], false)]
    #[case(&["--no-base-syscalls", "ls"], true)]
    #[case(&["-n", "ls"], true)]
    #[case(&["--no-base-syscalls=true", "ls"], true)]
    #[case(&["--no-base-syscalls=false", "ls"], false)]
    fn a_boolean_option_means_what_its_value_says(#[case] words: &[&str], #[case] expected: bool) {
        let record = record(words);
        assert_eq!(record.no_base_syscalls, expected);
        assert_eq!(record.command, ["ls"]);
    }

    #[test]
    fn what_follows_the_command_belongs_to_it() {
        let record = record(&["-o", "mine", "ls", "-o", "--output-file=theirs", "--", "-n"]);
        assert_eq!(record.output_file, Some("mine".into()));
        assert_eq!(record.command, ["ls", "-o", "--output-file=theirs", "--", "-n"]);
    }

    #[test]
    fn an_unknown_option_is_refused_and_not_taken_for_the_command() {
        let error = read(&["record", "--bogus", "ls"]).unwrap_err();
        assert_eq!(error.kind(), clap::error::ErrorKind::UnknownArgument);
    }

    #[test]
    fn base_syscalls_can_be_repeated() {
        assert_eq!(record(&["-b", "read", "-b", "write,close", "ls"]).base_syscalls, ["read", "write", "close"]);
    }

    #[test]
    fn defaults_are_those_of_the_reference() {
        let record = record(&["ls"]);
        assert_eq!((record.r#type, record.wait), (RecordType::Seccomp, Duration::from_secs(10)));
        assert_eq!(default_profile("yaml"), std::env::temp_dir().join("profile.yaml"));
    }
}
