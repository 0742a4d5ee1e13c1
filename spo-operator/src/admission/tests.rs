//! The shell: paths, bodies, waiting.

use k8s_openapi::api::core::v1::Pod;
use proptest::prelude::*;
use serde_json::{Value, json};
use spo_api::ProfileKind;

use super::fixture::{World, create, pod, review};
use super::*;

const ALL: [Webhook; 4] = [Webhook::Binding, Webhook::Recording, Webhook::ExecMetadata, Webhook::Validation];

/// An admission that knows what `world` holds, without a cluster.
fn knowing(world: World) -> (Admission, event::Queue) {
    let (events, queue) = event::channel();
    let observed = Arc::new(watch::Sender::new(world.observed));
    (Admission { observed, events, started: Instant::now() }, queue)
}

async fn answer(admission: &Admission, webhook: Webhook, body: &[u8]) -> (u16, Value) {
    let answer = admission.answer(webhook, body).await;
    (answer.status, serde_json::from_slice(&answer.body).unwrap())
}

fn bound_to_nothing() -> World {
    World::new().binding("b", ProfileKind::Seccomp, "web", "nginx")
}

#[test]
fn a_webhook_is_at_its_own_path_only() {
    for path in ["/", "/convert", "/mutate-v1-pod-binding/", "/healthz"] {
        assert_eq!(Webhook::at(path), None, "{path}");
    }
    assert_eq!(Webhook::at("/validate-rawselinuxprofile"), Webhook::at("/validate-profile"));
}

#[tokio::test]
async fn a_body_that_is_no_review_is_a_bad_request() {
    let (admission, _) = knowing(World::new());
    for body in [&b""[..], b"{}", b"\xff", br#"{"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"}"#] {
        let (status, message) = answer(&admission, Webhook::Binding, body).await;
        assert!(status == 400 && message["message"].is_string(), "{status} {message}");
    }
}

#[tokio::test]
async fn a_pod_is_answered_with_what_is_decided() {
    let world = World::new().profile(ProfileKind::Seccomp, "web", "Installed");
    let (admission, _) = knowing(world.binding("b", ProfileKind::Seccomp, "web", "nginx"));
    let (status, review) = answer(&admission, Webhook::Binding, &review(create(&pod("nginx")))).await;
    let response = &review["response"];
    assert_eq!((status, &response["allowed"], &response["uid"]), (200, &json!(true), &json!("test-uid")));
    assert!(response["patch"].is_string());
}

#[tokio::test(start_paused = true)]
async fn a_profile_that_comes_a_moment_later_is_waited_for() {
    let (admission, _) = knowing(bound_to_nothing());
    let body = review(create(&pod("nginx")));
    let late = async {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let installed = World::new().profile(ProfileKind::Seccomp, "web", "Installed");
        let world = installed.binding("b", ProfileKind::Seccomp, "web", "nginx");
        admission.observed.send_replace(world.observed);
    };
    let ((_, review), ()) = tokio::join!(answer(&admission, Webhook::Binding, &body), late);
    assert!(review["response"]["patch"].is_string(), "{review}");
}

#[tokio::test(start_paused = true)]
async fn what_does_not_come_is_not_waited_for_long() {
    let (admission, _) = knowing(bound_to_nothing());
    let begin = Instant::now();
    let (_, review) = answer(&admission, Webhook::Binding, &review(create(&pod("nginx")))).await;
    assert_eq!(begin.elapsed().as_secs(), 2);
    assert_eq!(review["response"]["allowed"], true);
    assert!(review["response"]["patch"].is_null() && review["response"]["warnings"].is_array(), "{review}");
}

#[tokio::test(start_paused = true)]
async fn while_the_cluster_is_not_known_the_failure_policy_decides_about_pods_and_execs_pass() {
    let (events, _queue) = event::channel();
    let observed = Arc::new(watch::Sender::new(Observed::default()));
    let admission = Admission { observed, events, started: Instant::now() };
    let body = review(create(&pod("nginx")));
    assert_eq!(answer(&admission, Webhook::Binding, &body).await.0, 503);
    assert_eq!(answer(&admission, Webhook::Recording, &body).await.0, 503);
    assert_eq!(answer(&admission, Webhook::ExecMetadata, &body).await.0, 200);
}

#[tokio::test]
async fn a_dry_run_tells_nothing() {
    let (admission, mut queue) = knowing(World::new().recording("a.b", "SeccompProfile", "Bpf"));
    let mut request = create(&pod("nginx"));
    request["dryRun"] = true.into();
    answer(&admission, Webhook::Recording, &review(request)).await;
    assert!(queue.try_recv().is_err());
    answer(&admission, Webhook::Recording, &review(create(&pod("nginx")))).await;
    assert_eq!(queue.try_recv().unwrap().reason.as_str(), "NameNotDNSLabel");
}

/// Takes a value away, or puts another one in its place, anywhere in a document.
fn mutate(value: &mut Value, path: &[u8], with: &Value) {
    let children = match value {
        Value::Object(map) => map.values_mut().collect::<Vec<_>>(),
        Value::Array(list) => list.iter_mut().collect(),
        _ => Vec::new(),
    };
    let count = children.len();
    match path.split_first() {
        Some((step, rest)) if count > 0 => {
            if let Some(child) = children.into_iter().nth(usize::from(*step) % count) {
                mutate(child, rest, with);
            }
        }
        _ => *value = with.clone(),
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(null)),
        Just(json!([])),
        Just(json!({})),
        Just(json!([null])),
        Just(json!({"name": "main", "image": "nginx", "securityContext": {"seLinuxOptions": {}}})),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        Just(json!("CREATE")),
        Just(json!("ephemeralcontainers")),
    ]
}

fn a_busy_cluster() -> World {
    let world = ProfileKind::ALL.into_iter().fold(World::new(), |world, kind| {
        let name = kind.as_str().to_lowercase();
        world.profile(kind, "web", "Installed").binding(&name, kind, "web", "nginx").binding(
            &format!("{name}-all"),
            kind,
            "web",
            "*",
        )
    });
    let world = world.profile(ProfileKind::Seccomp, "log-enricher-trace", "Installed");
    ["SeccompProfile", "SelinuxProfile", "AppArmorProfile"].into_iter().fold(world, |world, kind| {
        let name = kind.to_lowercase();
        world.recording(&format!("{name}-logs"), kind, "Logs").recording(&format!("{name}-bpf"), kind, "Bpf")
    })
}

fn a_full_request() -> Value {
    let mut full = pod("nginx");
    full["metadata"]["annotations"] =
        json!({"io.containers.trace-logs/main": "x", "container.apparmor.security.beta.kubernetes.io/main": "y"});
    full["spec"]["initContainers"] = json!([{"name": "init", "image": "nginx", "env": [{"name": "A"}],
        "securityContext": {"seccompProfile": {"type": "Unconfined"}, "seLinuxOptions": {"level": "s0"}}}]);
    full["spec"]["ephemeralContainers"] = json!([{"name": "debug", "image": "nginx"}]);
    full["command"] = json!(["ls", "SPO_EXEC_REQUEST_UID=x"]);
    let mut request = create(&full);
    request["oldObject"] = full;
    request
}

proptest! {
    #[test]
    fn no_review_makes_it_panic_and_every_patch_of_a_pod_can_be_applied(
        changes in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..6), any_value()), 0..4),
    ) {
        let world = a_busy_cluster();
        let mut request = a_full_request();
        for (path, with) in &changes {
            mutate(&mut request, path, with);
        }
        let body = review(request.clone());
        let Ok(read) = review::read(&body) else { return Ok(()) };
        for webhook in ALL {
            let now = Now { uptime: Duration::ZERO, unix_seconds: 1, random: 7 };
            let decision = decide(webhook, &read.request, &world.observed, &now).unwrap();
            read.answer(&decision).unwrap();
            let object = &request["object"];
            let is_pod = object["metadata"].is_object()
                && object["spec"].is_object()
                && serde_json::from_value::<Pod>(object.clone()).is_ok();
            if let (true, Verdict::Allowed { patch, .. }) = (is_pod, &decision.verdict) {
                json_patch::patch(&mut request["object"].clone(), patch).unwrap();
            }
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in any::<prop::sample::Index>()) {
        let _ = review::read(&bytes);
        let whole = review(a_full_request());
        let mut cut_and_spoilt = whole[..cut.index(whole.len())].to_vec();
        cut_and_spoilt.extend(bytes);
        let _ = review::read(&cut_and_spoilt);
    }
}
