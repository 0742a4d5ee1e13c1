//! What to write about one profile: a pure function of what is known, and of the time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use spo_api::condition::{Condition, Reason, set_condition};
use spo_api::{ProfileKey, ProfileKind, ProfileState, finalizers, fold};

use super::cluster::Profile;
use super::decode::{Form, ProfileObject, Report, Uid};
use super::hold;
use super::node::{Daemon, Node, Nodes, Presence};
use super::usage::PodId;

/// A node that has not been heard of for so long is named as one that is waited for. Until then it is at work, and a status
/// about half of the nodes would only be written to be replaced.
const QUIET: Duration = Duration::from_secs(3);
/// However busy the nodes are, a status is written after this.
const LONGEST_WAIT: Duration = Duration::from_secs(120);
/// Texts of one and the same state are not written more often than this.
const TEXT_PAUSE: Duration = Duration::from_secs(5);
/// What a node left behind goes when the node has been gone, and silent, for so long: watches are not in step, so a new node's
/// first report may be seen before the node is.
const NODE_GONE: Duration = Duration::from_secs(5);
/// What is said of an object that is gone is for the cluster's garbage collector to delete. It can miss that: it does
/// not see what happens to a kind while an API server that has just started does not serve it yet. What it has left alone for so long goes.
const UNCOLLECTED: Duration = Duration::from_secs(15);
/// How many nodes or pods a message names.
const NAMED: usize = 5;

/// One profile, and what its status depends on.
#[derive(Debug)]
pub(crate) struct Observed<'a> {
    pub(crate) key: &'a ProfileKey,
    pub(crate) profile: &'a Profile,
    pub(crate) nodes: &'a Nodes,
    /// The pods that use it.
    pub(crate) users: Option<&'a BTreeSet<PodId>>,
    /// Whether the operator is being removed, so that nobody would let the profile go later.
    pub(crate) releasing: bool,
}

/// The time, by both clocks.
#[derive(Debug, Clone)]
pub(crate) struct Now {
    /// Since the process started; never goes back.
    pub(crate) uptime: Duration,
    /// For people.
    pub(crate) time: Time,
}

/// What to do about one profile.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Plan {
    pub(crate) actions: Vec<Action>,
    /// When to plan again even if nothing changes.
    pub(crate) again: Option<Duration>,
}

impl Plan {
    /// Has it planned again at that time, if not earlier.
    pub(crate) fn wake(&mut self, at: Duration) {
        self.again = Some(self.again.map_or(at, |again| again.min(at)));
    }
}

/// One write.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Action {
    /// Puts the label `profile-id` on the profile, and on a SeccompProfile its annotation `syscalls`.
    Metadata {
        /// The object's `uid`: what is applied to it makes none in its place where it is gone.
        uid: Box<str>,
        syscalls: Option<Box<str>>,
    },
    /// Replaces the part of the profile's status that the nodes determine.
    Status(Status),
    /// Replaces the list of pods in the status.
    Workloads(Vec<String>),
    /// Gives the object exactly these finalizers, if it still is as it was seen.
    Finalizers { keep: Vec<String>, resource_version: u64 },
    /// Deletes the profile, if it still is as it was seen: the configuration does not permit it any more.
    Delete { why: Why, resource_version: u64 },
    /// Tells on the profile that the configuration forbids it.
    Event(Why),
    /// Deletes what a node said, if it still is as it was seen.
    DeleteNodeStatus {
        node: Arc<str>,
        legacy_name: Option<Box<str>>,
        resource_version: u64,
        /// The object that it is said of, where that is why: it may be there after all, on a watch that lags.
        stray_of: Option<Uid>,
    },
}

/// What the configuration forbids of a profile, for people.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Why {
    pub(crate) text: Box<str>,
    /// The object's `uid`, by which events are found.
    pub(crate) uid: Box<str>,
}

/// The part of a profile's status that the nodes determine.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Status {
    /// The object's `uid`.
    pub(crate) uid: Box<str>,
    pub(crate) state: ProfileState,
    /// What a pod writes to use the profile.
    pub(crate) place: Option<String>,
    pub(crate) ready: Condition,
}

/// What has to be written about a profile.
pub(crate) fn plan(observed: &Observed<'_>, now: &Now) -> Plan {
    let mut plan = Plan::default();
    forget_what_is_left(observed, now, &mut plan);
    let Some(object) = &observed.profile.object else { return plan };
    let keep = finalizers(observed, object);
    let goes = object.deleting && keep.is_empty();
    if keep != object.finalizers {
        let resource_version = object.resource_version;
        plan.actions.push(Action::Finalizers { keep: keep.clone(), resource_version });
    }
    if goes {
        return plan; // with the last finalizer
    }
    let denied = observed.denied(object);
    if let Some(why) = denied.filter(|_| observed.was_permitted(object)) {
        plan.actions.push(Action::Delete { why: object.why(why), resource_version: object.resource_version });
        return plan;
    }
    write_metadata(observed, object, &mut plan);
    let verdict = match denied {
        _ if object.deleting => deleting(&keep, observed.users),
        Some(why) => Verdict { state: ProfileState::Error, message: why.to_owned(), heard: None },
        None => aggregate(observed, object),
    };
    if write_status(observed, object, verdict, now, &mut plan)
        && let Some(why) = denied
    {
        plan.actions.push(Action::Event(object.why(why)));
    }
    if observed.key.kind != ProfileKind::AppArmor {
        hold::list(object.workloads, observed.users, observed.profile.written, now.uptime, &mut plan);
    }
    plan
}

impl Observed<'_> {
    /// What the configuration forbids of a profile that nodes would install. They say nothing of it.
    fn denied(&self, object: &ProfileObject) -> Option<&str> {
        let judged = self.profile.judged.as_ref().filter(|_| object.wanted && !object.deleting)?;
        judged.denied.as_deref()
    }

    /// Whether it was installed as it stands, so that it is the list of calls that has changed. One that was refused from the beginning,
    /// or was changed into something that is forbidden, is not deleted: whoever wrote it reads why.
    fn was_permitted(&self, object: &ProfileObject) -> bool {
        let observed = object.ready.as_ref().and_then(|ready| ready.observed_generation);
        let whole = object.state == Some(ProfileState::Installed) && observed == Some(object.generation);
        let installed = |report: &&Report| {
            report.state == Some(ProfileState::Installed) && report.generation == Some(object.generation)
        };
        let reports = self.profile.reports_of(object.uid);
        self.key.kind == ProfileKind::Seccomp && (whole || reports.into_values().any(|report| installed(&report)))
    }
}

impl ProfileObject {
    fn why(&self, text: &str) -> Why {
        Why { text: text.into(), uid: self.uid_text.clone() }
    }
}

/// The label, and the annotation where it is not right.
fn write_metadata(observed: &Observed<'_>, object: &ProfileObject, plan: &mut Plan) {
    let syscalls = observed.profile.judged.as_ref().and_then(|judged| judged.syscalls.clone());
    if !object.deleting && (!object.labelled || syscalls.is_some()) {
        plan.actions.push(Action::Metadata { uid: object.uid_text.clone(), syscalls });
    }
}

/// What the nodes say, taken together.
struct Verdict {
    state: ProfileState,
    message: String,
    /// When the last of the awaited nodes was heard of, if any is awaited.
    heard: Option<Duration>,
}

/// W-OP-17: nodes that have not reported the current generation are named. Those whose daemon is ready are awaited, so the
/// profile is not ready; those whose daemon is not are left out, so one broken node keeps nobody from the others.
fn aggregate(observed: &Observed<'_>, object: &ProfileObject) -> Verdict {
    let reports = observed.profile.reports_of(object.uid);
    let covered = covered(observed.nodes);
    let mut states = Vec::new();
    let (mut awaited, mut silent, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    // While no node is known, the first report may be on its way.
    let mut heard = covered.is_empty().then_some(Duration::ZERO);
    for (name, daemon) in &covered {
        let report = reports.get(name).copied();
        let current = report.filter(|report| report.generation.is_none_or(|seen| seen >= object.generation));
        if let Some((report, state)) = current.and_then(|report| Some((report, report.state?))) {
            states.push(state);
            if let Some(message) = &report.message {
                failed.push((state, *name, &**message));
            }
        } else if *daemon == Daemon::Unready {
            silent.push(*name);
        } else {
            states.push(if report.is_some_and(|report| report.state.is_some()) {
                ProfileState::InProgress
            } else {
                ProfileState::Pending
            });
            awaited.push(*name);
            heard = heard.max(observed.nodes.get(name).map(|node| node.heard));
        }
    }
    let state = if states.is_empty() { ProfileState::Pending } else { fold(states) };
    failed.retain(|(of, _, _)| *of == state);
    let message = message(state, &awaited, &silent, &failed, covered.len());
    Verdict { state, message, heard }
}

/// The nodes where the DaemonSet is scheduled; where no pod of it is known, those that report at all.
fn covered(nodes: &Nodes) -> Vec<(&Arc<str>, Daemon)> {
    let in_pods = nodes.any_daemon();
    let covers = |node: &Node| if in_pods { node.daemon != Daemon::None } else { node.reports() };
    let here = nodes.iter().filter(|(_, node)| node.presence == Presence::Here && covers(node));
    here.map(|(name, node)| (name, node.daemon)).collect()
}

fn message(
    state: ProfileState,
    awaited: &[&Arc<str>],
    silent: &[&Arc<str>],
    failed: &[(ProfileState, &Arc<str>, &str)],
    covered: usize,
) -> String {
    let mut parts = Vec::new();
    if covered == 0 {
        parts.push("no node runs the daemon yet: see the DaemonSet spod".to_owned());
    }
    if !failed.is_empty() {
        let reasons = failed.iter().take(NAMED).map(|(_, node, why)| format!("{node}: {why}")).collect::<Vec<_>>();
        parts.push(reasons.join("; ") + &and_more(failed.len()));
    }
    if !awaited.is_empty() {
        parts.push(format!("waiting for {} of {covered} nodes: {}", awaited.len(), list(awaited)));
    }
    if !silent.is_empty() {
        parts.push(format!("no report from {}, where the daemon is not ready", list(silent)));
    }
    if parts.is_empty() && state == ProfileState::Installed {
        parts.push("installed on every node".to_owned());
    }
    parts.join("; ")
}

fn list(nodes: &[&Arc<str>]) -> String {
    let named: Vec<&str> = nodes.iter().take(NAMED).map(|node| &***node).collect();
    named.join(", ") + &and_more(nodes.len())
}

fn and_more(all: usize) -> String {
    if all > NAMED { format!(" and {} more", all - NAMED) } else { String::new() }
}

/// A profile that is being deleted says what its deletion waits for.
fn deleting(finalizers: &[String], users: Option<&BTreeSet<PodId>>) -> Verdict {
    let message = if finalizers == [finalizers::IN_USE] {
        let pods: Vec<&str> = users.into_iter().flatten().take(NAMED).map(|pod| &**pod).collect();
        let more = and_more(users.map_or(0, BTreeSet::len));
        format!("deleted as soon as no pod uses it any more: {}{more}", pods.join(", "))
    } else {
        format!("its deletion waits for the finalizers {}", finalizers.join(", "))
    };
    Verdict { state: ProfileState::Terminating, message, heard: None }
}

/// Plans to write the status, if it is another one; says whether it does.
fn write_status(observed: &Observed<'_>, object: &ProfileObject, verdict: Verdict, now: &Now, plan: &mut Plan) -> bool {
    let new = Condition::ready(
        Reason::from(verdict.state),
        verdict.message.as_str(),
        Some(object.generation),
        now.time.clone(),
    );
    let mut conditions: Vec<Condition> = object.ready.iter().cloned().collect();
    let place = place(observed.key);
    let same_state = object.state == Some(verdict.state) && object.place == place;
    if !set_condition(&mut conditions, new) && same_state {
        return false;
    }
    let Some(ready) = conditions.pop() else { return false };
    let not_before = not_before(observed.profile, &verdict, same_state);
    if not_before > now.uptime {
        plan.wake(not_before);
        return false;
    }
    plan.actions.push(Action::Status(Status { uid: object.uid_text.clone(), state: verdict.state, place, ready }));
    true
}

/// The earliest moment at which the verdict is worth a write. An error is at once: waiting cannot make it better.
fn not_before(profile: &Profile, verdict: &Verdict, same_state: bool) -> Duration {
    let settled = match verdict.heard {
        Some(heard) if verdict.state != ProfileState::Error => {
            (heard.max(profile.since) + QUIET).min(profile.since + LONGEST_WAIT)
        }
        _ => Duration::ZERO,
    };
    match profile.written {
        Some(written) if same_state => settled.max(written + TEXT_PAUSE),
        _ => settled,
    }
}

/// What a pod writes to use the profile, where the status has a field for it.
fn place(key: &ProfileKey) -> Option<String> {
    match key.kind {
        ProfileKind::Seccomp => Some(spo_api::seccomp::localhost_profile(&key.name)),
        ProfileKind::Selinux | ProfileKind::RawSelinux => Some(spo_api::selinux::usage(&key.name)),
        ProfileKind::AppArmor => None,
    }
}

/// The finalizers that it should have: one as long as pods use it, and those of others. Those of a reference operator's daemons go with the
/// object (its deletion needs no node), and when this project's daemon has taken their node over. Until then one may be that of a
/// node that was not seen yet.
fn finalizers(observed: &Observed<'_>, object: &ProfileObject) -> Vec<String> {
    let ours = observed.profile.reports.keys().filter(|(_, form)| *form == Form::Ours);
    let taken_over: Vec<String> = ours.map(|(node, _)| finalizers::legacy_node_finalizer(node)).collect();
    let goes =
        |finalizer: &String| finalizers::is_legacy(finalizer) && (object.deleting || taken_over.contains(finalizer));
    let others = object.finalizers.iter().filter(|finalizer| !goes(finalizer)).cloned().collect();
    let held = !observed.releasing && observed.users.is_some_and(|users| !users.is_empty());
    hold::finalizers(others, finalizers::IN_USE, held, object.deleting)
}

/// What is said by nodes that are gone, or of an object that is: nobody will say it otherwise.
fn forget_what_is_left(observed: &Observed<'_>, now: &Now, plan: &mut Plan) {
    for ((name, _), report) in &observed.profile.reports {
        let (vanished, stray) = (vanished(observed, name), stray(observed, report));
        match [vanished, stray].into_iter().flatten().min() {
            Some(due) if due > now.uptime => plan.wake(due),
            Some(_) => plan.actions.push(Action::DeleteNodeStatus {
                node: name.clone(),
                legacy_name: report.legacy_name.clone(),
                resource_version: report.resource_version,
                stray_of: vanished.is_none().then_some(report.owner),
            }),
            None => {}
        }
    }
}

/// When what a node said goes, because it is gone. A daemon that is still there would only say it again.
fn vanished(observed: &Observed<'_>, name: &Arc<str>) -> Option<Duration> {
    let node = observed.nodes.get(name).filter(|node| node.daemon == Daemon::None)?;
    match node.presence {
        Presence::GoneSince(since) => Some(since.max(node.heard) + NODE_GONE),
        Presence::Here => None,
    }
}

/// When what is said of an object goes that is not there any more.
fn stray(observed: &Observed<'_>, report: &Report) -> Option<Duration> {
    let is_of_it = observed.profile.object.as_ref().is_some_and(|object| object.uid == report.owner);
    (!is_of_it).then_some(observed.profile.since + UNCOLLECTED)
}

#[cfg(test)]
mod tests;
