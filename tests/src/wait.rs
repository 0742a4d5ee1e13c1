//! Waiting: for what the API server announces by its watch, for what the node's files show by looking, always with a deadline.

use std::fmt::Debug;
use std::time::Duration;

use kube::runtime::wait::await_condition;
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout};

/// How long anything may take. Far more than it does, even in a guest and beside other work.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// How often files are looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Waits until an object is as `ready` wants it, and gives it back.
///
/// # Panics
/// After [`PATIENCE`], with the object as it is then; or if it cannot be watched.
pub async fn until<K>(api: &Api<K>, name: &str, what: &str, ready: impl Fn(&K) -> bool) -> K
where
    K: Resource + Clone + Debug + Send + DeserializeOwned + 'static,
{
    // On the heap: a test that waits often would otherwise have no room left on its stack.
    let waited = Box::pin(await_condition(api.clone(), name, |object: Option<&K>| object.is_some_and(&ready)));
    match timeout(PATIENCE, waited).await {
        Ok(Ok(Some(object))) => object,
        Ok(Ok(None)) => panic!("waiting for {name} {what}: it is gone"),
        Ok(Err(error)) => panic!("waiting for {name} {what}: {error}"),
        Err(_) => panic!("waited in vain for {name} {what}; it is {:#?}", api.get_opt(name).await),
    }
}

/// Waits until an object is gone.
///
/// # Panics
/// After [`PATIENCE`], with the object as it is then; or if it cannot be watched.
pub async fn until_gone<K>(api: &Api<K>, name: &str)
where
    K: Resource + Clone + Debug + Send + DeserializeOwned + 'static,
{
    let waited = Box::pin(await_condition(api.clone(), name, |object: Option<&K>| object.is_none()));
    match timeout(PATIENCE, waited).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => panic!("waiting for the end of {name}: {error}"),
        Err(_) => panic!("waited in vain for the end of {name}; it is {:#?}", api.get_opt(name).await),
    }
}

/// Looks until there is something to see that nobody announces, such as a file.
///
/// # Panics
/// After [`PATIENCE`].
pub async fn until_seen<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    until_seen_by(what, async || look()).await
}

/// The same where looking takes a request.
///
/// # Panics
/// After [`PATIENCE`].
pub async fn until_seen_by<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(Instant::now() < deadline, "looked in vain for {what}");
        sleep(LOOK).await;
    }
}

/// Tries until it succeeds, and gives back what that gave.
///
/// # Panics
/// After [`PATIENCE`], with the last error.
pub async fn until_ok<T, E: std::fmt::Display>(what: &str, mut attempt: impl AsyncFnMut() -> Result<T, E>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match attempt().await {
            Ok(done) => return done,
            Err(error) => assert!(Instant::now() < deadline, "waited in vain for {what}: {error}"),
        }
        sleep(LOOK).await;
    }
}

/// Asks until the answer is yes.
///
/// # Panics
/// After [`PATIENCE`].
pub async fn until_async(what: &str, ask: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !ask().await {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        sleep(LOOK).await;
    }
}

/// How often it is looked whether many things are as they should be.
const LOOK_AT_MANY: Duration = Duration::from_millis(200);

/// Looks until nothing is found wrong any more.
///
/// # Panics
/// After [`PATIENCE`], with what is wrong then.
pub async fn until_right(what: &str, mut wrong: impl AsyncFnMut() -> Vec<String>) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let wrong = wrong().await;
        if wrong.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "{what}: {wrong:#?}");
        sleep(LOOK_AT_MANY).await;
    }
}
