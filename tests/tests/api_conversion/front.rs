//! The API server with our webhook behind its definitions.

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::json;
use spo_api::Kind;
use spo_tests::api::process::{self, Process};
use spo_tests::api::server::Server;
use spo_tests::wait;

use crate::kinds::{PLACE, api};

/// An API server whose definitions name our webhook.
pub(crate) struct Front {
    pub(crate) server: Server,
    /// Where the webhook listens, on 127.0.0.1.
    pub(crate) port: u16,
}

impl Front {
    /// Takes the test's turn, and starts the webhook. Without an API server the test is skipped.
    pub(crate) async fn take() -> Option<(Self, Process)> {
        let front = Self::without_webhook().await?;
        let webhook = front.webhook();
        front.is_trusted().await;
        Some((front, webhook))
    }

    /// The same before the webhook is started.
    pub(crate) async fn without_webhook() -> Option<Self> {
        let front = Self { server: Server::take().await?, port: process::free_port() };
        front.clear().await;
        front.point().await;
        Some(front)
    }

    /// Starts the webhook.
    pub(crate) fn webhook(&self) -> Process {
        process::webhook(&self.server, self.port)
    }

    /// Has the API server ask our webhook.
    pub(crate) async fn point(&self) {
        self.server.define(&self.server.converted_at(self.port)).await.unwrap();
    }

    pub(crate) fn definitions(&self) -> Api<CustomResourceDefinition> {
        Api::all(self.server.client.clone())
    }

    /// Waits until every definition holds the CA of the webhook's certificate, and the webhook answers.
    pub(crate) async fn is_trusted(&self) {
        for kind in Kind::ALL {
            wait::until(&self.definitions(), &kind.crd_name(), "to hold a CA", |crd| {
                let conversion = crd.spec.conversion.as_ref().and_then(|conversion| conversion.webhook.as_ref());
                conversion.and_then(|webhook| webhook.client_config.as_ref()?.ca_bundle.as_ref()).is_some()
            })
            .await;
        }
    }

    /// Takes away what earlier tests left.
    async fn clear(&self) {
        let namespaces: Api<Namespace> = Api::all(self.server.client.clone());
        let place = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": PLACE}});
        namespaces.patch(PLACE, &PatchParams::apply("tests").force(), &Patch::Apply(place)).await.unwrap();
        for kind in Kind::ALL {
            let objects = api(&self.server.client, kind, "v1");
            objects.delete_collection(&DeleteParams::default(), &ListParams::default()).await.unwrap();
        }
    }
}
