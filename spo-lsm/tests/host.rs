//! Installing on a host: what ends up in the folder, and what stands in the way.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking, and says what it skips")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use spo_api::{ProfileKey, ProfileKind};
use spo_lsm::host::{Change, Content, Host, HostError, SeccompHost, Step};
use spo_lsm::seccomp::Profile;
use spo_lsm::{Digest, Policy, check, render};
use tempfile::TempDir;

mod common;

const FOLDER: &str = "/var/lib/kubelet/seccomp/operator";

/// A host whose files are in a temporary folder.
struct Fixture {
    root: TempDir,
    host: SeccompHost,
}

impl Fixture {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let host = SeccompHost::new(root.path(), Path::new(FOLDER));
        Self { root, host }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(FOLDER.trim_start_matches('/')).join(name)
    }

    fn apply(&mut self, step: Step) -> Result<Change, HostError> {
        let mut outcomes = self.host.apply(std::slice::from_ref(&step));
        assert_eq!((outcomes.len(), &outcomes[0].key), (1, step.key()));
        outcomes.remove(0).result
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.path(""))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn install(profile: Profile) -> Step {
    let checked = check(&spo_lsm::Profile::Seccomp(profile), &Policy::default()).unwrap();
    let artifact = render(&checked);
    Step::Install { checked, artifact }
}

fn remove(file_name: &str) -> Step {
    let name = file_name.trim_end_matches(".json").parse().unwrap();
    Step::Remove { key: ProfileKey { kind: ProfileKind::Seccomp, name }, file_name: file_name.to_owned() }
}

fn usual() -> Profile {
    common::allowing(&["read", "write", "exit_group"])
}

/// Says why a test does nothing, where this machine cannot show what it is about.
macro_rules! skip_unless {
    ($condition:expr, $reason:expr) => {
        if !$condition {
            println!("skipped: {}", $reason);
            return;
        }
    };
}

fn kernel_has_seccomp() -> bool {
    SeccompHost::new(Path::new("/"), Path::new(FOLDER)).support().is_ok()
}

fn done(command: &str, args: &[&str]) -> bool {
    Command::new(command).args(args).output().is_ok_and(|output| output.status.success())
}

#[test]
fn a_profile_is_written_once_listed_and_removed() {
    skip_unless!(kernel_has_seccomp(), "this kernel has no seccomp filters");
    let mut fixture = Fixture::new();
    let step = install(usual());
    assert_eq!(fixture.apply(step.clone()), Ok(Change::Written));
    assert_eq!(fixture.apply(step.clone()), Ok(Change::Unchanged));

    let Step::Install { artifact, .. } = step else { unreachable!() };
    assert_eq!(fs::read(fixture.path("test.json")).unwrap(), artifact.bytes);
    let installed = fixture.host.installed().unwrap();
    assert_eq!(
        installed.files.into_iter().collect::<Vec<_>>(),
        [("test.json".to_owned(), Content::Profile(artifact.digest()))]
    );

    assert_eq!(fixture.apply(remove("test.json")), Ok(Change::Removed));
    assert_eq!(fixture.apply(remove("test.json")), Ok(Change::Absent));
    assert!(fixture.names().is_empty());
}

#[test]
fn a_profile_of_another_module_is_refused_and_touches_nothing() {
    let spec = spo_api::selinux::v1::SelinuxProfileSpec::default();
    let profile = spo_lsm::parse("web".parse().unwrap(), &spec).unwrap();
    let checked = check(&profile, &Policy::default()).unwrap();
    let artifact = render(&checked);
    let mut fixture = Fixture::new();
    let key = |kind| ProfileKey { kind, name: "web".parse().unwrap() };
    for (step, module) in [
        (Step::Install { checked, artifact }, "SelinuxProfile is for SELinux"),
        (
            Step::Remove { key: key(ProfileKind::RawSelinux), file_name: "web.json".to_owned() },
            "RawSelinuxProfile is for SELinux",
        ),
        (
            Step::Remove { key: key(ProfileKind::AppArmor), file_name: "web.json".to_owned() },
            "AppArmorProfile is for AppArmor",
        ),
    ] {
        let error = fixture.apply(step).unwrap_err();
        assert!(matches!(error, HostError::Unsupported(_)) && error.to_string().starts_with(module), "{error}");
    }
    assert!(!fixture.path("").exists());
}

#[test]
fn modes_are_those_of_the_reference_whatever_the_umask() {
    skip_unless!(kernel_has_seccomp(), "this kernel has no seccomp filters");
    let mut fixture = Fixture::new();
    fixture.apply(install(usual())).unwrap();
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode(fixture.path("")), mode(fixture.path("test.json"))), (0o744, 0o644));

    fs::set_permissions(fixture.path("test.json"), fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(fixture.apply(install(usual())), Ok(Change::Written));
    assert_eq!(mode(fixture.path("test.json")), 0o644);
}

#[test]
fn a_tampered_file_shows_by_its_digest_and_is_restored() {
    skip_unless!(kernel_has_seccomp(), "this kernel has no seccomp filters");
    let mut fixture = Fixture::new();
    fixture.apply(install(usual())).unwrap();
    fs::write(fixture.path("test.json"), r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#).unwrap();
    let digest = fixture.host.installed().unwrap().files["test.json"];
    assert_eq!(digest, Content::Profile(Digest::of(br#"{"defaultAction":"SCMP_ACT_ALLOW"}"#)));
    assert_eq!(fixture.apply(install(usual())), Ok(Change::Written));
}

#[test]
fn a_folder_that_does_not_exist_is_empty() {
    let mut fixture = Fixture::new();
    assert_eq!(fixture.host.installed(), Ok(spo_lsm::host::Installed::default()));
    assert_eq!(fixture.apply(remove("test.json")), Ok(Change::Absent));
    assert!(!fixture.path("").exists(), "removing makes no folder");
}

#[test]
fn a_link_planted_at_the_name_is_replaced_and_never_followed() {
    skip_unless!(kernel_has_seccomp(), "this kernel has no seccomp filters");
    let mut fixture = Fixture::new();
    let victim = fixture.root.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    fs::create_dir_all(fixture.path("")).unwrap();
    symlink(&victim, fixture.path("test.json")).unwrap();
    symlink(&victim, fixture.path("other.json")).unwrap();

    let installed = fixture.host.installed().unwrap();
    assert!(installed.files.is_empty());
    assert_eq!(
        installed.foreign.iter().map(|it| (it.name.as_str(), it.what)).collect::<Vec<_>>(),
        [("other.json", "a symbolic link"), ("test.json", "a symbolic link")]
    );
    assert_eq!(fixture.apply(install(usual())), Ok(Change::Written));
    assert_eq!(fixture.apply(remove("other.json")), Ok(Change::Removed));
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    assert!(fs::symlink_metadata(fixture.path("test.json")).unwrap().is_file());
}

#[test]
fn the_folder_itself_is_a_link_only_to_the_operators_own() {
    skip_unless!(kernel_has_seccomp(), "this kernel has no seccomp filters");
    let mut fixture = Fixture::new();
    fs::create_dir_all(fixture.path("").parent().unwrap()).unwrap();
    symlink("/var/lib/security-profiles-operator", fixture.path("").parent().unwrap().join("operator")).unwrap();
    assert_eq!(fixture.apply(install(usual())), Ok(Change::Written));
    assert!(fixture.root.path().join("var/lib/security-profiles-operator/test.json").is_file());

    let mut fixture = Fixture::new();
    fs::create_dir_all(fixture.path("").parent().unwrap()).unwrap();
    symlink("/etc", fixture.path("").parent().unwrap().join("operator")).unwrap();
    let error = fixture.apply(install(usual())).unwrap_err();
    assert!(matches!(error, HostError::Symlink { .. }), "{error}");
    assert!(
        error.to_string().ends_with("operator is a symbolic link to /etc, which is not followed; remove it"),
        "{error}"
    );
}

#[test]
fn other_things_in_the_folder_are_left_alone() {
    skip_unless!(kernel_has_seccomp(), "this kernel has no seccomp filters");
    let mut fixture = Fixture::new();
    fs::create_dir_all(fixture.path("folder.json")).unwrap();
    fs::write(fixture.path("kubelet-config.json"), "{}").unwrap();
    fs::write(fixture.path("notes.txt"), "").unwrap();
    fs::write(fixture.path(".spo-1-2.tmp"), "cut off").unwrap();
    assert!(done("mkfifo", &[fixture.path("pipe.json").to_str().unwrap()]));

    let installed = fixture.host.installed().unwrap();
    let foreign: Vec<_> = installed.foreign.iter().map(|it| (it.name.as_str(), it.what)).collect();
    assert_eq!(
        (installed.files.len(), foreign),
        (0, vec![("folder.json", "a folder"), ("pipe.json", "a device or pipe")])
    );

    fixture.apply(install(usual())).unwrap();
    assert_eq!(fixture.names(), ["folder.json", "kubelet-config.json", "notes.txt", "pipe.json", "test.json"]);
    assert!(matches!(fixture.apply(remove("kubelet-config.json")), Err(HostError::FileName { .. })));
}

#[test]
fn a_name_that_would_leave_the_folder_is_refused() {
    let mut fixture = Fixture::new();
    fs::create_dir_all(fixture.path("")).unwrap();
    for file_name in ["../x.json", "/etc/x.json", "a/b.json", ".hidden.json", "x", ""] {
        let key = ProfileKey { kind: ProfileKind::Seccomp, name: "x".parse().unwrap() };
        let error = fixture.apply(Step::Remove { key, file_name: file_name.to_owned() }).unwrap_err();
        assert!(matches!(error, HostError::FileName { .. }), "{file_name}: {error}");
    }
}

#[test]
fn one_step_that_fails_does_not_keep_the_others() {
    skip_unless!(kernel_has_seccomp(), "this kernel has no seccomp filters");
    let mut fixture = Fixture::new();
    fs::create_dir_all(fixture.path("test.json/x")).unwrap();
    let mut second = install(usual());
    if let Step::Install { artifact, .. } = &mut second {
        artifact.file_name = "second.json".to_owned();
    }
    let outcomes = fixture.host.apply(&[install(usual()), second]);
    let error = outcomes[0].result.clone().unwrap_err();
    assert!(error.to_string().ends_with("test.json is a folder, and a profile belongs there; remove it"), "{error}");
    assert_eq!(outcomes[1].result, Ok(Change::Written));
    assert_eq!(fixture.names(), ["second.json", "test.json"], "no temporary file is left");
}

#[test]
fn a_file_where_the_folder_belongs_is_named() {
    skip_unless!(kernel_has_seccomp(), "this kernel has no seccomp filters");
    let mut fixture = Fixture::new();
    fs::create_dir_all(fixture.path("").parent().unwrap()).unwrap();
    fs::write(fixture.path("").parent().unwrap().join("operator"), "").unwrap();
    let error = fixture.apply(install(usual())).unwrap_err();
    assert!(error.to_string().ends_with("operator is not a folder; remove what is there"), "{error}");
    assert!(matches!(fixture.host.installed(), Err(HostError::NotADirectory { .. })));
}

/// A file system of its own at the profiles folder, gone with the test.
struct Mounted(PathBuf);

impl Mounted {
    fn over(path: PathBuf, options: &str) -> Option<Self> {
        fs::create_dir_all(&path).unwrap();
        done("mount", &["-t", "tmpfs", "-o", options, "tmpfs", path.to_str().unwrap()]).then_some(Self(path))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        done("umount", &[self.0.to_str().unwrap()]);
    }
}

#[test]
fn a_read_only_file_system_is_named_with_what_to_do() {
    let mut fixture = Fixture::new();
    let Some(_mounted) = Mounted::over(fixture.path(""), "ro") else {
        println!("skipped: mounting needs root");
        return;
    };
    let error = fixture.apply(install(usual())).unwrap_err();
    assert!(error.to_string().ends_with("test.json is on a read-only file system; mount it writable"), "{error}");
}

#[test]
fn a_full_disk_leaves_the_old_file_and_nothing_else() {
    let mut fixture = Fixture::new();
    let Some(_mounted) = Mounted::over(fixture.path(""), "size=8k") else {
        println!("skipped: mounting needs root");
        return;
    };
    assert_eq!(fixture.apply(install(usual())), Ok(Change::Written));
    let before = fs::read(fixture.path("test.json")).unwrap();
    let names: Vec<&str> = spo_api::syscalls::Abi::X86_64.calls().map(|(_, name)| name).collect();
    let error = fixture.apply(install(common::allowing(&names))).unwrap_err();
    assert!(matches!(error, HostError::NoSpace { .. }), "{error}");
    assert!(error.to_string().contains("there is no space left for"), "{error}");
    assert_eq!((fs::read(fixture.path("test.json")).unwrap(), fixture.names()), (before, vec!["test.json".to_owned()]));
}

#[test]
fn a_folder_that_may_not_be_written_is_named_with_what_to_do() {
    let mut fixture = Fixture::new();
    let folder = fixture.path("");
    fs::create_dir_all(&folder).unwrap();
    let immutable = done("chattr", &["+i", folder.to_str().unwrap()]);
    skip_unless!(immutable, "there are no immutable folders in the temporary folder for this user");
    let error = fixture.apply(install(usual())).unwrap_err();
    done("chattr", &["-i", folder.to_str().unwrap()]);
    assert!(error.to_string().contains("permission denied for"), "{error}");
}

#[test]
fn a_profile_that_forbids_everything_is_proven_all_the_same() {
    skip_unless!(kernel_has_seccomp(), "this kernel has no seccomp filters");
    for action in
        ["SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL", "SCMP_ACT_TRAP", "SCMP_ACT_ERRNO", "SCMP_ACT_TRACE", "SCMP_ACT_LOG"]
    {
        let mut fixture = Fixture::new();
        let begin = std::time::Instant::now();
        assert_eq!(
            fixture.apply(install(common::profile(json!({"defaultAction": action})))),
            Ok(Change::Written),
            "{action}"
        );
        assert!(begin.elapsed().as_millis() < 900, "{action} took {:?}", begin.elapsed());
    }
}

#[test]
fn flags_and_listeners_are_part_of_the_proof() {
    skip_unless!(kernel_has_seccomp(), "this kernel has no seccomp filters");
    let flags = [
        "SECCOMP_FILTER_FLAG_TSYNC",
        "SECCOMP_FILTER_FLAG_LOG",
        "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
        "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
    ];
    let profile = common::profile(json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "listenerPath": "/var/run/security-profiles-operator/agent.sock",
        "syscalls": [{"names": ["mount"], "action": "SCMP_ACT_NOTIFY"}],
        "flags": flags,
    }));
    assert_eq!(Fixture::new().apply(install(profile)), Ok(Change::Written));
}

#[test]
fn a_profile_too_large_for_a_filter_is_refused_by_its_size() {
    let entry = |value: u64| {
        let arg = |index: u64| json!({"index": index, "value": value << 33 | value << 1 | index, "op": "SCMP_CMP_GT"});
        json!({"names": ["ioctl"], "action": "SCMP_ACT_ALLOW", "args": [arg(0), arg(1), arg(2)]})
    };
    let entries: Vec<_> = (0..1000).map(entry).collect();
    let profile = common::profile(json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": entries}));
    let error = Fixture::new().apply(install(profile)).unwrap_err();
    let HostError::Compile(source) = error else { panic!("{error}") };
    assert!(source.to_string().contains("the kernel takes 4096; use fewer conditions"), "{source}");
}
