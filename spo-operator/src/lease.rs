//! Electing the one process that writes, by a Lease object.
//!
//! The protocol and the times are those of client-go, so that a reference operator and this one never lead together while one
//! replaces the other: whoever finds the lease free, or sees it unrenewed for its whole duration by the own clock, takes it by a
//! write that fails if somebody else wrote in between; the leader renews it every two seconds, gives up when it could not for
//! ten, and empties it when it ends.
//!
//! Ours, because of the crates for it that work with this version of kube none takes an expired lease by a conditional write.

use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use tokio::sync::watch;

/// How long a lease is good for after its last renewal.
const DURATION: Duration = Duration::from_secs(15);
/// A leader that could not renew for so long stops leading, before anyone else may start.
const RENEW_DEADLINE: Duration = Duration::from_secs(10);
/// The time between two looks.
const RETRY: Duration = Duration::from_secs(2);
/// What ending may take.
const RELEASE: Duration = Duration::from_millis(500);

/// What to do about a lease.
#[derive(Debug, Clone, PartialEq)]
enum Step {
    /// Write this: it is free, expired, or ours.
    Write(LeaseSpec),
    /// Somebody else leads.
    Wait,
}

/// `unchanged` is for how long the lease was seen as it is.
fn decide(me: &str, lease: &LeaseSpec, unchanged: Duration, now: &MicroTime) -> Step {
    let holder = lease.holder_identity.as_deref().unwrap_or_default();
    let seconds = lease.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
    let good_for = seconds.map_or(DURATION, Duration::from_secs);
    if !holder.is_empty() && holder != me && unchanged < good_for {
        return Step::Wait;
    }
    let renewed = LeaseSpec {
        holder_identity: Some(me.to_owned()),
        lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
        renew_time: Some(now.clone()),
        ..lease.clone()
    };
    if holder == me {
        return Step::Write(renewed);
    }
    let transitions = lease.lease_transitions.unwrap_or_default() + i32::from(lease.acquire_time.is_some());
    Step::Write(LeaseSpec { acquire_time: Some(now.clone()), lease_transitions: Some(transitions), ..renewed })
}

/// What a leader leaves behind: nobody's, so that the next one need not wait.
fn released(lease: &LeaseSpec, now: &MicroTime) -> LeaseSpec {
    LeaseSpec {
        holder_identity: Some(String::new()),
        lease_duration_seconds: Some(1),
        renew_time: Some(now.clone()),
        acquire_time: Some(now.clone()),
        ..lease.clone()
    }
}

/// A candidate for a lease.
pub(crate) struct Election {
    api: Api<Lease>,
    name: &'static str,
    me: String,
    /// The lease as last seen, and since when it looks like that.
    seen: Option<(Lease, Instant)>,
}

impl Election {
    /// A candidate that calls itself `me`.
    pub(crate) fn new(client: Client, namespace: &str, name: &'static str, me: String) -> Self {
        Self { api: Api::namespaced(client, namespace), name, me, seen: None }
    }

    /// Waits until this process leads. `looked` is called after each answer of the API server.
    pub(crate) async fn win(&mut self, mut looked: impl FnMut()) {
        loop {
            match self.attempt().await {
                Ok(true) => return,
                Ok(false) => looked(),
                Err(error) => warn(self.name, &error),
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Renews the lease, and ends when it is lost.
    pub(crate) async fn hold(&mut self) {
        let mut renewed = Instant::now();
        loop {
            tokio::time::sleep(RETRY).await;
            let left = RENEW_DEADLINE.saturating_sub(renewed.elapsed());
            let attempt = tokio::time::timeout(left, self.attempt()).await;
            match attempt {
                Ok(Ok(true)) => renewed = Instant::now(),
                Ok(Ok(false)) => return tracing::warn!(lease = self.name, "another process took the lease"),
                Ok(Err(error)) => warn(self.name, &error),
                Err(_elapsed) => {}
            }
            if renewed.elapsed() >= RENEW_DEADLINE {
                return tracing::error!(lease = self.name, "the lease could not be renewed in time, so it is given up");
            }
        }
    }

    /// Leads whenever it may, and says so, until `ended`; then the lease is given back.
    pub(crate) async fn stand(mut self, leading: watch::Sender<bool>, ended: impl Future<Output = ()>) {
        let standing = async {
            loop {
                self.win(|| {}).await;
                tracing::info!(lease = self.name, "leading");
                leading.send_replace(true);
                self.hold().await;
                leading.send_replace(false);
            }
        };
        tokio::select! {
            () = ended => {}
            () = standing => {}
        }
        self.release().await;
    }

    /// Gives the lease back, so that the next process need not wait for it to expire.
    pub(crate) async fn release(mut self) {
        match tokio::time::timeout(RELEASE, self.give_back()).await {
            Ok(Ok(true)) => tracing::info!(lease = self.name, "released"),
            Ok(Ok(false)) => {}
            Ok(Err(error)) => warn(self.name, &error),
            Err(_elapsed) => tracing::warn!(lease = self.name, "not released, the API server does not answer"),
        }
    }

    /// Empties the lease if it is ours, and says whether it was. A write that was cut short by the end may have succeeded all the
    /// same, so what was last seen is not believed.
    async fn give_back(&mut self) -> kube::Result<bool> {
        loop {
            let Some(lease) = self.api.get_opt(self.name).await? else { return Ok(false) };
            if !self.is_mine(&lease) {
                return Ok(false);
            }
            let spec = lease.spec.as_ref().map(|spec| released(spec, &now()));
            let lease = Lease { metadata: lease.metadata, spec };
            match self.api.replace(self.name, &PostParams::default(), &lease).await {
                Err(kube::Error::Api(status)) if status.code == 409 => {}
                outcome => return outcome.map(|_| true),
            }
        }
    }

    /// One look, and if there is cause, one write. Says whether this process leads.
    async fn attempt(&mut self) -> kube::Result<bool> {
        let leading = self.leads();
        if !leading {
            self.look().await?;
        }
        match self.write().await {
            // Somebody else wrote, if only an annotation. A leader knows by another write alone that it still leads; a
            // candidate has time.
            Err(kube::Error::Api(status)) if status.code == 409 || status.code == 404 => {
                self.look().await?;
                if leading { self.write().await } else { Ok(false) }
            }
            outcome => outcome,
        }
    }

    /// Takes or renews the lease as it was last seen, unless somebody else has it. Says whether it is ours now.
    async fn write(&mut self) -> kube::Result<bool> {
        let Some((lease, since)) = &self.seen else { return Ok(false) };
        let spec = lease.spec.clone().unwrap_or_default();
        let Step::Write(spec) = decide(&self.me, &spec, since.elapsed(), &now()) else { return Ok(false) };
        let lease = Lease { metadata: lease.metadata.clone(), spec: Some(spec) };
        let lease = self.api.replace(self.name, &PostParams::default(), &lease).await?;
        self.seen = Some((lease, Instant::now()));
        Ok(true)
    }

    /// Reads the lease, and makes it where there is none.
    async fn look(&mut self) -> kube::Result<()> {
        let lease = match self.api.get_opt(self.name).await? {
            Some(lease) => lease,
            None => self.create().await?,
        };
        // Its metadata may have changed alone: that is no renewal, but the next write has to name the new version.
        let unchanged_since = self.seen.as_ref().filter(|(seen, _)| seen.spec == lease.spec).map(|(_, since)| *since);
        self.seen = Some((lease, unchanged_since.unwrap_or_else(Instant::now)));
        Ok(())
    }

    async fn create(&self) -> kube::Result<Lease> {
        let metadata = ObjectMeta { name: Some(self.name.to_owned()), ..ObjectMeta::default() };
        let lease = Lease { metadata, spec: Some(LeaseSpec::default()) };
        match self.api.create(&PostParams::default(), &lease).await {
            Err(kube::Error::Api(status)) if status.code == 409 => self.api.get(self.name).await,
            created => created,
        }
    }

    fn leads(&self) -> bool {
        self.seen.as_ref().is_some_and(|(lease, _)| self.is_mine(lease))
    }

    fn is_mine(&self, lease: &Lease) -> bool {
        lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_ref()) == Some(&self.me)
    }
}

fn now() -> MicroTime {
    MicroTime(jiff::Timestamp::now())
}

fn warn(lease: &str, error: &kube::Error) {
    tracing::warn!(lease, error = error as &dyn std::error::Error, "cannot read or write the lease, trying again");
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn at(second: i64) -> MicroTime {
        MicroTime(jiff::Timestamp::from_second(second).unwrap())
    }

    fn held_by(holder: &str) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(holder.to_owned()),
            lease_duration_seconds: Some(15),
            lease_transitions: Some(4),
            acquire_time: Some(at(1)),
            renew_time: Some(at(2)),
            ..LeaseSpec::default()
        }
    }

    #[rstest]
    #[case::new(LeaseSpec::default(), 0, true)]
    #[case::released(held_by(""), 0, true)]
    #[case::mine(held_by("me"), 0, true)]
    #[case::of_another(held_by("other"), 14, false)]
    #[case::expired(held_by("other"), 15, true)]
    fn a_lease_is_taken_when_nobody_holds_it(#[case] lease: LeaseSpec, #[case] unchanged: u64, #[case] taken: bool) {
        let step = decide("me", &lease, Duration::from_secs(unchanged), &at(100));
        assert_eq!(matches!(step, Step::Write(_)), taken, "{step:?}");
    }

    #[test]
    fn renewing_keeps_the_time_of_acquisition() {
        let Step::Write(spec) = decide("me", &held_by("me"), Duration::ZERO, &at(100)) else { panic!("not renewed") };
        assert_eq!((spec.acquire_time, spec.renew_time, spec.lease_transitions), (Some(at(1)), Some(at(100)), Some(4)));
    }

    #[test]
    fn taking_over_counts_a_transition() {
        let step = decide("me", &held_by("other"), Duration::from_secs(15), &at(100));
        let Step::Write(spec) = step else { panic!("not taken") };
        assert_eq!((spec.acquire_time, spec.lease_transitions), (Some(at(100)), Some(5)));
    }

    #[test]
    fn w_x_25_a_released_lease_is_free_at_once() {
        let lease = released(&held_by("me"), &at(100));
        assert!(matches!(decide("other", &lease, Duration::ZERO, &at(100)), Step::Write(_)));
    }
}
