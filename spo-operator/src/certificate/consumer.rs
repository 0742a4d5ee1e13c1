//! Whoever has to trust the serving certificate: the definitions and webhook configurations by which an API server calls us.

use std::fmt;

use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ServiceReference, ValidatingWebhookConfiguration, WebhookClientConfig,
};
use kube::api::ObjectMeta;
use serde_json::{Value, json};

use super::secret::Origin;
use super::x509::Certificate;
use crate::definition::Definition;

/// The Service by which API servers reach us, under the name it has in the reference.
pub(super) const SERVICE: &str = "webhook-service";
/// Annotations by which cert-manager is asked to fill in a bundle.
const CERT_MANAGER: [&str; 3] =
    ["cert-manager.io/inject-ca-from", "cert-manager.io/inject-ca-from-secret", "cert-manager.io/inject-apiserver-ca"];
/// The annotation by which OpenShift's service CA is asked to.
const SERVICE_CA: &str = "service.beta.openshift.io/inject-cabundle";

/// The kind of a consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Definition,
    Mutating,
    Validating,
}

/// Which object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id {
    pub(super) kind: Kind,
    pub(super) name: String,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Definition => "CustomResourceDefinition",
            Kind::Mutating => "MutatingWebhookConfiguration",
            Kind::Validating => "ValidatingWebhookConfiguration",
        };
        write!(f, "{kind} {}", self.name)
    }
}

/// One object that names us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Consumer {
    pub(super) id: Id,
    pub(super) version: String,
    /// Who was asked to fill in the bundle.
    pub(super) asks: Option<Origin>,
    pub(super) calls: Vec<Call>,
}

/// One place of it that says how we are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    /// The name of the webhook. A definition has one call, without a name.
    webhook: Option<String>,
    /// Empty if there is nothing, or nothing that can be read.
    pub(super) bundle: Vec<Certificate>,
    /// The namespace of the Service, if it is ours by name.
    namespace: Option<String>,
}

impl Consumer {
    /// None if objects of this kind are not converted, or not by a webhook.
    pub(super) fn of_definition(definition: Definition) -> Option<Self> {
        let config = definition.spec.conversion?.webhook?.client_config?;
        let call = Call::new(None, config.ca_bundle, config.service.map(|service| (service.name, service.namespace)));
        Some(Self::new(Kind::Definition, definition.metadata, vec![call]))
    }

    pub(super) fn of_mutating(configuration: MutatingWebhookConfiguration) -> Self {
        let webhooks = configuration.webhooks.unwrap_or_default();
        let calls = webhooks.into_iter().map(|webhook| called(webhook.name, webhook.client_config));
        Self::new(Kind::Mutating, configuration.metadata, calls.collect())
    }

    pub(super) fn of_validating(configuration: ValidatingWebhookConfiguration) -> Self {
        let webhooks = configuration.webhooks.unwrap_or_default();
        let calls = webhooks.into_iter().map(|webhook| called(webhook.name, webhook.client_config));
        Self::new(Kind::Validating, configuration.metadata, calls.collect())
    }

    fn new(kind: Kind, metadata: ObjectMeta, calls: Vec<Call>) -> Self {
        let annotations = metadata.annotations.unwrap_or_default();
        let asks = if annotations.contains_key(SERVICE_CA) {
            Some(Origin::ServiceCa)
        } else if CERT_MANAGER.into_iter().any(|key| annotations.contains_key(key)) {
            Some(Origin::CertManager)
        } else {
            None
        };
        let id = Id { kind, name: metadata.name.unwrap_or_default() };
        Self { id, version: metadata.resource_version.unwrap_or_default(), asks, calls }
    }

    /// The patch that asks OpenShift to fill in its bundle.
    pub(super) fn ask_service_ca(&self) -> Value {
        json!({"metadata": {"resourceVersion": self.version, "annotations": {SERVICE_CA: "true"}}})
    }

    /// Whether each of its calls trusts the authority.
    pub(super) fn trusts(&self, authority: &Certificate) -> bool {
        self.calls.iter().all(|call| call.bundle.contains(authority))
    }

    /// The patch that gives it `bundle` and the namespace that we are in, if it still is as it was seen; none if it has both.
    ///
    /// Where somebody else was asked to fill in the bundle, it is filled in by us as long as nobody has, and what we filled in
    /// is kept up to date; a bundle with a certificate that is not in `ours` is somebody else's.
    pub(super) fn patch(&self, bundle: &[Certificate], ours: &[Certificate], namespace: &str) -> Option<Value> {
        let fed = |call: &Call| self.asks.is_some() && !call.bundle.iter().all(|one| ours.contains(one));
        let mut changes = self.calls.iter().filter_map(|call| {
            let bundle = Some(bundle).filter(|bundle| !bundle.is_empty() && !fed(call));
            Some((call, call.change(bundle, namespace)?))
        });
        let mut patch = match self.id.kind {
            Kind::Definition => {
                changes.next_back().map(|(_, change)| json!({"spec": {"conversion": {"webhook": change}}}))?
            }
            Kind::Mutating | Kind::Validating => {
                let webhooks: Vec<Value> = changes.map(|(call, change)| call.named(change)).collect();
                (!webhooks.is_empty()).then(|| json!({"webhooks": webhooks}))?
            }
        };
        patch["metadata"] = json!({"resourceVersion": self.version});
        Some(patch)
    }
}

impl Call {
    fn new(webhook: Option<String>, bundle: Option<ByteString>, service: Option<(String, String)>) -> Self {
        let bundle = bundle.and_then(|text| Certificate::all(&text.0).ok()).unwrap_or_default();
        let namespace = service.filter(|(name, _)| name == SERVICE).map(|(_, namespace)| namespace);
        Self { webhook, bundle, namespace }
    }

    /// What of it has to be changed.
    fn change(&self, bundle: Option<&[Certificate]>, namespace: &str) -> Option<Value> {
        let mut change = json!({});
        if let Some(bundle) = bundle.filter(|bundle| *bundle != self.bundle) {
            change["caBundle"] = json!(ByteString(Certificate::pem(bundle).into_bytes()));
        }
        if self.namespace.as_deref().is_some_and(|current| current != namespace) {
            change["service"] = json!({"namespace": namespace});
        }
        (change != json!({})).then(|| json!({"clientConfig": change}))
    }

    fn named(&self, mut change: Value) -> Value {
        change["name"] = json!(self.webhook);
        change
    }
}

fn called(webhook: String, config: WebhookClientConfig) -> Call {
    let service = config.service.map(|ServiceReference { name, namespace, .. }| (name, namespace));
    Call::new(Some(webhook), config.ca_bundle, service)
}
