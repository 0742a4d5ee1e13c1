//! The Secrets: what is in them, and who put it there.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::ObjectMeta;
use spo_api::labels;

use super::authority::{Authority, AuthorityError, Issued};
use super::identity::{Pair, PairError};
use super::x509::Certificate;

/// The serving certificate, under the name it has in the reference.
pub(super) const SERVING: &str = "webhook-server-cert";
/// The certificate that daemons serve metrics with, under the name it has in the reference.
pub(super) const METRICS: &str = "metrics-server-cert";
/// The authority: apart, so that whoever mounts the serving certificate does not have the key that signs.
pub(super) const AUTHORITY: &str = "webhook-ca";

const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";
const BUNDLE: &str = "ca.crt";

/// What we write we label.
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
const MANAGER: &str = "spo-operator";
/// cert-manager's mark on a Secret that it keeps.
const CERT_MANAGER: &str = "cert-manager.io/certificate-name";
/// The marks of OpenShift's service CA, old and new.
const SERVICE_CA: [&str; 2] =
    ["service.beta.openshift.io/originating-service-name", "service.alpha.openshift.io/originating-service-name"];

/// Who keeps the serving certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// This operator.
    Ours,
    /// cert-manager, by a Certificate object.
    CertManager,
    /// OpenShift's service CA, by an annotation of the Service.
    ServiceCa,
    /// Somebody by hand: there is neither our mark nor one that we know.
    Another,
}

/// The serving certificate as it is stored.
#[derive(Debug)]
pub(super) struct Serving {
    pub(super) origin: Origin,
    pub(super) pair: Result<Pair, PairError>,
    /// The authorities that come with it; none if there are none, or none that can be read.
    pub(super) bundle: Vec<Certificate>,
}

/// What is in the Secret `webhook-ca`.
pub(super) fn authority(secret: &Secret) -> Result<Authority, AuthorityError> {
    Authority::parse(field(secret, CERTIFICATE), field(secret, KEY), field(secret, BUNDLE))
}

/// What is in the Secret `webhook-server-cert`, or that of metrics.
pub(super) fn serving(secret: &Secret) -> Serving {
    let pair = Pair::parse(field(secret, CERTIFICATE), field(secret, KEY));
    let bundle = Certificate::all(field(secret, BUNDLE)).unwrap_or_default();
    Serving { origin: origin(secret), pair, bundle }
}

fn origin(secret: &Secret) -> Origin {
    let annotated = |key: &str| secret.annotations().contains_key(key);
    if annotated(CERT_MANAGER) {
        Origin::CertManager
    } else if SERVICE_CA.into_iter().any(annotated) {
        Origin::ServiceCa
    } else if secret.labels().get(MANAGED_BY).is_some_and(|by| by == MANAGER) || is_empty(secret) {
        Origin::Ours
    } else {
        Origin::Another
    }
}

/// Made by somebody to be filled.
fn is_empty(secret: &Secret) -> bool {
    field(secret, CERTIFICATE).is_empty() && field(secret, KEY).is_empty()
}

fn field<'a>(secret: &'a Secret, key: &str) -> &'a [u8] {
    secret.data.as_ref().and_then(|data| data.get(key)).map_or(&[], |value| &value.0)
}

/// The Secret `webhook-ca` with this authority, in place of `old`.
pub(super) fn with_authority(old: Option<&Secret>, authority: &Authority) -> Secret {
    let certificate = Certificate::pem(std::slice::from_ref(&authority.certificate));
    written(AUTHORITY, old, &certificate, &authority.key, &authority.bundle)
}

/// The Secret `webhook-server-cert` with this certificate, in place of `old`.
pub(super) fn with_serving(old: Option<&Secret>, issued: &Issued, bundle: &[Certificate]) -> Secret {
    written(SERVING, old, &issued.certificate, &issued.key, bundle)
}

/// The same for the Secret of metrics.
pub(super) fn with_metrics(old: Option<&Secret>, issued: &Issued, bundle: &[Certificate]) -> Secret {
    written(METRICS, old, &issued.certificate, &issued.key, bundle)
}

/// `old` with another bundle.
pub(super) fn with_bundle(old: &Secret, bundle: &[Certificate]) -> Secret {
    let mut new = old.clone();
    let text = Certificate::pem(bundle).into_bytes();
    new.data.get_or_insert_default().insert(BUNDLE.to_owned(), ByteString(text));
    new
}

/// What else there is in a Secret stays, its version among it: the write fails if somebody wrote meanwhile.
fn written(name: &str, old: Option<&Secret>, certificate: &str, key: &str, bundle: &[Certificate]) -> Secret {
    let mut secret = old.cloned().unwrap_or_else(|| Secret {
        metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
        type_: Some("kubernetes.io/tls".to_owned()),
        ..Secret::default()
    });
    secret.labels_mut().insert(MANAGED_BY.to_owned(), MANAGER.to_owned());
    secret.labels_mut().insert(labels::APP.to_owned(), labels::APP_VALUE.to_owned());
    let bytes = |text: &str| ByteString(text.as_bytes().to_vec());
    secret.data = Some(BTreeMap::from([
        (CERTIFICATE.to_owned(), bytes(certificate)),
        (KEY.to_owned(), bytes(key)),
        (BUNDLE.to_owned(), bytes(&Certificate::pem(bundle))),
    ]));
    secret
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn secret(metadata: Value, certificate: &str) -> Secret {
        let bytes = ByteString(certificate.as_bytes().to_vec());
        serde_json::from_value(json!({"metadata": metadata, "data": {"tls.crt": bytes, "tls.key": bytes}})).unwrap()
    }

    #[rstest]
    #[case::ours(json!({"labels": {"app.kubernetes.io/managed-by": "spo-operator"}}), Origin::Ours)]
    #[case::by_hand(json!({}), Origin::Another)]
    #[case::of_another_program(json!({"labels": {"app.kubernetes.io/managed-by": "Helm"}}), Origin::Another)]
    #[case::cert_manager(json!({"annotations": {"cert-manager.io/certificate-name": "webhook-cert"}}), Origin::CertManager)]
    #[case::taken_over_by_cert_manager(
        json!({
            "labels": {"app.kubernetes.io/managed-by": "spo-operator"},
            "annotations": {"cert-manager.io/certificate-name": "webhook-cert"},
        }),
        Origin::CertManager
    )]
    #[case::openshift(
        json!({"annotations": {"service.beta.openshift.io/originating-service-name": "webhook-service"}}),
        Origin::ServiceCa
    )]
    fn who_keeps_a_secret_is_told_by_its_marks(#[case] metadata: Value, #[case] expected: Origin) {
        assert_eq!(serving(&secret(metadata, "certificate")).origin, expected);
    }

    #[test]
    fn a_secret_that_was_made_to_be_filled_is_ours_unless_somebody_is_about_to_fill_it() {
        assert_eq!(serving(&secret(json!({}), "")).origin, Origin::Ours);
        let waiting = json!({"annotations": {"cert-manager.io/certificate-name": "webhook-cert"}});
        assert_eq!(serving(&secret(waiting, "")).origin, Origin::CertManager);
    }

    #[test]
    fn what_else_there_is_in_a_secret_stays_when_it_is_written() {
        let old = secret(json!({"name": SERVING, "resourceVersion": "4", "labels": {"team": "a"}}), "");
        let issued = Issued { certificate: "c".to_owned(), key: "k".to_owned() };
        let new = with_serving(Some(&old), &issued, &[]);
        assert_eq!((new.resource_version().as_deref(), new.labels()["team"].as_str()), (Some("4"), "a"));
        assert_eq!(new.type_, old.type_, "the type of a Secret cannot be changed");
        assert_eq!(serving(&new).origin, Origin::Ours);
    }
}
