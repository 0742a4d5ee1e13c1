//! Containers without Kubernetes: the cgroups that a kubelet makes, and what runc does in them.
//!
//! Pods here are below a cgroup of the test's own, so that those of a cluster on the same machine are left alone.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;
use spo_recorder::bpf::{Notice, RecordError, Recorder, Request, SlotId};
use spo_recorder::{Loss, Losses, Observation};

use crate::needs_recording;
use crate::programs::{TINY, names, tree};
use crate::subject::Subject;

const PATIENCE: Duration = Duration::from_secs(20);

/// A pod's cgroups, in every hierarchy of the machine.
struct Pod {
    name: String,
    /// As a runtime names it.
    path: String,
}

impl Pod {
    /// A pod that nobody has made yet.
    fn new(number: u32) -> Self {
        let name = format!("pod0000-{}-{number}", std::process::id());
        Self { path: format!("/spo-recording-test/besteffort/{name}"), name }
    }

    /// Makes its directory, as a kubelet does before it starts a container.
    fn make(&self) -> PathBuf {
        let dir = cgroup2().join(&self.path[1..]);
        fs::create_dir_all(&dir).unwrap();
        dir
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        for hierarchy in hierarchies() {
            remove(&hierarchy.join(&self.path[1..]));
            for dir in ["spo-recording-test/besteffort", "spo-recording-test"] {
                // One that is still in use, or was never made here.
                let _ = fs::remove_dir(hierarchy.join(dir));
            }
        }
    }
}

/// Removes a cgroup and those in it, as far as they are there.
fn remove(cgroup: &Path) {
    for entry in fs::read_dir(cgroup).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path());
        }
    }
    let _ = fs::remove_dir(cgroup);
}

fn mounts() -> Vec<(String, PathBuf)> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    fields.filter(|f| f[2].starts_with("cgroup")).map(|f| (f[2].to_owned(), PathBuf::from(f[1]))).collect()
}

fn hierarchies() -> Vec<PathBuf> {
    mounts().into_iter().map(|(_, path)| path).collect()
}

fn cgroup2() -> PathBuf {
    mounts().into_iter().find(|(kind, _)| kind == "cgroup2").map(|(_, path)| path).unwrap()
}

/// Why containers cannot be recorded here, if so.
fn lacks_containers(program: &str) -> Option<&'static str> {
    if !mounts().iter().any(|(kind, _)| kind == "cgroup2") {
        return Some("needs cgroup v2");
    }
    let found = Command::new(program).arg("--version").output().is_ok();
    if found { None } else { Some("needs runc") }
}

/// As [`needs_recording`], and containers by this program.
macro_rules! needs_containers {
    ($program:expr) => {
        needs_recording!();
        if let Some(reason) = lacks_containers($program) {
            println!("skipped: {reason}");
            return;
        }
    };
}

/// Runs a static program in a container of a pod, to its end.
fn run(dir: &Path, pod: &Pod, id: &str, subject: &Subject) {
    let bundle = dir.join(id);
    fs::create_dir_all(bundle.join("rootfs/proc")).unwrap();
    fs::copy(subject.path(), bundle.join("rootfs/program")).unwrap();
    let config = json!({
        "ociVersion": "1.0.2",
        "process": {
            "terminal": false, "user": {"uid": 0, "gid": 0}, "args": ["/program"], "env": ["PATH=/"], "cwd": "/",
            "noNewPrivileges": true
        },
        "root": {"path": "rootfs", "readonly": true},
        "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
        "linux": {
            "cgroupsPath": format!("{}/{id}", pod.path),
            "namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}]
        }
    });
    fs::write(bundle.join("config.json"), config.to_string()).unwrap();
    let mut runc = Command::new("runc");
    runc.arg("--root").arg(dir.join("state")).args(["run", "--bundle"]).arg(&bundle).arg(id);
    let output = runc.output().unwrap();
    assert!(output.status.success(), "{runc:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Everything that is told until a container has ended.
fn until_ended(recorder: &mut Recorder) -> (Vec<Notice>, SlotId) {
    let mut notices = Vec::new();
    while let Some(notice) = recorder.next(Some(Instant::now() + PATIENCE)).unwrap() {
        notices.push(notice.clone());
        if let Notice::ContainerEnded { slot, .. } = notice {
            return (notices, slot);
        }
    }
    panic!("no container has ended: {notices:?}");
}

/// Everything that is told until now.
fn told(recorder: &mut Recorder) -> Vec<Notice> {
    std::iter::from_fn(|| recorder.next(Some(Instant::now())).unwrap()).collect()
}

/// What a program does without any container, by the same recorder's other half.
fn expected(subject: &Subject) -> BTreeSet<String> {
    names(&tree(subject.command()))
}

fn exact(seen: &Observation, subject: &Subject) {
    assert_eq!(seen.losses, Losses::default());
    assert_eq!(names(seen), expected(subject));
}

#[test]
fn a_container_is_recorded_from_its_first_instruction_and_without_what_the_runtime_did() {
    needs_containers!("runc");
    let dir = tempfile::tempdir().unwrap();
    let subjects = [Subject::build(dir.path(), "tiny", TINY), Subject::build(dir.path(), "fork_storm", &["-static"])];
    for (number, subject) in (0..).zip(&subjects) {
        let pod = Pod::new(number);
        let id = format!("container-{number}");
        let mut recorder = Recorder::start(&Request::containers()).unwrap();
        assert!(!recorder.is_attached());
        recorder.expect_pod(&pod.name).unwrap();
        run(dir.path(), &pod, &id, subject);
        let (notices, slot) = until_ended(&mut recorder);
        assert_eq!(
            notices,
            [
                Notice::Pod { name: pod.name.clone() },
                Notice::Container { slot, name: id.clone() },
                Notice::ContainerEnded { slot, name: id },
            ]
        );
        exact(&recorder.take(slot).unwrap(), subject);
        assert!(recorder.is_attached(), "the pod may have more containers");
        recorder.forget_pod(&pod.name).unwrap();
        assert!(!recorder.is_attached());
    }
}

#[test]
fn a_container_of_another_pod_has_no_slot() {
    needs_containers!("runc");
    let dir = tempfile::tempdir().unwrap();
    let subject = Subject::build(dir.path(), "tiny", TINY);
    let (ours, foreign) = (Pod::new(10), Pod::new(11));
    let mut recorder = Recorder::start(&Request::containers()).unwrap();
    recorder.expect_pod(&ours.name).unwrap();
    run(dir.path(), &foreign, "foreign", &subject);
    run(dir.path(), &ours, "ours", &subject);
    let (notices, slot) = until_ended(&mut recorder);
    let of_ours = [
        Notice::Pod { name: ours.name.clone() },
        Notice::Container { slot, name: "ours".to_owned() },
        Notice::ContainerEnded { slot, name: "ours".to_owned() },
    ];
    assert_eq!(notices, of_ours);
    exact(&recorder.take(slot).unwrap(), &subject);
}

#[test]
fn a_pod_that_is_there_before_it_is_expected_is_recorded_all_the_same() {
    needs_containers!("runc");
    let dir = tempfile::tempdir().unwrap();
    let subject = Subject::build(dir.path(), "tiny", TINY);
    let pod = Pod::new(20);
    pod.make();
    let mut recorder = Recorder::start(&Request::containers()).unwrap();
    recorder.expect_pod(&pod.name).unwrap();
    run(dir.path(), &pod, "after", &subject);
    let (notices, slot) = until_ended(&mut recorder);
    assert_eq!(notices[0], Notice::Pod { name: pod.name.clone() });
    exact(&recorder.take(slot).unwrap(), &subject);
}

#[test]
fn a_container_that_is_there_before_its_pod_is_expected_is_told_as_late() {
    needs_containers!("true");
    let pod = Pod::new(30);
    let container = pod.make().join("early");
    fs::create_dir(&container).unwrap();
    let mut recorder = Recorder::start(&Request::containers()).unwrap();
    recorder.expect_pod(&pod.name).unwrap();
    let now = || Some(Instant::now());
    assert_eq!(recorder.next(now()).unwrap(), Some(Notice::Pod { name: pod.name.clone() }));
    assert_eq!(recorder.next(now()).unwrap(), Some(Notice::Late { name: "early".to_owned() }));
    assert_eq!(recorder.next(now()).unwrap(), None);
    fs::remove_dir(container).unwrap();
}

#[test]
fn more_containers_than_slots_and_more_news_than_the_ring_holds_are_counted_and_nothing_else_is_lost() {
    const SLOTS: usize = 1024;
    const TOO_MANY: usize = 3;
    needs_containers!("true");
    let pod = Pod::new(40);
    let dir = pod.make();
    let mut recorder = Recorder::start(&Request::containers()).unwrap();
    recorder.expect_pod(&pod.name).unwrap();
    for round in 0..2 {
        let made: Vec<PathBuf> = (0..SLOTS + TOO_MANY).map(|number| dir.join(format!("{number:064}"))).collect();
        made.iter().for_each(|dir| fs::create_dir(dir).unwrap());
        made.iter().for_each(|dir| fs::remove_dir(dir).unwrap());
        let (mut begun, mut ended) = (BTreeSet::new(), BTreeSet::new());
        while let Some(notice) = recorder.next(Some(Instant::now())).unwrap() {
            match notice {
                Notice::Container { slot, .. } => assert!(begun.insert(slot)),
                Notice::ContainerEnded { slot, .. } => assert!(ended.insert(slot)),
                Notice::Pod { .. } | Notice::NotRecorded { .. } => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((begun.len(), &begun), (SLOTS, &ended), "round {round}");
        for slot in ended {
            recorder.take(slot).unwrap();
        }
        assert_eq!(recorder.losses().unwrap().count(Loss::ContainersWithoutSlot), (TOO_MANY * (round + 1)) as u64);
    }
    assert!(recorder.losses().unwrap().count(Loss::DroppedNotifications) > 0);
}

#[test]
fn a_container_that_is_taken_while_it_runs_is_told_of_no_more() {
    needs_containers!("true");
    let pod = Pod::new(50);
    let dir = pod.make();
    let mut recorder = Recorder::start(&Request::containers()).unwrap();
    recorder.expect_pod(&pod.name).unwrap();
    fs::create_dir(dir.join("first")).unwrap();
    let [Notice::Pod { .. }, Notice::Container { slot, .. }] = told(&mut recorder)[..] else { panic!("no container") };
    recorder.take(slot).unwrap();
    fs::remove_dir(dir.join("first")).unwrap();
    assert_eq!(told(&mut recorder), []);
    fs::create_dir(dir.join("second")).unwrap();
    assert!(matches!(told(&mut recorder)[..], [Notice::Container { .. }]));
}

#[test]
fn a_container_that_nobody_was_told_of_yet_is_recorded_to_its_end_though_its_pod_is_forgotten() {
    needs_containers!("runc");
    let dir = tempfile::tempdir().unwrap();
    let subject = Subject::build(dir.path(), "tiny", TINY);
    let pod = Pod::new(60);
    let made = pod.make().join("made");
    let mut recorder = Recorder::start(&Request::containers()).unwrap();
    recorder.expect_pod(&pod.name).unwrap();
    fs::create_dir(&made).unwrap();
    recorder.forget_pod(&pod.name).unwrap();
    assert!(recorder.is_attached(), "the container is there");
    fs::remove_dir(&made).unwrap();
    let (notices, slot) = until_ended(&mut recorder);
    assert_eq!(notices[1], Notice::Container { slot, name: "made".to_owned() });
    // The pod is not recorded any more.
    run(dir.path(), &pod, "later", &subject);
    assert_eq!(told(&mut recorder), []);
    let seen = recorder.take(slot).unwrap();
    assert!(seen.syscalls.is_empty() && seen.losses.is_empty());
    assert!(!recorder.is_attached());
}

#[test]
fn a_container_that_was_taken_while_it_ran_is_late_when_its_pod_is_expected_again() {
    needs_containers!("true");
    let pod = Pod::new(61);
    let dir = pod.make().join("running");
    let mut recorder = Recorder::start(&Request::containers()).unwrap();
    recorder.expect_pod(&pod.name).unwrap();
    fs::create_dir(&dir).unwrap();
    let [Notice::Pod { .. }, Notice::Container { slot, .. }] = told(&mut recorder)[..] else { panic!("no container") };
    recorder.take(slot).unwrap();
    recorder.forget_pod(&pod.name).unwrap();
    assert!(!recorder.is_attached());
    recorder.expect_pod(&pod.name).unwrap();
    let late = Notice::Late { name: "running".to_owned() };
    assert_eq!(told(&mut recorder), [Notice::Pod { name: pod.name.clone() }, late]);
}

#[test]
fn a_pod_that_cannot_be_expected_leaves_nothing_attached() {
    needs_recording!();
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut recorder = Recorder::start(&Request::containers().cgroup_root(file.path())).unwrap();
    let error = recorder.expect_pod("pod1").unwrap_err();
    assert!(matches!(&error, RecordError::Cgroup { path, .. } if path == file.path()), "{error}");
    assert!(!recorder.is_attached());
    let mut trees = Recorder::start(&Request::tree()).unwrap();
    assert!(matches!(trees.expect_pod("pod1"), Err(RecordError::NotRequested(_))));
    assert!(!trees.is_attached());
}

#[test]
fn cgroups_that_a_container_makes_without_end_are_its_own_loss_and_take_no_room_from_others() {
    const MANY: usize = 70;
    needs_containers!("true");
    let pod = Pod::new(70);
    let dir = pod.make();
    let mut recorder = Recorder::start(&Request::containers()).unwrap();
    recorder.expect_pod(&pod.name).unwrap();
    let nested: Vec<PathBuf> = (0..MANY).map(|number| dir.join(format!("greedy/{number}"))).collect();
    nested.iter().for_each(|dir| fs::create_dir_all(dir).unwrap());
    fs::create_dir(dir.join("modest")).unwrap();
    let notices = told(&mut recorder);
    let [Notice::Pod { .. }, Notice::Container { slot: greedy, .. }, Notice::Container { slot: modest, .. }] =
        notices[..]
    else {
        panic!("{notices:?}");
    };
    assert_eq!(recorder.take(greedy).unwrap().losses.count(Loss::CgroupsNotSelected), 6);
    assert!(recorder.take(modest).unwrap().losses.is_empty());
}

#[test]
fn a_container_without_room_in_the_map_of_cgroups_is_counted_and_its_slot_is_given_to_one_other() {
    const SLOTS: usize = 1024;
    const SELECTED: usize = 4096;
    needs_containers!("true");
    let pod = Pod::new(80);
    let dir = pod.make();
    let mut recorder = Recorder::start(&Request::containers()).unwrap();
    recorder.expect_pod(&pod.name).unwrap();
    // Names of such a length that the ring does not hold the news of all.
    let container = |number: usize| dir.join(format!("{number:064}"));
    for number in 0..SLOTS - 1 {
        fs::create_dir(container(number)).unwrap();
    }
    // The pod's own is one.
    for number in 0..SELECTED - SLOTS {
        fs::create_dir(container(number % (SLOTS - 1)).join(number.to_string())).unwrap();
    }
    fs::create_dir(dir.join("refused")).unwrap();
    let begun = |recorder: &mut Recorder| -> Vec<SlotId> {
        let slot = |notice| if let Notice::Container { slot, .. } = notice { Some(slot) } else { None };
        told(recorder).into_iter().filter_map(slot).collect()
    };
    let mut slots = begun(&mut recorder);
    assert_eq!(slots.len(), SLOTS - 1);
    assert_eq!(recorder.losses().unwrap().count(Loss::CgroupsNotSelected), 1);
    fs::remove_dir(container(0).join("0")).unwrap();
    fs::create_dir(dir.join("served")).unwrap();
    slots.extend(begun(&mut recorder));
    assert_eq!(slots.len(), SLOTS);
    remove(&dir);
    let ended = told(&mut recorder).into_iter().filter(|notice| matches!(notice, Notice::ContainerEnded { .. }));
    assert_eq!(ended.count(), SLOTS);
    slots.into_iter().for_each(|slot| drop(recorder.take(slot).unwrap()));
}
