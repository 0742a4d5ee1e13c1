//! The loop that keeps certificates: it observes, has a plan made, and carries it out.
//!
//! Every process serves what is in the Secret; of each Deployment one writes. Nothing depends on there being only one: each write
//! fails if somebody else wrote since the object was read, and the plan is made anew then.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use jiff::Timestamp;
use k8s_openapi::api::admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams, PostParams};
use kube::runtime::watcher::Event;
use kube::{Api, Client};
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use super::authority::{Authority, AuthorityError};
use super::consumer::{Id, Kind, SERVICE};
use super::identity::Identity;
use super::metrics;
use super::plan::{self, Action, Wanted};
use super::secret;
use super::world::{self, Object, Source, World};
use super::x509::Certificate;
use crate::definition::Definition;

/// The name under which this part owns fields.
const FIELD_MANAGER: &str = "spo-operator-certificates";
/// A request that takes longer is given up; the plan is made anew then.
const TIMEOUT: Duration = Duration::from_secs(10);
/// After something was written, the next look is not at once, and ever later while there is something to write: two programs that
/// disagree about an object do not keep the API server busy.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// What keeps the certificates.
pub(crate) struct Keeper {
    client: Client,
    wanted: Wanted,
    identity: Arc<Identity>,
    /// Whether this process writes.
    leading: watch::Receiver<bool>,
    world: World,
    /// The authority that every consumer trusts, and since when.
    trusted: Option<(Certificate, Instant)>,
    /// How many rounds have written something, one after the other.
    busy: u32,
    warnings: Vec<String>,
}

/// A write that did not happen.
#[derive(Debug, thiserror::Error)]
enum KeepError {
    #[error("the API server did not take it")]
    Request(#[from] kube::Error),
    #[error("the API server did not answer within {} seconds", TIMEOUT.as_secs())]
    Timeout(#[from] tokio::time::error::Elapsed),
    #[error("the authority in Secret {} cannot be used", secret::AUTHORITY)]
    Authority(#[from] AuthorityError),
    #[error("the Secret {0} is gone")]
    Gone(&'static str),
}

impl Keeper {
    /// Keeps the certificate for our Service in `namespace` and for `more` names, and has `identity` serve it. Writes while
    /// `leading`.
    pub(crate) fn new(
        client: Client,
        namespace: &str,
        more: &[ServerName<'_>],
        identity: Arc<Identity>,
        leading: watch::Receiver<bool>,
    ) -> Self {
        let service = [format!("{SERVICE}.{namespace}.svc"), format!("{SERVICE}.{namespace}.svc.cluster.local")];
        let names = service.into_iter().chain(more.iter().map(|name| name.to_str().into_owned())).collect();
        Self {
            client,
            wanted: Wanted { namespace: namespace.to_owned(), names, metrics: metrics::names(namespace) },
            identity,
            leading,
            world: World::default(),
            trusted: None,
            busy: 0,
            warnings: Vec::new(),
        }
    }

    pub(crate) async fn run(mut self) -> Infallible {
        let mut events = world::watch(&self.client, &self.wanted.namespace);
        let mut leading = self.leading.clone();
        let (mut not_before, mut due) = (Instant::now(), Instant::now() + PAUSE_MAX);
        loop {
            tokio::select! {
                Some((source, event)) = events.next() => self.take_in(source, event),
                Ok(()) = leading.changed() => {}
                () = tokio::time::sleep_until(due) => due = Instant::now() + PAUSE_MAX,
            }
            while let Some(Some((source, event))) = events.next().now_or_never() {
                self.take_in(source, event);
            }
            if Instant::now() < not_before || !self.world.knows_secrets() {
                due = not_before.max(due);
                continue;
            }
            let again = self.round().await;
            not_before = Instant::now() + pause(self.busy);
            due = not_before.max(Instant::now() + again);
        }
    }

    fn take_in(&mut self, source: Source, event: Event<Object>) {
        let shown = matches!(event, Event::InitApply(_) | Event::Apply(_));
        self.world.take(source, event);
        if shown && source == Source::Serving {
            self.serve();
        }
    }

    /// Serves what is in the Secret, whoever put it there. Something broken changes nothing.
    fn serve(&self) {
        let Some(secret) = &self.world.serving else { return };
        match secret::serving(secret).pair {
            Ok(pair) => self.identity.exchange(pair),
            Err(error) => {
                tracing::warn!(secret = secret::SERVING, %error, "cannot be served, the certificate before stays")
            }
        }
    }

    /// One plan, carried out. Gives back when to make the next.
    async fn round(&mut self) -> Duration {
        let trusted_for = self.trusted_for();
        let observed = self.world.observe(trusted_for);
        let plan = plan::plan(&observed, &self.wanted, Timestamp::now());
        if plan.warnings != self.warnings {
            plan.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
            self.warnings = plan.warnings;
        }
        if !*self.leading.borrow() || plan.actions.is_empty() {
            self.busy = 0;
            return plan.again;
        }
        self.busy += 1;
        for action in plan.actions {
            if let Err(error) = self.apply(&action).await {
                report(&action, &error);
            }
        }
        Duration::ZERO
    }

    /// For how long every consumer has trusted the authority, as this process has seen it.
    fn trusted_for(&mut self) -> Option<Duration> {
        let observed = self.world.observe(Some(Duration::ZERO));
        let authority = observed.authority.and_then(Result::ok).map(|authority| authority.certificate);
        let trusting = |authority: &Certificate| observed.consumers.iter().all(|consumer| consumer.trusts(authority));
        let authority = authority.filter(|authority| observed.trusted_for.is_some() && trusting(authority));
        self.trusted = match (authority, self.trusted.take()) {
            (Some(authority), Some((before, since))) if authority == before => Some((before, since)),
            (authority, _) => authority.map(|authority| (authority, Instant::now())),
        };
        self.trusted.as_ref().map(|(_, since)| since.elapsed())
    }

    async fn apply(&mut self, action: &Action) -> Result<(), KeepError> {
        match action {
            Action::MakeAuthority { valid, beside } => {
                let authority = Authority::make(*valid, beside)?;
                let secret = secret::with_authority(self.world.authority.as_ref(), &authority);
                self.write(Source::Authority, secret).await?;
                tracing::info!(not_after = %valid.not_after, beside = beside.len(), "made a certificate authority");
            }
            Action::Forget { bundle } => {
                let old = self.world.authority.as_ref().ok_or(KeepError::Gone(secret::AUTHORITY))?;
                self.write(Source::Authority, secret::with_bundle(old, bundle)).await?;
                tracing::info!("an authority that nobody needs any more is not trusted any more");
            }
            Action::Issue { valid, names } => {
                let authority = self.authority()?;
                let issued = authority.issue(names, *valid)?;
                let secret = secret::with_serving(self.world.serving.as_ref(), &issued, &authority.bundle);
                self.write(Source::Serving, secret).await?;
                tracing::info!(?names, not_after = %valid.not_after, "issued a serving certificate");
                self.serve();
            }
            Action::CopyBundle => {
                let bundle = self.authority()?.bundle;
                let old = self.world.serving.as_ref().ok_or(KeepError::Gone(secret::SERVING))?;
                self.write(Source::Serving, secret::with_bundle(old, &bundle)).await?;
            }
            Action::IssueMetrics { valid, names } => {
                let authority = self.authority()?;
                let issued = authority.issue(names, *valid)?;
                let secret = secret::with_metrics(self.world.metrics.as_ref(), &issued, &authority.bundle);
                self.write(Source::Metrics, secret).await?;
                tracing::info!(not_after = %valid.not_after, "issued a certificate for metrics");
            }
            Action::CopyMetricsBundle => {
                let bundle = self.authority()?.bundle;
                let old = self.world.metrics.as_ref().ok_or(KeepError::Gone(secret::METRICS))?;
                self.write(Source::Metrics, secret::with_bundle(old, &bundle)).await?;
            }
            Action::Patch { consumer, patch } => {
                let object = tokio::time::timeout(TIMEOUT, self.patch(consumer, patch)).await??;
                self.world.put(world::source_of(consumer), object);
                tracing::info!(%consumer, "trusts the authority now");
            }
        }
        Ok(())
    }

    fn authority(&self) -> Result<Authority, KeepError> {
        let secret = self.world.authority.as_ref().ok_or(KeepError::Gone(secret::AUTHORITY))?;
        Ok(secret::authority(secret)?)
    }

    /// Creates the Secret, or replaces it if it still is as it was read.
    async fn write(&mut self, source: Source, secret: Secret) -> Result<(), KeepError> {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), &self.wanted.namespace);
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let name = secret.metadata.name.clone().unwrap_or_default();
        let written = tokio::time::timeout(TIMEOUT, async {
            match secret.metadata.resource_version {
                None => api.create(&params, &secret).await,
                Some(_) => api.replace(&name, &params, &secret).await,
            }
        });
        self.world.put(source, Object::Secret(Box::new(written.await??)));
        Ok(())
    }

    /// In a configuration, webhooks are told apart by their names, which is the strategy of its kind; a definition has no lists
    /// that matter here, and its kind no strategy.
    async fn patch(&self, consumer: &Id, patch: &Value) -> kube::Result<Object> {
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let client = self.client.clone();
        match consumer.kind {
            Kind::Definition => {
                let api: Api<Definition> = Api::all(client);
                api.patch(&consumer.name, &params, &Patch::Merge(patch)).await.map(world::of_definition)
            }
            Kind::Mutating => {
                let api: Api<MutatingWebhookConfiguration> = Api::all(client);
                api.patch(&consumer.name, &params, &Patch::Strategic(patch)).await.map(world::of_mutating)
            }
            Kind::Validating => {
                let api: Api<ValidatingWebhookConfiguration> = Api::all(client);
                api.patch(&consumer.name, &params, &Patch::Strategic(patch)).await.map(world::of_validating)
            }
        }
    }
}

/// After so many rounds in which something was written.
fn pause(busy: u32) -> Duration {
    match busy {
        0 => Duration::ZERO,
        busy => PAUSE_MIN.saturating_mul(1 << busy.min(16)).min(PAUSE_MAX),
    }
}

/// Another process was faster, or the object is gone: the watch tells, and what is left is planned then.
fn report(action: &Action, error: &KeepError) {
    let what = match action {
        Action::MakeAuthority { .. } => "make an authority",
        Action::Forget { .. } => "forget an authority",
        Action::Patch { .. } => "tell a consumer which authority to trust",
        Action::Issue { .. } => "issue a certificate",
        Action::CopyBundle | Action::CopyMetricsBundle => "copy the bundle",
        Action::IssueMetrics { .. } => "issue a certificate for metrics",
    };
    match error {
        KeepError::Request(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {
            tracing::debug!(what, error = error as &dyn std::error::Error, "somebody else wrote meanwhile");
        }
        _ => tracing::warn!(what, error = error as &dyn std::error::Error, "cannot keep certificates, trying again"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_write_is_followed_up_at_once_and_a_hundredth_after_a_minute() {
        assert_eq!(pause(0), Duration::ZERO);
        assert_eq!(pause(1), Duration::from_millis(100));
        assert!(pause(5) < Duration::from_secs(2), "a new authority takes some rounds");
        assert_eq!(pause(100), PAUSE_MAX);
    }
}
