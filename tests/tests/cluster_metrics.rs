//! The metrics of the daemon on a cluster: by TLS with the certificate that the operator issued, for those who have the role, and moving
//! with what is installed.

use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::api::{GetParams, PostParams};
use kube::config::AuthInfo;
use kube::core::request::Request;
use kube::{Api, Client, Config, Error};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use spo_tests::cluster::Cluster;
use spo_tests::{ns, operator, profile, wait};

const SPEC: &str = "{defaultAction: SCMP_ACT_ERRNO, syscalls: [{names: [read], action: SCMP_ACT_ALLOW}]}";

/// A token of a service account.
async fn token(cluster: &Cluster, namespace: &str, account: &str) -> String {
    let accounts: Api<ServiceAccount> = Api::namespaced(cluster.client.clone(), namespace);
    wait::until(&accounts, account, "to be there", |_| true).await;
    let (params, request) = (PostParams::default(), TokenRequest::default());
    let made = accounts.create_token_request(account, &params, &request).await.expect("a token can be made");
    made.status.expect("a token that was made").token
}

/// What reads from the daemon with a token, trusting the authority beside the certificate of metrics and nobody else.
async fn reader(cluster: &Cluster, token: Option<String>) -> Client {
    let secrets: Api<Secret> = Api::namespaced(cluster.client.clone(), operator::NAMESPACE);
    let has_authority = |secret: &Secret| secret.data.iter().flatten().any(|(key, _)| key == "ca.crt");
    let secret = wait::until(&secrets, "metrics-server-cert", "to hold an authority", has_authority).await;
    let bundle = &secret.data.expect("a Secret with something in it")["ca.crt"].0;
    let authorities = CertificateDer::pem_slice_iter(bundle).map(|one| one.expect("a certificate").to_vec());
    let pod = operator::daemon_pod(cluster).await.expect("the daemon runs");
    let address = pod.status.and_then(|status| status.pod_ip).expect("a pod that is ready has an address");
    let mut config = Config::new(format!("https://{address}:9443").parse().expect("an address"));
    config.root_cert = Some(authorities.collect());
    config.tls_server_name = Some("metrics.security-profiles-operator.svc".to_owned());
    config.auth_info = AuthInfo { token: token.map(Into::into), ..AuthInfo::default() };
    Client::try_from(config).expect("a client")
}

async fn page(reader: &Client, name: &str) -> Result<String, Error> {
    let request = Request::new("").get(name, &GetParams::default()).expect("a request");
    reader.request_text(request).await
}

/// A page that may be read. Until the kubelet has put the certificate into the pod there is no connection.
async fn shown(reader: &Client, name: &str) -> String {
    wait::until_seen_by("a page of metrics", async || match page(reader, name).await {
        Ok(text) => Some(text),
        Err(Error::Api(status)) => panic!("refused: {status}"),
        Err(_) => None,
    })
    .await
}

async fn refusal(reader: &Client, name: &str) -> (u16, String) {
    match page(reader, name).await {
        Err(Error::Api(status)) => (status.code, status.message),
        other => panic!("not refused: {other:?}"),
    }
}

/// How often a profile was saved, and removed.
fn counted(page: &str) -> (u64, u64) {
    let of = |operation: &str| {
        let series = format!("security_profiles_operator_seccomp_profile_total{{operation=\"{operation}\"}} ");
        let count = page.lines().find_map(|line| line.strip_prefix(&series));
        count.unwrap_or_else(|| panic!("{operation} is not counted in\n{page}")).parse().expect("a number")
    };
    (of("update"), of("delete"))
}

#[tokio::test]
async fn s10_metrics_move_with_profiles_and_are_for_those_who_have_the_role() {
    let Some(cluster) = operator::cluster().await else { return };
    operator::daemon_ready(&cluster).await;
    // With the role by the manifests.
    let reader_with_role = reader(&cluster, Some(token(&cluster, operator::NAMESPACE, "default").await)).await;
    let before = counted(&shown(&reader_with_role, "metrics-spod").await);

    let made = profile::create(&cluster, &profile::of("counted", SPEC)).await;
    profile::installed(&cluster, &made).await;
    let after_install = counted(&shown(&reader_with_role, "metrics-spod").await);
    assert!(after_install.0 > before.0, "{before:?} {after_install:?}");
    profile::delete(&cluster, "counted").await;
    wait::until_seen_by("a removal to be counted", async || {
        let now = counted(&shown(&reader_with_role, "metrics-spod").await);
        (now.1 > after_install.1).then_some(())
    })
    .await;

    let text = shown(&reader_with_role, "metrics-spod").await;
    assert!(text.contains("\npromhttp_metric_handler_requests_total{code=\"200\"} "), "{text}");
    let text = shown(&reader_with_role, "metrics").await;
    assert!(text.contains("controller_runtime_reconcile_total{controller=\"seccomp-spod\""), "{text}");
    assert!(text.contains("\nprocess_resident_memory_bytes "), "{text}");

    let nobody = reader(&cluster, None).await;
    let namespace = ns::create(&cluster.client).await;
    let without_role = reader(&cluster, Some(token(&cluster, &namespace, "default").await)).await;
    let forged = reader(&cluster, Some("abc.def.ghi".to_owned())).await;
    for name in ["metrics", "metrics-spod"] {
        let (code, says) = refusal(&nobody, name).await;
        assert!(code == 401 && says.contains("send `Authorization: Bearer`"), "{code} {says}");
        let (code, says) = refusal(&forged, name).await;
        assert!(code == 401 && says.contains("not valid in this cluster"), "{code} {says}");
        let (code, says) = refusal(&without_role, name).await;
        let who = format!("system:serviceaccount:{namespace}:default may not get /{name}");
        assert!(code == 403 && says.contains(&who) && says.contains("spo-metrics-client"), "{code} {says}");
    }
    ns::delete(&cluster.client, &namespace).await;
}
