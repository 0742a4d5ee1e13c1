//! What is to be written, given what is there.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};
use spo_api::GROUP;
use spo_api::condition::{Condition, Reason, set_condition};
use spo_api::daemon::v1::DaemonState;

use super::template::{self, Switches};
use super::{CONFIGURATION, DAEMON_SET, Object, SPOD};

/// What there is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Observed<'a> {
    pub(super) daemon_set: Option<&'a Object>,
    pub(super) configuration: Option<&'a Object>,
    /// Why the last attempt to change the DaemonSet failed.
    pub(super) refused: Option<&'a str>,
}

/// What is to be applied: to the DaemonSet, and to the configuration's status.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    pub(super) template: Option<Value>,
    pub(super) status: Option<Value>,
}

/// What brings the DaemonSet into line with the configuration, and what the configuration is to say meanwhile.
pub(super) fn plan(observed: &Observed<'_>, now: Time) -> Plan {
    let template = observed.daemon_set.and_then(|set| template_of(set, observed.configuration));
    let status = observed.configuration.and_then(|configuration| {
        let stage = Stage::of(observed, template.is_some());
        status_of(configuration, stage, now)
    });
    Plan { template, status }
}

fn template_of(daemon_set: &Object, configuration: Option<&Object>) -> Option<Value> {
    // One that is on its way out takes its pods along.
    if daemon_set.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let on = configuration.map(|configuration| Switches::of(&configuration.spec)).unwrap_or_default();
    let there = &daemon_set.spec["template"]["spec"];
    let apply = || {
        json!({
            "apiVersion": "apps/v1",
            "kind": DAEMON_SET.kind,
            // of this one only: what is made anew after it is looked at anew
            "metadata": {"name": SPOD, "uid": daemon_set.metadata.uid},
            "spec": {"template": {"spec": template::pod(on, there)}},
        })
    };
    (!template::is_as_wanted(there, on)).then(apply)
}

/// How far the DaemonSet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage<'a> {
    Missing,
    Refused(&'a str),
    Changing,
    RollingOut,
    Done,
}

impl<'a> Stage<'a> {
    fn of(observed: &Observed<'a>, differs: bool) -> Self {
        match (observed.daemon_set, observed.refused) {
            (None, _) => Self::Missing,
            (Some(_), Some(why)) if differs => Self::Refused(why),
            (Some(_), None) if differs => Self::Changing,
            (Some(set), _) if is_rolled_out(set) => Self::Done,
            (Some(_), _) => Self::RollingOut,
        }
    }

    fn says(self) -> (DaemonState, Reason, String) {
        match self {
            Self::Missing => (
                DaemonState::Pending,
                Reason::Pending,
                "there is no DaemonSet spod in this namespace; apply the operator's manifests".to_owned(),
            ),
            Self::Refused(why) => (
                DaemonState::Updating,
                Reason::Updating,
                format!("DaemonSet spod cannot be changed, which is tried again: {why}"),
            ),
            Self::Changing => (DaemonState::Updating, Reason::Updating, "DaemonSet spod is being changed".to_owned()),
            Self::RollingOut => (
                DaemonState::Updating,
                Reason::Updating,
                "pods of DaemonSet spod are not all replaced and ready yet".to_owned(),
            ),
            Self::Done => (DaemonState::Running, Reason::Available, String::new()),
        }
    }
}

/// Whether every node that is to have a pod has one that is ready and of the current template.
fn is_rolled_out(set: &Object) -> bool {
    let count = |field: &str| set.status[field].as_i64().unwrap_or(0);
    let desired = count("desiredNumberScheduled");
    set.status["observedGeneration"].as_i64().is_some_and(|seen| Some(seen) == set.metadata.generation)
        && count("updatedNumberScheduled") == desired
        && count("numberReady") == desired
}

/// The status, if it is to change.
fn status_of(configuration: &Object, stage: Stage<'_>, now: Time) -> Option<Value> {
    let (state, reason, message) = stage.says();
    let before = serde_json::from_value(configuration.status["conditions"].clone());
    let mut conditions: Vec<Condition> = before.unwrap_or_default();
    let ready = Condition::ready(reason, message, configuration.metadata.generation, now);
    let says_more = set_condition(&mut conditions, ready.clone());
    if !says_more && configuration.status["state"] == state.as_str() {
        return None;
    }
    // With the time that it had, if it says what it said.
    let ready = conditions.into_iter().find(|condition| condition.r#type == ready.r#type).unwrap_or(ready);
    Some(json!({
        "apiVersion": format!("{GROUP}/v1"),
        "kind": CONFIGURATION.kind,
        "metadata": {"name": SPOD},
        "status": {"state": state, "conditions": [ready]},
    }))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn object(value: Value) -> Object {
        serde_json::from_value(value).unwrap()
    }

    fn now() -> Time {
        Time(k8s_openapi::jiff::Timestamp::from_second(1).unwrap())
    }

    fn daemon_set(generation: i64, status: Value) -> Object {
        let daemon = json!({"name": "security-profiles-operator", "image": "i", "imagePullPolicy": "Never"});
        let spec = json!({"template": {"spec": {"containers": [daemon]}}});
        object(
            json!({"metadata": {"name": SPOD, "uid": "u", "generation": generation}, "spec": spec, "status": status}),
        )
    }

    fn configuration(spec: Value) -> Object {
        object(json!({"metadata": {"name": SPOD, "generation": 7}, "spec": spec}))
    }

    fn running() -> Value {
        json!({"observedGeneration": 2, "desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberReady": 3})
    }

    fn state(plan: &Plan) -> &str {
        plan.status.as_ref().unwrap()["status"]["state"].as_str().unwrap()
    }

    #[test]
    fn without_a_configuration_and_with_one_that_says_nothing_the_daemon_set_stays_as_it_was_installed() {
        let set = daemon_set(2, running());
        let nothing = Plan { template: None, status: None };
        assert_eq!(plan(&Observed { daemon_set: Some(&set), configuration: None, refused: None }, now()), nothing);
        let configuration = configuration(json!({}));
        let plan =
            plan(&Observed { daemon_set: Some(&set), configuration: Some(&configuration), refused: None }, now());
        assert_eq!((&plan.template, state(&plan)), (&None, "Running"));
    }

    #[test]
    fn x8_a_switch_changes_the_daemon_set_and_the_configuration_is_not_ready_meanwhile() {
        let set = daemon_set(2, running());
        let configuration = configuration(json!({"selinux": {"enable": true}}));
        let plan =
            plan(&Observed { daemon_set: Some(&set), configuration: Some(&configuration), refused: None }, now());
        let template = plan.template.as_ref().unwrap();
        assert_eq!(template["metadata"]["uid"], "u");
        assert_eq!(template["spec"]["template"]["spec"]["containers"][0]["args"][0], "--with-selinux=true");
        assert_eq!(state(&plan), "Updating");
        let ready = &plan.status.as_ref().unwrap()["status"]["conditions"][0];
        assert_eq!((&ready["status"], &ready["observedGeneration"]), (&json!("False"), &json!(7)));
    }

    #[rstest]
    #[case::not_seen_yet(json!({"observedGeneration": 1, "desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberReady": 3}))]
    #[case::nothing_seen(json!({}))]
    #[case::old_pods(json!({"observedGeneration": 2, "desiredNumberScheduled": 3, "updatedNumberScheduled": 1, "numberReady": 3}))]
    #[case::not_ready(json!({"observedGeneration": 2, "desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberReady": 2}))]
    fn x8_the_configuration_is_ready_only_when_every_node_runs_it(#[case] status: Value) {
        let set = daemon_set(2, status);
        let configuration = configuration(json!({}));
        let plan =
            plan(&Observed { daemon_set: Some(&set), configuration: Some(&configuration), refused: None }, now());
        assert_eq!(state(&plan), "Updating");
    }

    #[test]
    fn what_is_said_already_is_not_written_again() {
        let set = daemon_set(2, running());
        let mut configuration = configuration(json!({}));
        let observed = Observed { daemon_set: Some(&set), configuration: Some(&configuration), refused: None };
        configuration.status = plan(&observed, now()).status.unwrap()["status"].clone();
        let later = Time(k8s_openapi::jiff::Timestamp::from_second(9).unwrap());
        let plan =
            plan(&Observed { daemon_set: Some(&set), configuration: Some(&configuration), refused: None }, later);
        assert_eq!(plan, Plan { template: None, status: None });
    }

    #[test]
    fn why_the_daemon_set_cannot_be_changed_is_said_until_it_is_as_wanted() {
        let set = daemon_set(2, running());
        let configuration = configuration(json!({"enableAppArmor": true}));
        let observed = Observed {
            daemon_set: Some(&set),
            configuration: Some(&configuration),
            refused: Some("a quota is used up"),
        };
        let plan = plan(&observed, now());
        let ready = &plan.status.as_ref().unwrap()["status"]["conditions"][0];
        assert_eq!((state(&plan), &ready["status"]), ("Updating", &json!("False")));
        assert!(ready["message"].as_str().unwrap().ends_with("a quota is used up"), "{ready}");
    }

    #[test]
    fn a_daemon_set_that_is_missing_is_named() {
        let configuration = configuration(json!({"enableAppArmor": true}));
        let plan = plan(&Observed { daemon_set: None, configuration: Some(&configuration), refused: None }, now());
        assert_eq!((&plan.template, state(&plan)), (&None, "Pending"));
    }
}
