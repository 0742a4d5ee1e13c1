//! Profile recordings: pods are marked for what records them, and confined so that there is something to record.
//!
//! A node believes the marks, so nobody else may set them: what a pod brings along is removed when it is created, and put back as it
//! was when it is changed. Who is recorded is not written down here: whoever watches pods sees that.

mod marks;
mod obstacle;

use kube::core::SelectorExt;
use spo_api::recording::annotation;

use super::Now;
use super::decision::Decision;
use super::edit::Edit;
use super::observed::{Observed, Recording};
use super::pod::Pod;
use super::review::{Operation, Request};
use marks::Marks;

/// What to do with a pod.
pub(crate) fn decide(request: &Request<'_>, observed: &Observed, now: &Now) -> Decision {
    match request.operation {
        Operation::Create if request.sub_resource.is_empty() => create(request, observed, now),
        Operation::Update if request.sub_resource.is_empty() => update(request),
        _ => Decision::allowed(),
    }
}

/// The marks of a pod stay as they were made.
fn update(request: &Request<'_>) -> Decision {
    let (old, new): (Pod, Pod) = match request.old_object().and_then(|old| Ok((old, request.object()?))) {
        Ok(pods) => pods,
        Err(error) => return Decision::unreadable(error),
    };
    let mut edit = Edit::of(&new);
    let mut warnings = Vec::new();
    let restored = |key: &str| format!("annotation {key} stays as it was: it is the operator's");
    for (key, value) in old.annotations().filter(|(key, _)| is_mark(key)) {
        if new.annotation(key) != Some(value) {
            edit.annotate(key, value);
            warnings.push(restored(key));
        }
    }
    for (key, _) in new.annotations().filter(|(key, _)| is_mark(key)) {
        if old.annotation(key).is_none() {
            edit.remove_annotation(key);
            warnings.push(restored(key));
        }
    }
    Decision { warnings, ..Decision::patched(edit.patch()) }
}

fn create(request: &Request<'_>, observed: &Observed, now: &Now) -> Decision {
    let pod = match Pod::of(request) {
        Ok(pod) => pod,
        Err(error) => return Decision::unreadable(error),
    };
    let mut marks = Marks::of(&pod, &request.namespace, now);
    if !pod.is_for_windows() {
        let mut matching: Vec<Named<'_>> = matching(&pod, &request.namespace, observed).collect();
        // Of several for one container the last by name has it.
        matching.reverse();
        matching.into_iter().for_each(|recording| marks.record(recording, observed));
    }
    marks.decision()
}

/// A recording, and its name.
#[derive(Clone, Copy)]
struct Named<'a> {
    name: &'a str,
    recording: &'a Recording,
}

fn matching<'a>(pod: &Pod, namespace: &'a str, observed: &'a Observed) -> impl Iterator<Item = Named<'a>> {
    let all = observed.recordings(namespace).map(|(name, recording)| Named { name, recording });
    all.filter(|of| of.recording.pods.as_ref().is_some_and(|pods| pods.matches(&pod.metadata.labels)))
}

/// Whether an annotation has a container recorded.
fn is_mark(key: &str) -> bool {
    annotation::parse_key(key).is_some()
}

#[cfg(test)]
mod tests;
