//! What to do about the certificate that daemons serve metrics with. Pure, and a part of the plan.
//!
//! It is of the same authority as that of webhooks. Nobody is told to trust it: whoever reads metrics finds the authority beside it, in
//! `ca.crt` of its Secret. So it is issued anew as soon as that is due, and there is nothing to wait for.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::plan::{Action, Observed, Plan, Standing, Wanted, complaint, good_for_now, issue_anew, make_authority};
use super::secret::{METRICS, Origin, Serving};

/// The Service of metrics, under the name it has in the reference.
const SERVICE: &str = "metrics";

/// The Secret of the certificate.
#[derive(Debug)]
pub(super) enum Metrics {
    /// It was not looked for yet.
    Unknown,
    Missing,
    There(Serving),
}

/// What it is for in a namespace.
pub(super) fn names(namespace: &str) -> BTreeSet<String> {
    let short = format!("{SERVICE}.{namespace}");
    [format!("{short}.svc"), format!("{short}.svc.cluster.local"), short].into()
}

/// Adds what is to be done about it.
pub(super) fn plan(plan: &mut Plan, seen: &Observed, wanted: &Wanted, now: Timestamp) {
    let there = match &seen.metrics {
        Metrics::Unknown => return,
        Metrics::There(there) if there.origin != Origin::Ours => {
            return plan.warnings.extend(complaint(METRICS, there, &wanted.metrics, now));
        }
        Metrics::There(there) => Some(there),
        Metrics::Missing => None,
    };
    if plan.actions.iter().any(|action| matches!(action, Action::MakeAuthority { .. })) {
        return; // the next plan has it
    }
    let authority = match &seen.authority {
        Some(Ok(authority)) if good_for_now(&authority.certificate, now) => authority,
        authority => {
            let old = authority.as_ref().and_then(|authority| authority.as_ref().ok());
            return plan.actions.push(make_authority(old, there, wanted, now));
        }
    };
    let pair = there.and_then(|there| there.pair.as_ref().ok());
    match (pair.map(|pair| Standing::of(pair, authority, &wanted.metrics, now)), there) {
        (Some(Standing::Good), Some(there)) if there.bundle == authority.bundle => {}
        (Some(Standing::Good), _) => plan.actions.push(Action::CopyMetricsBundle),
        (Some(Standing::Due { .. } | Standing::Bad) | None, _) => {
            let (valid, names) = issue_anew(pair, authority, &wanted.metrics, now);
            plan.actions.push(Action::IssueMetrics { valid, names });
        }
    }
}
