//! The UID of a request becomes part of what the request starts, so that audit records of processes can be matched with the audit
//! log of the API server.
//!
//! Nothing is ever refused here: whoever debugs at night matters more than a correlation.

use serde::Deserialize;
use serde_json::{Value, json};

use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, Patch, PatchOperation};

use super::decision::{Decision, Verdict};
use super::edit::Edit;
use super::pod::{Container, List, Place, Pod};
use super::review::{Operation, Request};

/// The variable, and the key in the API server's audit log.
const VARIABLE: &str = "SPO_EXEC_REQUEST_UID";
const MESSAGE: &str = "UID added to execmetadata";

/// The options of `kubectl exec`, as far as they are looked at.
#[derive(Deserialize)]
struct ExecOptions {
    #[serde(default)]
    command: Vec<String>,
}

/// What to do with a request. `prefix` says whether a command may be preceded by `env`, which containers without that program lack.
pub(crate) fn decide(request: &Request<'_>, prefix: bool) -> Decision {
    let patch = match (request.kind.kind.as_str(), request.sub_resource.as_str()) {
        ("PodExecOptions", _) => command(request, prefix),
        ("Pod", "") if request.operation == Operation::Create => environment(request, first),
        // The API server calls the resource `pods` here as well (W-OP-36).
        ("Pod", "ephemeralcontainers") => environment(request, not_started),
        _ => None,
    };
    match patch {
        Some(patch) => Decision {
            verdict: Verdict::Allowed { patch, message: Some(MESSAGE) },
            audit: Some((VARIABLE, request.uid.clone())),
            ..Decision::allowed()
        },
        None => Decision::allowed(),
    }
}

/// The command with the UID in it. Nobody may bring along another one.
fn command(request: &Request<'_>, prefix: bool) -> Option<Patch> {
    let mut command = request.object::<ExecOptions>().ok()?.command;
    let variable = format!("{VARIABLE}={}", request.uid);
    let mut given = command.iter_mut().filter(|argument| is_variable(argument)).peekable();
    if given.peek().is_some() {
        given.for_each(|argument| argument.clone_from(&variable));
    } else if prefix && !command.is_empty() {
        command.splice(0..0, ["env".to_owned(), variable]);
    } else {
        return None;
    }
    let path = PointerBuf::from_tokens(["command"]);
    Some(Patch(vec![PatchOperation::Add(AddOperation { path, value: command.into() })]))
}

fn is_variable(argument: &str) -> bool {
    argument.strip_prefix(VARIABLE).is_some_and(|rest| rest.starts_with('='))
}

/// The environment of the containers that `which` picks, with the UID in it.
fn environment(request: &Request<'_>, which: fn(&Pod) -> Vec<(Place, &Container)>) -> Option<Patch> {
    let pod = Pod::of(request).ok()?;
    let mut edit = Edit::of(&pod);
    let containers = which(&pod);
    for (place, container) in &containers {
        let mut env: Vec<Value> = container.env.iter().filter(|entry| entry["name"] != VARIABLE).cloned().collect();
        env.push(json!({"name": VARIABLE, "value": request.uid}));
        edit.set_env(*place, env);
    }
    (!containers.is_empty()).then(|| edit.patch())
}

fn first(pod: &Pod) -> Vec<(Place, &Container)> {
    pod.list(List::Main).take(1).collect()
}

fn not_started(pod: &Pod) -> Vec<(Place, &Container)> {
    let begun = pod.begun_ephemeral();
    pod.list(List::Ephemeral).filter(|(_, container)| !begun.contains(container.name.as_str())).collect()
}

#[cfg(test)]
mod tests;
