//! Asking the API server: whose token it is, and whether they may read the page.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, TokenReviewStatus, UserInfo};
use k8s_openapi::api::authorization::v1::{
    NonResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec, SubjectAccessReviewStatus,
};
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::cache::{Cache, Question};
use super::counters::Page;
use super::request::{Refusal, Token};

/// So many questions are with the API server at a time; who comes later waits.
const AT_A_TIME: usize = 4;
/// Both questions together, with the wait for a turn.
const PATIENCE: Duration = Duration::from_secs(8);

/// Lets those in who may read.
pub(super) struct Guard {
    client: Client,
    cache: Mutex<Cache>,
    turns: Semaphore,
    /// Whether the last question got no answer, which is told once.
    unanswered: AtomicBool,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}

impl Guard {
    pub(super) fn new(client: Client) -> Self {
        Self { client, cache: Mutex::default(), turns: Semaphore::new(AT_A_TIME), unanswered: AtomicBool::new(false) }
    }

    /// Whether whoever has `token` may read `page`.
    pub(super) async fn permits(&self, token: Token<'_>, page: Page) -> Result<(), Refusal> {
        let question = Question::new(token, page);
        if let Some(answer) = self.cache().get(&question, Instant::now()) {
            return answer;
        }
        let answer = match tokio::time::timeout(PATIENCE, self.ask(token, page)).await {
            Ok(Ok(answer)) => {
                // A stranger is known for one before the second question is asked.
                if answer != Err(Refusal::Stranger) && self.unanswered.swap(false, Ordering::Relaxed) {
                    tracing::info!("the API server says again who may read metrics");
                }
                answer
            }
            Ok(Err(error)) => self.unknown(&error),
            Err(elapsed) => self.unknown(&elapsed),
        };
        self.cache().put(question, answer.clone(), Instant::now());
        answer
    }

    async fn ask(&self, token: Token<'_>, page: Page) -> kube::Result<Result<(), Refusal>> {
        let _turn = self.turns.acquire().await; // never closed
        let user = match identified(self.identify(token).await?) {
            Ok(user) => user,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let name = user.username.clone().unwrap_or_default();
        Ok(permitted(self.authorise(user, page).await?, name, page))
    }

    async fn identify(&self, token: Token<'_>) -> kube::Result<Option<TokenReviewStatus>> {
        let spec = TokenReviewSpec { token: Some(token.as_str().to_owned()), ..TokenReviewSpec::default() };
        let review = TokenReview { spec, ..TokenReview::default() };
        let reviews: Api<TokenReview> = Api::all(self.client.clone());
        Ok(reviews.create(&PostParams::default(), &review).await?.status)
    }

    async fn authorise(&self, user: UserInfo, page: Page) -> kube::Result<Option<SubjectAccessReviewStatus>> {
        let place = NonResourceAttributes { path: Some(page.path().to_owned()), verb: Some("get".to_owned()) };
        let spec = SubjectAccessReviewSpec {
            extra: user.extra,
            groups: user.groups,
            non_resource_attributes: Some(place),
            uid: user.uid,
            user: user.username,
            ..SubjectAccessReviewSpec::default()
        };
        let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
        let reviews: Api<SubjectAccessReview> = Api::all(self.client.clone());
        Ok(reviews.create(&PostParams::default(), &review).await?.status)
    }

    /// One line for all who ask while the API server is away: anybody may ask, as often as they like.
    fn unknown(&self, error: &(dyn std::error::Error + 'static)) -> Result<(), Refusal> {
        if !self.unanswered.swap(true, Ordering::Relaxed) {
            tracing::warn!(error, "cannot ask the API server who may read metrics");
        }
        Err(Refusal::Unknown)
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whom the API server knows the token as.
fn identified(status: Option<TokenReviewStatus>) -> Result<UserInfo, Refusal> {
    let status = status.unwrap_or_default();
    let user = status.user.filter(|user| user.username.as_deref().is_some_and(|name| !name.is_empty()));
    user.filter(|_| status.authenticated == Some(true)).ok_or(Refusal::Stranger)
}

/// What it says of them; a denial counts more than a permission.
fn permitted(status: Option<SubjectAccessReviewStatus>, user: String, page: Page) -> Result<(), Refusal> {
    let is_permitted = status.is_some_and(|status| status.allowed && status.denied != Some(true));
    if is_permitted { Ok(()) } else { Err(Refusal::Forbidden { user, path: page.path() }) }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    #[rstest]
    #[case::known(json!({"authenticated": true, "user": {"username": "u"}}), true)]
    #[case::not_authenticated(json!({"authenticated": false, "user": {"username": "u"}}), false)]
    #[case::not_said(json!({"user": {"username": "u"}}), false)]
    #[case::nobody(json!({"authenticated": true}), false)]
    #[case::without_a_name(json!({"authenticated": true, "user": {"username": ""}}), false)]
    #[case::an_error(json!({"error": "expired"}), false)]
    fn s10_only_a_token_that_is_known_is_somebodys(#[case] status: Value, #[case] expected: bool) {
        let status = serde_json::from_value(status).unwrap();
        assert_eq!(identified(Some(status)).is_ok(), expected);
        assert_eq!(identified(None), Err(Refusal::Stranger));
    }

    #[rstest]
    #[case::allowed(json!({"allowed": true}), true)]
    #[case::no_opinion(json!({"allowed": false}), false)]
    #[case::both(json!({"allowed": true, "denied": true}), false)]
    #[case::an_error(json!({"allowed": false, "evaluationError": "x"}), false)]
    fn s10_only_who_is_allowed_reads(#[case] status: Value, #[case] expected: bool) {
        let status = serde_json::from_value(status).unwrap();
        assert_eq!(permitted(Some(status), "u".to_owned(), Page::Profiles).is_ok(), expected);
        assert!(permitted(None, "u".to_owned(), Page::Profiles).is_err());
    }
}
