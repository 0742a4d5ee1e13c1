//! What to write about one profile: a pure function of what is known, and of the time.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use spo_api::condition::{Condition, Reason, set_condition};
use spo_api::{ProfileKey, ProfileKind, ProfileState, finalizers, fold};

use super::cluster::Profile;
use super::decode::{Form, ProfileObject};
use super::node::{Daemon, Node, Nodes, Presence};

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
/// How many nodes a message names.
const NAMED: usize = 5;

/// One profile, and what its status depends on.
#[derive(Debug)]
pub(crate) struct Observed<'a> {
    pub(crate) key: &'a ProfileKey,
    pub(crate) profile: &'a Profile,
    pub(crate) nodes: &'a Nodes,
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

/// One write.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Action {
    /// Puts the label `profile-id` on the profile.
    Label,
    /// Replaces the part of the profile's status that the nodes determine.
    Status(Status),
    /// Leaves the profile these finalizers only, if it still is as it was seen.
    Finalizers { keep: Vec<String>, resource_version: u64 },
    /// Deletes what a node that is gone said.
    DeleteNodeStatus { node: Arc<str>, legacy_name: Option<Box<str>> },
}

/// The part of a profile's status that the nodes determine.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Status {
    pub(crate) state: ProfileState,
    pub(crate) localhost_profile: Option<String>,
    pub(crate) ready: Condition,
}

/// What has to be written about a profile.
pub(crate) fn plan(observed: &Observed<'_>, now: &Now) -> Plan {
    let mut plan = Plan::default();
    forget_vanished_nodes(observed, now, &mut plan);
    let Some(object) = &observed.profile.object else { return plan };
    let kept = kept_finalizers(observed, object);
    if kept.len() < object.finalizers.len() {
        plan.actions.push(Action::Finalizers { keep: kept.clone(), resource_version: object.resource_version });
    }
    if object.deleting && kept.is_empty() {
        return plan; // it goes with the last finalizer
    }
    if !object.labelled && !object.deleting {
        plan.actions.push(Action::Label);
    }
    let verdict = if object.deleting { deleting(&kept) } else { aggregate(observed, object) };
    write_status(observed, object, verdict, now, &mut plan);
    plan
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
fn deleting(finalizers: &[String]) -> Verdict {
    let message = if finalizers == [finalizers::IN_USE] {
        "deleted as soon as no pod uses it any more".to_owned()
    } else {
        format!("its deletion waits for the finalizers {}", finalizers.join(", "))
    };
    Verdict { state: ProfileState::Terminating, message, heard: None }
}

fn write_status(observed: &Observed<'_>, object: &ProfileObject, verdict: Verdict, now: &Now, plan: &mut Plan) {
    let new = Condition::ready(
        Reason::from(verdict.state),
        verdict.message.as_str(),
        Some(object.generation),
        now.time.clone(),
    );
    let mut conditions: Vec<Condition> = object.ready.iter().cloned().collect();
    let localhost_profile = localhost_profile(observed.key);
    let same_state = object.state == Some(verdict.state) && object.localhost_profile == localhost_profile;
    if !set_condition(&mut conditions, new) && same_state {
        return;
    }
    let Some(ready) = conditions.pop() else { return };
    let not_before = not_before(observed.profile, &verdict, same_state);
    if not_before > now.uptime {
        plan.again = Some(plan.again.map_or(not_before, |again| again.min(not_before)));
        return;
    }
    plan.actions.push(Action::Status(Status { state: verdict.state, localhost_profile, ready }));
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

/// What a pod writes to use the profile.
fn localhost_profile(key: &ProfileKey) -> Option<String> {
    (key.kind == ProfileKind::Seccomp).then(|| spo_api::seccomp::localhost_profile(&key.name))
}

/// The finalizers that stay. Those of a reference operator's daemons go with the object (its deletion needs no node), and when
/// this project's daemon has taken their node over. Until then one may be that of a node that was not seen yet.
fn kept_finalizers(observed: &Observed<'_>, object: &ProfileObject) -> Vec<String> {
    let ours = observed.profile.reports.keys().filter(|(_, form)| *form == Form::Ours);
    let taken_over: Vec<String> = ours.map(|(node, _)| finalizers::legacy_node_finalizer(node)).collect();
    let goes =
        |finalizer: &String| finalizers::is_legacy(finalizer) && (object.deleting || taken_over.contains(finalizer));
    object.finalizers.iter().filter(|finalizer| !goes(finalizer)).cloned().collect()
}

/// What nodes said that are gone. A daemon that is still there would only say it again.
fn forget_vanished_nodes(observed: &Observed<'_>, now: &Now, plan: &mut Plan) {
    for ((name, _), report) in &observed.profile.reports {
        let Some(node) = observed.nodes.get(name).filter(|node| node.daemon == Daemon::None) else { continue };
        let Presence::GoneSince(since) = node.presence else { continue };
        let due = since.max(node.heard) + NODE_GONE;
        if due > now.uptime {
            plan.again = Some(plan.again.map_or(due, |again| again.min(due)));
        } else {
            let legacy_name = report.legacy_name.clone();
            plan.actions.push(Action::DeleteNodeStatus { node: name.clone(), legacy_name });
        }
    }
}

#[cfg(test)]
mod tests;
