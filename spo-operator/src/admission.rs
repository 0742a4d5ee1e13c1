//! The admission webhooks: what happens to pods and profiles on their way into the cluster.
//!
//! Each webhook is a pure function of the request, of what the watches have shown, and of the time: [`binding`], [`recording`],
//! [`exec`], [`validation`]. This file is the shell around them: it lets a request wait for a moment where what it depends on has
//! only just been made, and hands events to their writer. [`observed`] holds what the watches show, [`upkeep`] keeps it current.
//!
//! Connections, certificates and the bounds of bodies are the server's.

mod binding;
mod confinement;
mod decision;
mod edit;
mod event;
mod exec;
#[cfg(test)]
mod fixture;
mod observed;
mod pod;
mod recording;
mod review;
mod upkeep;
mod validation;

use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use tokio::sync::watch;
use tokio::time::Instant;

use decision::{Decision, Verdict};
use observed::Observed;
use review::{Request, Review};
pub(crate) use upkeep::{Settings, Upkeep};

/// Answers the requests of the API server. Clones share what they know.
#[derive(Debug, Clone)]
pub(crate) struct Admission {
    observed: Arc<watch::Sender<Observed>>,
    events: event::Sender,
    started: Instant,
}

/// A body, and the HTTP status that it goes with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// JSON.
    pub(crate) body: Vec<u8>,
}

/// The time, and what tells one pod from another.
#[derive(Debug, Clone, Copy)]
struct Now {
    /// Since the process started; never goes back.
    uptime: Duration,
    unix_seconds: u64,
    random: u64,
}

/// One of the webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Webhook {
    /// Pods get the profiles that are bound to them.
    Binding,
    /// Pods are marked for being recorded.
    Recording,
    /// What is run in a pod carries the UID of the request.
    ExecMetadata,
    /// Profiles are looked at.
    Validation,
}

impl Webhook {
    /// The largest body that the API server sends: an object as it is and as it is to be, of three million bytes each.
    pub(crate) const MOST_BYTES: u64 = 8 << 20;

    /// The webhook at a path, without its query.
    pub(crate) fn at(path: &str) -> Option<Self> {
        match path {
            "/mutate-v1-pod-binding" => Some(Self::Binding),
            "/mutate-v1-pod-recording" => Some(Self::Recording),
            "/mutate-v1-exec-metadata" => Some(Self::ExecMetadata),
            // The first is the reference operator's, for RawSelinuxProfiles; what is asked decides.
            "/validate-rawselinuxprofile" | "/validate-profile" => Some(Self::Validation),
            _ => None,
        }
    }
}

impl Admission {
    /// What answers, and what has to run beside it so that it knows the cluster.
    pub(crate) fn new(client: Client, settings: Settings) -> (Self, Upkeep) {
        let observed = Arc::new(watch::Sender::new(Observed::default()));
        let (events, queue) = event::channel();
        let started = Instant::now();
        (Self { observed: observed.clone(), events, started }, Upkeep::new(client, settings, observed, queue, started))
    }

    /// The answer to a body that was sent to a webhook. Takes two seconds at the most.
    pub(crate) async fn answer(&self, webhook: Webhook, body: &[u8]) -> Answer {
        let review = match review::read(body) {
            Ok(review) => review,
            Err(error) => return Answer::failure(400, &format!("{:#}", anyhow::Error::from(error))),
        };
        let Some(decision) = self.decide(webhook, &review.request).await else {
            return Answer::failure(503, "the webhook has not read the cluster's objects yet; try again");
        };
        log(webhook, &review.request, &decision);
        if !review.request.dry_run {
            self.events.send(&decision.notices, self.started.elapsed());
        }
        Answer::of(&review, &decision)
    }

    /// Decides as soon as nothing better can be expected. `None` while the watches have not shown everything.
    async fn decide(&self, webhook: Webhook, request: &Request<'_>) -> Option<Decision> {
        let arrived = Instant::now();
        let mut observed = self.observed.subscribe();
        loop {
            let decision = decide(webhook, request, &observed.borrow_and_update(), &self.now());
            let patience = decision.as_ref().map_or(decision::PATIENCE, |decision| decision.patience);
            let news = tokio::time::timeout_at(arrived + patience, observed.changed());
            if patience.is_zero() || !matches!(news.await, Ok(Ok(()))) {
                return decision;
            }
        }
    }

    fn now(&self) -> Now {
        let mut random = [0; 8];
        // Without entropy the nonce is always the same one, and the seconds have to do.
        let _ = rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty());
        Now {
            uptime: self.started.elapsed(),
            unix_seconds: u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or_default(),
            random: u64::from_ne_bytes(random),
        }
    }
}

/// What a webhook decides. `None` if it cannot yet.
fn decide(webhook: Webhook, request: &Request<'_>, observed: &Observed, now: &Now) -> Option<Decision> {
    match webhook {
        Webhook::ExecMetadata => Some(exec::decide(request, observed.configuration().exec_prefix)),
        _ if !observed.is_complete() => None,
        Webhook::Binding => Some(binding::decide(request, observed, now.uptime)),
        Webhook::Recording => Some(recording::decide(request, observed, now)),
        Webhook::Validation => Some(validation::decide(request, observed)),
    }
}

fn log(webhook: Webhook, request: &Request<'_>, decision: &Decision) {
    let Request { namespace, name, uid, .. } = request;
    match &decision.verdict {
        Verdict::Allowed { patch, .. } => {
            tracing::debug!(?webhook, namespace, name, uid, changes = patch.0.len(), "allowed");
        }
        Verdict::Refused { code, message } => {
            tracing::info!(?webhook, namespace, name, uid, code, message, "refused");
        }
    }
}

impl Answer {
    fn of(review: &Review<'_>, decision: &Decision) -> Self {
        match review.answer(decision) {
            Ok(body) => Self { status: 200, body },
            Err(error) => Self::failure(500, &format!("cannot write the answer: {error}")),
        }
    }

    /// Something that is no review. To the API server the webhook failed, and its failure policy counts.
    fn failure(status: u16, message: &str) -> Self {
        Self { status, body: serde_json::json!({"message": message}).to_string().into_bytes() }
    }
}

#[cfg(test)]
mod tests;
