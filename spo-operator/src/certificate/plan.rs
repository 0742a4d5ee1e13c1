//! What to do about certificates: a pure function of what was observed, and of the time.
//!
//! An authority is followed by another without a moment in which anybody trusts the wrong one: the new one joins the bundle, every
//! consumer gets the bundle, only then the serving certificate is issued anew, and the old authority leaves the bundle a day
//! later. Each step follows from what is observed, so it does not matter which process takes it, or how many try.
//!
//! Clocks may be wrong, and differ. What is issued is valid from as early as what it replaces, and for its whole life from now, so
//! two processes that disagree about the time both find valid what either made.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rustls::pki_types::ServerName;
use serde_json::Value;

use super::authority::{Authority, AuthorityError, Validity};
use super::consumer::{Consumer, Id};
use super::identity::Pair;
use super::metrics::{self, Metrics};
use super::secret::{Origin, SERVING, Serving};
use super::x509::{self, Certificate};

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// The life of an authority.
const AUTHORITY_LIFE: SignedDuration = SignedDuration::from_hours(24 * 3650);
/// So long before its end it is followed by another.
const AUTHORITY_AHEAD: SignedDuration = SignedDuration::from_hours(24 * 365);
/// The life of a serving certificate.
const SERVING_LIFE: SignedDuration = SignedDuration::from_hours(24 * 90);
/// So long before its end it is issued anew: after two thirds of its life.
const SERVING_AHEAD: SignedDuration = SignedDuration::from_hours(24 * 30);
/// So long before its end it is issued anew even if a consumer does not trust the authority yet.
const SERVING_URGENT: SignedDuration = DAY;
/// So long before the end of a certificate that somebody else keeps, a warning is due.
const FOREIGN_WARNING: SignedDuration = SignedDuration::from_hours(24 * 7);
/// Clocks may be slow by this much.
const BACKDATED: SignedDuration = HOUR;
/// After a new certificate was issued, the authority of the one before stays trusted for so long: a process that is cut off from
/// the API server goes on with the old one.
const OVERLAP: SignedDuration = DAY;
/// API servers notice a new bundle within this time.
const SPREAD: Duration = Duration::from_secs(5);
/// Nobody tells when the clock is set: it is looked at this often.
const LOOK: Duration = Duration::from_secs(600);

/// What was observed.
#[derive(Debug)]
pub(super) struct Observed {
    pub(super) authority: Option<Result<Authority, AuthorityError>>,
    pub(super) serving: Option<Serving>,
    pub(super) consumers: Vec<Consumer>,
    /// For how long every consumer has trusted the authority that is there. None if one does not, or if not all are known.
    pub(super) trusted_for: Option<Duration>,
    pub(super) metrics: Metrics,
}

/// What is wanted.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// The operator's own namespace.
    pub(super) namespace: String,
    /// What the serving certificate is for.
    pub(super) names: BTreeSet<String>,
    /// What the certificate of metrics is for.
    pub(super) metrics: BTreeSet<String>,
}

/// What to do.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) actions: Vec<Action>,
    /// When to look again, even if nothing happens until then.
    pub(super) again: Duration,
    /// What somebody has to do.
    pub(super) warnings: Vec<String>,
}

/// One write.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Action {
    /// Makes a new authority, which consumers are to trust beside these.
    MakeAuthority { valid: Validity, beside: Vec<Certificate> },
    /// Takes out of the bundle what is not in this one.
    Forget { bundle: Vec<Certificate> },
    /// Patches a consumer, if it still is as it was seen.
    Patch { consumer: Id, patch: Value },
    /// Issues a serving certificate.
    Issue { valid: Validity, names: BTreeSet<String> },
    /// Brings the copy of the bundle beside the serving certificate up to date.
    CopyBundle,
    /// Issues a certificate for metrics.
    IssueMetrics { valid: Validity, names: BTreeSet<String> },
    /// Brings the copy of the bundle beside that up to date.
    CopyMetricsBundle,
}

/// What has to be done now.
pub(super) fn plan(seen: &Observed, wanted: &Wanted, now: Timestamp) -> Plan {
    let mut plan = match &seen.serving {
        Some(serving) if serving.origin != Origin::Ours => foreign(seen, serving, wanted, now),
        _ => own(seen, wanted, now),
    };
    metrics::plan(&mut plan, seen, wanted, now);
    plan
}

/// The certificate is ours to keep.
fn own(seen: &Observed, wanted: &Wanted, now: Timestamp) -> Plan {
    let mut plan = Plan { again: LOOK, ..Plan::default() };
    let pair = seen.serving.as_ref().and_then(|serving| serving.pair.as_ref().ok());
    let authority = match &seen.authority {
        Some(Ok(authority)) if good_for_now(&authority.certificate, now) => authority,
        authority => {
            let old = authority.as_ref().and_then(|authority| authority.as_ref().ok());
            plan.actions.push(make_authority(old, seen.serving.as_ref(), wanted, now));
            return plan;
        }
    };
    trust(&mut plan, seen, &authority.bundle, authority, wanted);
    match pair.map_or(Standing::Bad, |pair| Standing::of(pair, authority, &wanted.names, now)) {
        Standing::Due { urgent: false } if seen.trusted_for.is_none_or(|time| time < SPREAD) => {
            plan.again = SPREAD;
        }
        Standing::Due { .. } | Standing::Bad => {
            let (valid, names) = issue_anew(pair, authority, &wanted.names, now);
            plan.actions.push(Action::Issue { valid, names });
        }
        Standing::Good => finish(&mut plan, seen.serving.as_ref(), authority, now),
    }
    plan
}

pub(super) fn good_for_now(authority: &Certificate, now: Timestamp) -> bool {
    authority.is_valid_at(now) && now < earlier(authority.not_after, AUTHORITY_AHEAD)
}

/// What a serving certificate is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nobody accepts it, or not for each name: there is nothing to lose.
    Bad,
    /// Accepted, and to be followed by another.
    Due {
        urgent: bool,
    },
    Good,
}

impl Standing {
    pub(super) fn of(pair: &Pair, authority: &Authority, wanted: &BTreeSet<String>, now: Timestamp) -> Self {
        let accepted = |roots: &[Certificate]| {
            wanted.iter().all(|name| named(name).is_some_and(|name| x509::accepts(roots, &pair.chain, &name, now)))
        };
        if !accepted(&authority.bundle) {
            return Self::Bad;
        }
        let end = pair.chain[0].not_after;
        if accepted(std::slice::from_ref(&authority.certificate)) && now < earlier(end, SERVING_AHEAD) {
            return Self::Good;
        }
        Self::Due { urgent: now >= earlier(end, SERVING_URGENT) }
    }
}

/// A new authority, beside those that the present certificate needs. It is valid from as early as the old one.
pub(super) fn make_authority(
    old: Option<&Authority>,
    serving: Option<&Serving>,
    wanted: &Wanted,
    now: Timestamp,
) -> Action {
    let chain = serving.and_then(|serving| serving.pair.as_ref().ok()).map_or(&[][..], |pair| &pair.chain);
    let known = old.map_or_else(|| serving.map_or(&[][..], |serving| &serving.bundle), |old| &old.bundle);
    let beside: Vec<Certificate> = known.iter().filter(|one| issued(one, chain, wanted)).cloned().collect();
    let oldest = known.iter().map(|one| one.not_before).min();
    let not_before = earlier(now, BACKDATED).min(oldest.unwrap_or(now));
    Action::MakeAuthority { valid: Validity { not_before, not_after: later(now, AUTHORITY_LIFE) }, beside }
}

/// A new certificate for all names that are wanted, and for those that the old one had: another process may have asked for them.
pub(super) fn issue_anew(
    old: Option<&Pair>,
    authority: &Authority,
    wanted: &BTreeSet<String>,
    now: Timestamp,
) -> (Validity, BTreeSet<String>) {
    let mut names = wanted.clone();
    names.extend(old.iter().flat_map(|pair| pair.chain[0].names.iter().cloned()));
    let not_after = later(now, SERVING_LIFE).min(authority.certificate.not_after);
    (Validity { not_before: authority.certificate.not_before, not_after }, names)
}

/// Whether `authority` issued the chain, whatever the time is.
fn issued(authority: &Certificate, chain: &[Certificate], wanted: &Wanted) -> bool {
    let mut names =
        chain.iter().take(1).flat_map(|leaf| &leaf.names).chain(&wanted.names).filter_map(|name| named(name));
    names.any(|name| x509::chains_to(authority, chain, &name))
}

/// Gives each consumer the bundle.
fn trust(plan: &mut Plan, seen: &Observed, bundle: &[Certificate], ours: &Authority, wanted: &Wanted) {
    for consumer in &seen.consumers {
        patch(plan, consumer, bundle, &ours.bundle, &wanted.namespace);
        if consumer.asks.is_some() && !consumer.trusts(&ours.certificate) && !plans_for(plan, consumer) {
            plan.warnings.push(format!(
                "{} has a bundle that another program filled in, and does not trust the certificate that the operator issued: \
                 take the annotation and the caBundle away, or have that program keep the Secret {SERVING} too",
                consumer.id
            ));
        }
    }
}

fn patch(plan: &mut Plan, consumer: &Consumer, bundle: &[Certificate], ours: &[Certificate], namespace: &str) {
    if let Some(patch) = consumer.patch(bundle, ours, namespace) {
        plan.actions.push(Action::Patch { consumer: consumer.id.clone(), patch });
    }
}

fn plans_for(plan: &Plan, of: &Consumer) -> bool {
    plan.actions.iter().any(|action| matches!(action, Action::Patch { consumer, .. } if *consumer == of.id))
}

/// What is left when the certificate is good: the copy of the bundle, and authorities that nobody needs any more.
fn finish(plan: &mut Plan, serving: Option<&Serving>, authority: &Authority, now: Timestamp) {
    let Some(serving) = serving else { return };
    if serving.bundle != authority.bundle {
        plan.actions.push(Action::CopyBundle);
    }
    let Ok(pair) = &serving.pair else { return };
    let kept_until = later(earlier(pair.chain[0].not_after, SERVING_LIFE), OVERLAP);
    let needed = |one: &&Certificate| **one == authority.certificate || (now < kept_until && now < one.not_after);
    let bundle: Vec<Certificate> = authority.bundle.iter().filter(needed).cloned().collect();
    if bundle.len() < authority.bundle.len() {
        plan.actions.push(Action::Forget { bundle });
    }
}

/// The certificate is somebody else's to keep: it is served, and trusted where nobody else sees to that.
fn foreign(seen: &Observed, serving: &Serving, wanted: &Wanted, now: Timestamp) -> Plan {
    let mut plan = Plan { again: LOOK, ..Plan::default() };
    let ours = match &seen.authority {
        Some(Ok(authority)) => &authority.bundle[..],
        _ => &[],
    };
    for consumer in &seen.consumers {
        if serving.origin == Origin::ServiceCa && consumer.asks != Some(Origin::ServiceCa) {
            plan.actions.push(Action::Patch { consumer: consumer.id.clone(), patch: consumer.ask_service_ca() });
            continue; // the answer is planned for anew
        }
        patch(&mut plan, consumer, &serving.bundle, ours, &wanted.namespace);
        if !plans_for(&plan, consumer) && !accepted_by(consumer, serving, wanted, now) {
            plan.warnings.push(format!(
                "{} does not trust the certificate in Secret {SERVING}, which another program keeps: have that program fill in \
                 its caBundle, or put the authority into ca.crt of the Secret",
                consumer.id
            ));
        }
    }
    plan.warnings.extend(complaint(SERVING, serving, &wanted.names, now));
    plan
}

fn accepted_by(consumer: &Consumer, serving: &Serving, wanted: &Wanted, now: Timestamp) -> bool {
    let Ok(pair) = &serving.pair else { return true }; // that is another complaint
    let Some(name) = wanted.names.iter().find_map(|name| named(name)) else { return true };
    consumer.calls.iter().all(|call| x509::accepts(&call.bundle, &pair.chain, &name, now))
}

/// What is wrong with a certificate that is not ours to mend.
pub(super) fn complaint(secret: &str, serving: &Serving, wanted: &BTreeSet<String>, now: Timestamp) -> Option<String> {
    let what = format!("Secret {secret}, which another program keeps,");
    let pair = match &serving.pair {
        Ok(pair) => pair,
        Err(error) => return Some(format!("{what} cannot be served: {error}")),
    };
    let leaf = &pair.chain[0];
    if let Some(name) = wanted.iter().find(|name| !named(name).is_some_and(|name| leaf.is_for(&name))) {
        return Some(format!("{what} is not for {name}"));
    }
    if now >= earlier(leaf.not_after, FOREIGN_WARNING) || now < leaf.not_before {
        return Some(format!("{what} is valid from {} to {}", leaf.not_before, leaf.not_after));
    }
    None
}

fn named(name: &str) -> Option<ServerName<'static>> {
    ServerName::try_from(name.to_owned()).ok()
}

fn earlier(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_sub(by).unwrap_or(Timestamp::MIN)
}

fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
