//! Each rule, from an empty cluster to clocks that are wrong.

use std::collections::BTreeMap;

use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Secret;
use rstest::rstest;
use serde_json::json;

use super::super::authority::Issued;
use super::super::consumer::Kind;
use super::super::secret;
use super::*;
use crate::definition::Definition;

const NAMESPACE: &str = "spo";
const NAME: &str = "webhook-service.spo.svc";
const METRICS_NAME: &str = "metrics.spo.svc";

fn now() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

fn wanted() -> Wanted {
    Wanted {
        namespace: NAMESPACE.to_owned(),
        names: [NAME.to_owned()].into(),
        metrics: [METRICS_NAME.to_owned()].into(),
    }
}

fn valid(from: Timestamp, life: SignedDuration) -> Validity {
    Validity { not_before: from, not_after: later(from, life) }
}

/// An authority that was made at `from`, beside older ones.
fn authority(from: Timestamp, beside: &[Certificate]) -> Authority {
    Authority::make(valid(earlier(from, HOUR), AUTHORITY_LIFE), beside).unwrap()
}

fn issued(by: &Authority, from: Timestamp) -> Issued {
    let not_after = later(from, SERVING_LIFE).min(by.certificate.not_after);
    by.issue(&wanted().names, Validity { not_before: by.certificate.not_before, not_after }).unwrap()
}

fn serving(issued: &Issued, bundle: &[Certificate]) -> Serving {
    secret::serving(&secret::with_serving(None, issued, bundle))
}

/// The definition of a kind, with what its API server trusts when it calls us.
fn definition(bundle: &[Certificate], annotations: &[(&str, &str)], namespace: &str) -> Consumer {
    let text = k8s_openapi::ByteString(Certificate::pem(bundle).into_bytes());
    let definition: Definition = serde_json::from_value(json!({
        "metadata": {
            "name": "seccompprofiles.security-profiles-operator.x-k8s.io",
            "resourceVersion": "7",
            "annotations": annotations.iter().copied().collect::<BTreeMap<_, _>>(),
        },
        "spec": {"group": spo_api::GROUP, "names": {"kind": "SeccompProfile", "plural": "seccompprofiles"},
            "conversion": {"strategy": "Webhook", "webhook": {
            "conversionReviewVersions": ["v1"],
            "clientConfig": {
                "caBundle": text,
                "service": {"name": "webhook-service", "namespace": namespace, "path": "/convert"},
            },
        }}},
    }))
    .unwrap();
    Consumer::of_definition(definition).unwrap()
}

fn trusting(bundle: &[Certificate]) -> Consumer {
    definition(bundle, &[], NAMESPACE)
}

/// A cluster in which everything is as it should be since `from`.
fn steady(from: Timestamp) -> Observed {
    let authority = authority(from, &[]);
    let serving = serving(&issued(&authority, from), &authority.bundle);
    let consumers = vec![trusting(&authority.bundle)];
    Observed {
        authority: Some(Ok(authority)),
        serving: Some(serving),
        consumers,
        trusted_for: Some(Duration::from_secs(3600)),
        // Nothing is planned for what is not known.
        metrics: Metrics::Unknown,
    }
}

fn of(seen: &Observed) -> &Authority {
    seen.authority.as_ref().unwrap().as_ref().unwrap()
}

fn actions(seen: &Observed, now: Timestamp) -> Vec<Action> {
    plan(seen, &wanted(), now).actions
}

fn names(actions: &[Action]) -> Vec<&'static str> {
    let name = |action: &Action| match action {
        Action::MakeAuthority { .. } => "authority",
        Action::Forget { .. } => "forget",
        Action::Patch { .. } => "patch",
        Action::Issue { .. } => "issue",
        Action::CopyBundle => "copy",
        Action::IssueMetrics { .. } => "issue for metrics",
        Action::CopyMetricsBundle => "copy for metrics",
    };
    actions.iter().map(name).collect()
}

/// Does what is planned, until nothing is. Gives back the names of what was done.
fn settle(seen: &mut Observed, now: Timestamp) -> Vec<&'static str> {
    let mut done = Vec::new();
    for _ in 0..12 {
        let actions = actions(seen, now);
        if actions.is_empty() {
            return done;
        }
        done.extend(names(&actions));
        actions.into_iter().for_each(|action| carry_out(seen, action));
    }
    panic!("never settles: {done:?}");
}

fn carry_out(seen: &mut Observed, action: Action) {
    match action {
        Action::MakeAuthority { valid, beside } => {
            seen.authority = Some(Ok(Authority::make(valid, &beside).unwrap()));
        }
        Action::Forget { bundle } => {
            let old = of(seen);
            let certificate = Certificate::pem(std::slice::from_ref(&old.certificate));
            let text = Certificate::pem(&bundle);
            seen.authority = Some(Authority::parse(certificate.as_bytes(), old.key.as_bytes(), text.as_bytes()));
        }
        Action::Patch { .. } => {
            let asks: &[_] = match seen.consumers[0].asks {
                Some(_) => &[("cert-manager.io/inject-ca-from", "spo/webhook-cert")],
                None => &[],
            };
            seen.consumers = vec![definition(&of(seen).bundle, asks, NAMESPACE)];
        }
        Action::Issue { valid, names } => {
            let issued = of(seen).issue(&names, valid).unwrap();
            seen.serving = Some(serving(&issued, &of(seen).bundle));
        }
        Action::IssueMetrics { valid, names } => {
            let issued = of(seen).issue(&names, valid).unwrap();
            let secret = secret::with_metrics(None, &issued, &of(seen).bundle);
            seen.metrics = Metrics::There(secret::serving(&secret));
        }
        Action::CopyMetricsBundle => {
            let bundle = of(seen).bundle.clone();
            let Metrics::There(there) = &mut seen.metrics else { panic!("nothing to copy to") };
            there.bundle = bundle;
        }
        Action::CopyBundle => {
            let bundle = of(seen).bundle.clone();
            seen.serving.as_mut().unwrap().bundle = bundle;
        }
    }
}

/// What must hold at every moment: whoever calls us accepts what we serve.
fn is_accepted(seen: &Observed, now: Timestamp) -> bool {
    let chain = &seen.serving.as_ref().unwrap().pair.as_ref().unwrap().chain;
    let name = named(NAME).unwrap();
    seen.consumers.iter().flat_map(|one| &one.calls).all(|call| x509::accepts(&call.bundle, chain, &name, now))
}

#[test]
fn in_an_empty_cluster_an_authority_is_made_then_a_certificate_and_trust_in_it() {
    let consumers = vec![trusting(&[])];
    let mut seen = Observed { authority: None, serving: None, consumers, trusted_for: None, metrics: Metrics::Unknown };
    assert_eq!(settle(&mut seen, now()), ["authority", "patch", "issue"]);
    assert!(is_accepted(&seen, now()));
}

#[test]
fn where_all_is_well_nothing_is_written() {
    let seen = steady(now());
    for day in [0, 1, 59] {
        assert_eq!(actions(&seen, later(now(), days(day))), [], "day {day}");
    }
}

#[test]
fn a_certificate_is_followed_by_another_after_two_thirds_of_its_life() {
    let mut seen = steady(now());
    let day_61 = later(now(), days(61));
    assert_eq!(settle(&mut seen, day_61), ["issue"]);
    assert!(is_accepted(&seen, day_61));
    let end = seen.serving.as_ref().unwrap().pair.as_ref().unwrap().chain[0].not_after;
    assert_eq!(end, later(day_61, SERVING_LIFE));
}

#[test]
fn an_authority_is_followed_by_another_and_at_no_moment_is_a_certificate_refused() {
    let start = now();
    let mut seen = steady(start);
    let year_9 = later(start, days(3286));
    // Certificates were renewed all along.
    let last = issued(of(&seen), year_9);
    seen.serving = Some(serving(&last, &of(&seen).bundle));
    seen.trusted_for = None;

    let made = actions(&seen, year_9);
    assert_eq!(names(&made), ["authority"]);
    made.into_iter().for_each(|action| carry_out(&mut seen, action));
    assert_eq!(of(&seen).bundle.len(), 2, "the old one is still trusted");
    assert!(is_accepted(&seen, year_9));

    let trusted = actions(&seen, year_9);
    assert_eq!(names(&trusted), ["patch"], "the certificate waits for the consumers");
    trusted.into_iter().for_each(|action| carry_out(&mut seen, action));
    assert!(is_accepted(&seen, year_9));

    assert_eq!(actions(&seen, year_9), [], "and for API servers to notice");
    seen.trusted_for = Some(SPREAD);
    assert_eq!(settle(&mut seen, year_9), ["issue"]);
    assert!(is_accepted(&seen, year_9));

    let next_day = later(year_9, days(2));
    assert_eq!(settle(&mut seen, next_day), ["forget", "patch", "copy"]);
    assert_eq!(of(&seen).bundle.len(), 1);
    assert!(is_accepted(&seen, next_day));
}

#[test]
fn a_consumer_that_cannot_be_told_holds_the_next_certificate_back_until_a_day_before_the_end() {
    let mut seen = steady(now());
    seen.authority = Some(Ok(authority(now(), &of(&seen).bundle)));
    seen.trusted_for = None;
    let day = |n| names(&actions(&seen, later(now(), days(n))));
    assert_eq!(day(1), ["patch"]);
    assert_eq!(day(88), ["patch"]);
    assert_eq!(names(&actions(&seen, later(now(), days(89)))), ["patch", "issue"]);
}

#[rstest]
#[case::forward_past_the_certificate(days(100))]
#[case::forward_past_the_authority(days(5000))]
#[case::back_before_both(days(-30))]
#[case::back_by_decades(days(-15_000))]
fn a_clock_that_jumps_is_followed_and_whoever_has_the_right_time_accepts_the_result(#[case] jump: SignedDuration) {
    let mut seen = steady(now());
    let wrong = later(now(), jump);
    assert!(!settle(&mut seen, wrong).is_empty());
    assert!(is_accepted(&seen, wrong), "by the wrong clock");
    assert_eq!(actions(&seen, wrong), []);
    settle(&mut seen, now());
    assert!(is_accepted(&seen, now()), "by the right one");
    assert_eq!(settle(&mut seen, wrong), [] as [&str; 0], "two processes that disagree do not fight");
}

#[test]
fn an_hour_of_difference_between_clocks_is_nothing() {
    let seen = steady(now());
    assert_eq!(actions(&seen, earlier(now(), SignedDuration::from_mins(59))), []);
}

#[test]
fn without_the_authority_the_certificate_stays_in_use_until_its_successor_is_trusted() {
    let mut seen = steady(now());
    seen.authority = None;
    let made = actions(&seen, now());
    assert_eq!(names(&made), ["authority"]);
    made.into_iter().for_each(|action| carry_out(&mut seen, action));
    assert_eq!(of(&seen).bundle.len(), 2, "what it was issued by is known from its own Secret");
    assert_eq!(settle(&mut seen, now()), ["patch", "issue"]);
    assert!(is_accepted(&seen, now()));
}

fn tampered(change: impl Fn(&mut BTreeMap<String, k8s_openapi::ByteString>)) -> Secret {
    let authority = authority(now(), &[]);
    let mut secret = secret::with_serving(None, &issued(&authority, now()), &authority.bundle);
    change(secret.data.as_mut().unwrap());
    secret
}

fn put(field: &'static str, text: &str) -> impl Fn(&mut BTreeMap<String, k8s_openapi::ByteString>) {
    let bytes = k8s_openapi::ByteString(text.as_bytes().to_vec());
    move |data| _ = data.insert(field.to_owned(), bytes.clone())
}

#[rstest]
#[case::no_certificate(tampered(|data| _ = data.remove("tls.crt")))]
#[case::no_key(tampered(|data| _ = data.remove("tls.key")))]
#[case::nothing(tampered(BTreeMap::clear))]
#[case::garbage(tampered(put("tls.crt", "garbage")))]
#[case::damaged(tampered(put("tls.crt", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")))]
#[case::key_of_another(tampered(put("tls.key", &issued(&authority(now(), &[]), now()).key)))]
#[case::of_another_authority(tampered(|_| {}))]
fn a_certificate_of_ours_that_was_tampered_with_is_issued_anew(#[case] secret: Secret) {
    let mut seen = steady(now());
    seen.serving = Some(secret::serving(&secret));
    assert_eq!(settle(&mut seen, now()), ["issue"]);
    assert!(is_accepted(&seen, now()));
}

#[rstest]
#[case::garbage("tls.crt", "garbage")]
#[case::no_key("tls.key", "")]
#[case::no_bundle("ca.crt", "")]
#[case::no_authority("tls.crt", &issued(&authority(now(), &[]), now()).certificate)]
fn an_authority_that_was_tampered_with_is_made_anew(#[case] field: &'static str, #[case] text: &str) {
    let mut seen = steady(now());
    let mut secret = secret::with_authority(None, of(&seen));
    put(field, text)(secret.data.as_mut().unwrap());
    seen.authority = Some(secret::authority(&secret));
    assert_eq!(settle(&mut seen, now()), ["authority", "patch", "issue"]);
    assert!(is_accepted(&seen, now()));
}

#[test]
fn names_that_were_added_are_issued_for_and_those_of_another_process_are_kept() {
    let mut seen = steady(now());
    let more = Wanted { names: [NAME.to_owned(), "10.0.0.9".to_owned()].into(), ..wanted() };
    let Some(Action::Issue { names, valid }) = plan(&seen, &more, now()).actions.pop() else { panic!("not issued") };
    assert_eq!(names, more.names);
    carry_out(&mut seen, Action::Issue { names, valid });
    assert_eq!(plan(&seen, &more, now()).actions, []);
    assert_eq!(plan(&seen, &wanted(), now()).actions, [], "one that wants fewer does not fight");
    let later_on = later(now(), days(61));
    let Some(Action::Issue { names, .. }) = actions(&seen, later_on).pop() else { panic!("not issued") };
    assert_eq!(names, more.names);
}

#[test]
fn w_op_8_a_consumer_is_pointed_at_the_namespace_that_the_operator_runs_in() {
    let mut seen = steady(now());
    seen.consumers = vec![definition(&of(&seen).bundle, &[], "security-profiles-operator")];
    let [Action::Patch { patch, .. }] = &actions(&seen, now())[..] else { panic!("not patched") };
    assert_eq!(
        *patch,
        json!({
            "metadata": {"resourceVersion": "7"},
            "spec": {"conversion": {"webhook": {"clientConfig": {"service": {"namespace": NAMESPACE}}}}},
        })
    );
}

#[test]
fn each_webhook_of_a_configuration_is_patched_by_its_name() {
    let mut seen = steady(now());
    let bundle = k8s_openapi::ByteString(Certificate::pem(&of(&seen).bundle).into_bytes());
    let webhook = |name: &str, bundle: &k8s_openapi::ByteString| {
        json!({"name": name, "sideEffects": "None", "admissionReviewVersions": ["v1"],
            "clientConfig": {"caBundle": bundle, "service": {"name": "webhook-service", "namespace": NAMESPACE}}})
    };
    let placeholder = k8s_openapi::ByteString(b"\n".to_vec());
    let configuration: MutatingWebhookConfiguration = serde_json::from_value(json!({
        "metadata": {"name": "spo-mutating-webhook-configuration", "resourceVersion": "3"},
        "webhooks": [webhook("binding.spo.io", &bundle), webhook("recording.spo.io", &placeholder)],
    }))
    .unwrap();
    seen.consumers = vec![Consumer::of_mutating(configuration)];
    let [Action::Patch { consumer, patch }] = &actions(&seen, now())[..] else { panic!("not patched") };
    assert_eq!(consumer.kind, Kind::Mutating);
    let change = json!({"name": "recording.spo.io", "clientConfig": {"caBundle": bundle}});
    assert_eq!(*patch, json!({"metadata": {"resourceVersion": "3"}, "webhooks": [change]}));
}

const INJECTED: &[(&str, &str)] = &[("cert-manager.io/inject-ca-from", "security-profiles-operator/webhook-cert")];

#[test]
fn what_cert_manager_filled_in_is_left_alone_and_said_to_be_wrong() {
    let mut seen = steady(now());
    let another = authority(now(), &[]);
    seen.consumers = vec![definition(&another.bundle, INJECTED, NAMESPACE)];
    let plan = plan(&seen, &wanted(), now());
    assert_eq!(plan.actions, []);
    assert!(plan.warnings[0].contains("seccompprofiles"), "{:?}", plan.warnings);
}

/// An installation that came from the reference keeps the annotation, whether or not there is a cert-manager.
#[test]
fn w_api_4_what_nobody_filled_in_is_filled_in_by_us_and_kept_up_to_date() {
    let mut seen = steady(now());
    seen.consumers = vec![definition(&[], INJECTED, NAMESPACE)];
    assert_eq!(settle(&mut seen, now()), ["patch"]);
    assert!(is_accepted(&seen, now()));
    seen.authority = Some(Ok(authority(now(), &of(&seen).bundle)));
    assert_eq!(settle(&mut seen, now()), ["patch", "issue"]);
    assert!(is_accepted(&seen, now()));
}

fn kept_by(annotation: Option<&str>, from: Timestamp) -> (Serving, Authority) {
    let another = authority(from, &[]);
    let mut secret = secret::with_serving(None, &issued(&another, from), &another.bundle);
    secret.metadata.labels = None;
    secret.metadata.annotations = annotation.map(|key| [(key.to_owned(), "webhook-cert".to_owned())].into());
    (secret::serving(&secret), another)
}

#[rstest]
#[case::cert_manager(Some("cert-manager.io/certificate-name"))]
#[case::by_hand(None)]
fn a_certificate_that_somebody_else_keeps_is_trusted_and_never_written(#[case] annotation: Option<&str>) {
    let mut seen = steady(now());
    let (serving, another) = kept_by(annotation, now());
    seen.serving = Some(serving);
    let [Action::Patch { patch, .. }] = &actions(&seen, now())[..] else { panic!("not patched") };
    let text = k8s_openapi::ByteString(Certificate::pem(&another.bundle).into_bytes());
    assert_eq!(patch["spec"]["conversion"]["webhook"]["clientConfig"]["caBundle"], json!(text));
    seen.consumers = vec![trusting(&another.bundle)];
    let quiet = plan(&seen, &wanted(), now());
    assert_eq!((quiet.actions, quiet.warnings), (vec![], vec![]));
    let late = plan(&seen, &wanted(), later(now(), days(85)));
    assert_eq!(late.actions, [], "not even when it is about to expire");
    assert!(late.warnings[0].contains("is valid from"), "{:?}", late.warnings);
}

#[test]
fn w_api_4_on_openshift_every_consumer_is_made_to_ask_for_the_service_ca() {
    let mut seen = steady(now());
    seen.serving = Some(kept_by(Some("service.beta.openshift.io/originating-service-name"), now()).0);
    seen.consumers = vec![definition(&[], INJECTED, NAMESPACE)];
    let [Action::Patch { patch, .. }] = &actions(&seen, now())[..] else { panic!("not asked") };
    assert_eq!(patch["metadata"]["annotations"]["service.beta.openshift.io/inject-cabundle"], "true");
}

#[test]
fn a_certificate_of_somebody_else_that_cannot_be_served_is_said_and_left() {
    let mut seen = steady(now());
    let (mut serving, _) = kept_by(Some("cert-manager.io/certificate-name"), now());
    serving.pair = Err(super::super::identity::PairError::Key("none".to_owned()));
    serving.bundle = Vec::new();
    seen.serving = Some(serving);
    let plan = plan(&seen, &wanted(), now());
    assert_eq!(plan.actions, []);
    assert!(plan.warnings[0].contains("cannot be served"), "{:?}", plan.warnings);
}

/// Whether whoever has the copy of the bundle accepts what metrics are served with.
fn reads_metrics(seen: &Observed, now: Timestamp) -> bool {
    let Metrics::There(there) = &seen.metrics else { return false };
    let chain = &there.pair.as_ref().unwrap().chain;
    x509::accepts(&there.bundle, chain, &named(METRICS_NAME).unwrap(), now)
}

#[test]
fn metrics_get_a_certificate_of_the_same_authority_that_is_followed_by_another_in_time() {
    let mut seen = Observed { metrics: Metrics::Missing, ..steady(now()) };
    assert_eq!(settle(&mut seen, now()), ["issue for metrics"]);
    assert!(reads_metrics(&seen, now()) && is_accepted(&seen, now()));
    let day_61 = later(now(), days(61));
    assert_eq!(settle(&mut seen, day_61), ["issue", "issue for metrics"]);
    assert!(reads_metrics(&seen, day_61));
    let mut lost = Observed { authority: None, ..seen };
    let done = settle(&mut lost, day_61);
    assert!(done.contains(&"issue for metrics") && reads_metrics(&lost, day_61), "{done:?}");
}

#[test]
fn where_somebody_else_keeps_the_certificate_of_webhooks_metrics_still_get_one() {
    let (serving, another) = kept_by(Some("cert-manager.io/certificate-name"), now());
    let consumers = vec![trusting(&another.bundle)];
    let mut seen =
        Observed { authority: None, serving: Some(serving), consumers, trusted_for: None, metrics: Metrics::Missing };
    assert_eq!(settle(&mut seen, now()), ["authority", "issue for metrics"]);
    assert!(reads_metrics(&seen, now()) && is_accepted(&seen, now()));
}

#[test]
fn a_certificate_of_metrics_that_somebody_else_keeps_is_never_written() {
    let (serving, _) = kept_by(Some("cert-manager.io/certificate-name"), now());
    let seen = Observed { metrics: Metrics::There(serving), ..steady(now()) };
    let plan = plan(&seen, &wanted(), now());
    assert_eq!(plan.actions, []);
    assert!(plan.warnings[0].contains("metrics-server-cert") && plan.warnings[0].contains("is not for"), "{plan:?}");
}
