//! The loop, with a source and a host that do as they are told.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use spo_api::{Module, ProfileState};
use spo_lsm::host::{Change, Content, Host, HostError, Installed, Outcome, Step, Unsupported};

use super::*;
use crate::fixture::{desired, key, spec};
use crate::source::{Desired, Report};

/// Says what it was given, a whole list at once and changes when something was reported, and keeps what is.
struct Script {
    changes: VecDeque<source::Change>,
    reports: Rc<RefCell<Vec<Report>>>,
}

/// These profiles and no others.
fn all(profiles: Vec<Desired>) -> VecDeque<source::Change> {
    [source::Change::All { profiles, complete: true }].into()
}

impl Source for Script {
    async fn next(&mut self) -> Result<source::Change> {
        while self.changes.front().is_some_and(|next| matches!(next, source::Change::Some { .. }))
            && self.reports.borrow().is_empty()
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        match self.changes.pop_front() {
            Some(change) => Ok(change),
            None => std::future::pending().await,
        }
    }

    fn report(&mut self, reports: Vec<Report>) {
        self.reports.borrow_mut().extend(reports);
    }

    async fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

/// A host on which nothing can go wrong but what is said.
struct Obedient {
    support: Result<(), Unsupported>,
    refused: Option<HostError>,
    folder: Arc<Mutex<Folder>>,
}

/// What is in its folder.
#[derive(Default)]
struct Folder {
    files: Installed,
    /// So often it cannot be listed.
    unlisted: usize,
    removed: Vec<String>,
}

impl Host for Obedient {
    fn module(&self) -> Module {
        Module::Seccomp
    }

    fn support(&self) -> Result<(), Unsupported> {
        self.support.clone()
    }

    fn installed(&mut self) -> Result<Installed, HostError> {
        let mut folder = self.folder.lock().unwrap();
        if folder.unlisted > 0 {
            folder.unlisted -= 1;
            return Err(HostError::Io { operation: "list", path: "/x".into(), errno: rustix::io::Errno::IO });
        }
        Ok(folder.files.clone())
    }

    fn apply(&mut self, steps: &[Step]) -> Vec<Outcome> {
        assert!(self.support.is_ok(), "nothing is tried where nothing can work");
        assert!(steps.len() <= 32);
        let removed = steps.iter().filter_map(|step| match step {
            Step::Remove { file_name, .. } => Some(file_name.clone()),
            Step::Install { .. } => None,
        });
        self.folder.lock().unwrap().removed.extend(removed);
        let result = self.refused.clone().map_or(Ok(Change::Written), Err);
        steps.iter().map(|step| Outcome { key: step.key().clone(), result: result.clone() }).collect()
    }
}

fn obedient() -> Obedient {
    Obedient { support: Ok(()), refused: None, folder: Arc::default() }
}

async fn once(host: Obedient, profiles: Vec<Desired>) -> (Ended, Vec<Report>) {
    let reports = Rc::default();
    let source = Script { changes: all(profiles), reports: Rc::clone(&reports) };
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::new(source, vec![Lane::new(Box::new(host), Changes::Folder(folder.path().to_owned()))]);
    let ready = Ready::default();
    let ended = daemon.run(true, &ready, Ending::on_signals().unwrap()).await.unwrap();
    (ended, reports.take())
}

#[tokio::test]
async fn w_nd_4_a_node_without_seccomp_reports_and_ends_its_first_pass() {
    let why = Unsupported { reason: "this kernel has no seccomp filters".into(), next_step: "use another".into() };
    let host = Obedient { support: Err(why), ..obedient() };
    let (ended, reports) = once(host, vec![desired("web", spec("read"))]).await;
    assert_eq!(ended.errors, 1);
    assert_eq!((reports.len(), reports[0].state), (1, ProfileState::Error));
    assert_eq!(reports[0].message, "this kernel has no seccomp filters; use another");
    assert_eq!(reports[0].event.as_ref().unwrap().reason.as_str(), "SeccompNotSupportedOnNode");
}

#[tokio::test]
async fn every_profile_is_reported_once_however_many_batches_it_takes() {
    let profiles = (0..100).map(|index| desired(&format!("p{index}"), spec("read"))).collect();
    let (ended, reports) = once(obedient(), profiles).await;
    assert_eq!((ended.errors, reports.len()), (0, 100));
    assert!(reports.iter().all(|report| report.state == ProfileState::Installed));
    assert!(reports.iter().all(|report| report.event.as_ref().is_some_and(|event| !event.reason.is_warning())));
}

#[tokio::test]
async fn what_the_kernel_refuses_is_reported_with_its_reason() {
    let refused = HostError::Refused { instructions: 5, flags: 0, errno: rustix::io::Errno::INVAL };
    let host = Obedient { refused: Some(refused), ..obedient() };
    let (ended, reports) = once(host, vec![desired("web", spec("read"))]).await;
    assert_eq!((ended.errors, reports.len()), (1, 1));
    assert!(reports[0].message.starts_with("cannot install operator/web.json: the kernel did not load the filter"));
    assert!(reports[0].message.ends_with("Invalid argument (os error 22)"), "{}", reports[0].message);
    assert_eq!(reports[0].key, key("web"));
}

#[tokio::test]
async fn a_folder_that_cannot_be_listed_at_first_is_listed_again() {
    let host = obedient();
    let folder = Arc::clone(&host.folder);
    let orphan = ("gone.json".to_owned(), Content::Profile(spo_lsm::Digest::of(b"{}")));
    *folder.lock().unwrap() =
        Folder { files: Installed { files: [orphan].into(), foreign: vec![] }, unlisted: 1, removed: vec![] };
    let source = Script { changes: all(vec![desired("web", spec("read"))]), reports: Rc::default() };
    let place = tempfile::tempdir().unwrap();
    let (ready, ending) = (Ready::default(), Ending::on_signals().unwrap());
    let running = Daemon::new(source, vec![Lane::new(Box::new(host), Changes::Folder(place.path().to_owned()))])
        .run(false, &ready, ending);
    let removed = async {
        while folder.lock().unwrap().removed.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        ended = running => panic!("{ended:?}"),
        () = removed => assert_eq!(folder.lock().unwrap().removed, ["gone.json"]),
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_listed_is_an_error_of_one_pass() {
    let host = obedient();
    host.folder.lock().unwrap().unlisted = usize::MAX;
    let (ended, _) = once(host, vec![]).await;
    assert_eq!(ended.errors, 1);
}

#[tokio::test]
async fn a_profile_that_was_deleted_and_made_anew_is_reported_anew() {
    let of = |uid: &str| {
        let mut desired = desired("web", spec("read"));
        desired.object.uid = Some(uid.to_owned());
        desired
    };
    let reports: Rc<RefCell<Vec<Report>>> = Rc::default();
    let mut changes = all(vec![of("1")]);
    // As a watch shows it that was away in between; it is of the same generation, and says the same.
    changes.push_back(source::Change::Some { changed: vec![of("2")], gone: Vec::new() });
    let source = Script { changes, reports: Rc::clone(&reports) };
    let place = tempfile::tempdir().unwrap();
    let (ready, ending) = (Ready::default(), Ending::on_signals().unwrap());
    let lane = Lane::new(Box::new(obedient()), Changes::Folder(place.path().to_owned()));
    let running = Daemon::new(source, vec![lane]).run(false, &ready, ending);
    let told = async {
        while reports.borrow().last().is_none_or(|report| report.object.uid.as_deref() != Some("2")) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        ended = running => panic!("{ended:?}"),
        told = tokio::time::timeout(Duration::from_secs(60), told) => told.expect("it is reported"),
    }
}
