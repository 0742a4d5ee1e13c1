//! What the API server answered a moment ago. Pure.
//!
//! Whoever reads every few seconds is asked about once in a while. Only digests of tokens are kept, of few requests, and not for long: a
//! token that is withdrawn is good for a minute more, as it is with the reference.

use std::collections::HashMap;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::counters::Page;
use super::request::{Refusal, Token};

/// A permission is not asked for again in this time,
const PERMITTED: Duration = Duration::from_secs(60);
/// a refusal in this, so that a role that is just bound counts soon.
const REFUSED: Duration = Duration::from_secs(10);
/// So many answers are kept.
const MOST: usize = 64;

/// What an answer is an answer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Question([u8; 32]);

impl Question {
    pub(super) fn new(token: Token<'_>, page: Page) -> Self {
        let digest = Sha256::new().chain_update(page.path()).chain_update([0]).chain_update(token.as_str());
        Self(digest.finalize().into())
    }
}

/// Answers, each until its time is over.
#[derive(Debug, Default)]
pub(super) struct Cache(HashMap<Question, (Result<(), Refusal>, Instant)>);

impl Cache {
    /// What was answered, if that is not too long ago.
    pub(super) fn get(&self, question: &Question, now: Instant) -> Option<Result<(), Refusal>> {
        self.0.get(question).filter(|(_, until)| now < *until).map(|(answer, _)| answer.clone())
    }

    /// Remembers an answer. That the API server cannot be asked is none.
    pub(super) fn put(&mut self, question: Question, answer: Result<(), Refusal>, now: Instant) {
        let life = match answer {
            Ok(()) => PERMITTED,
            Err(Refusal::Unknown) => return,
            Err(_) => REFUSED,
        };
        self.0.retain(|_, (_, until)| now < *until);
        if self.0.len() >= MOST && !self.0.contains_key(&question) {
            // What ends soonest goes first: a crowd of strangers displaces who may read only in the last seconds of their minute.
            let soonest = self.0.iter().min_by_key(|(_, (_, until))| *until).map(|(question, _)| *question);
            soonest.map(|question| self.0.remove(&question));
        }
        self.0.insert(question, (answer, now + life));
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue};

    use super::*;

    fn question(token: &str, page: Page) -> Question {
        let value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
        Question::new(Token::of(&HeaderMap::from_iter([(AUTHORIZATION, value)])).unwrap(), page)
    }

    #[test]
    fn an_answer_is_good_for_one_token_one_page_and_a_while() {
        let (mut cache, begin) = (Cache::default(), Instant::now());
        let asked = question("a", Page::Profiles);
        cache.put(asked, Ok(()), begin);
        assert_eq!(cache.get(&asked, begin), Some(Ok(())));
        assert_eq!(cache.get(&question("a", Page::Process), begin), None);
        assert_eq!(cache.get(&question("b", Page::Profiles), begin), None);
        assert_eq!(cache.get(&asked, begin + PERMITTED), None);
        cache.put(asked, Err(Refusal::Stranger), begin);
        assert_eq!(cache.get(&asked, begin + REFUSED - Duration::from_secs(1)), Some(Err(Refusal::Stranger)));
        assert_eq!(cache.get(&asked, begin + REFUSED), None);
    }

    #[test]
    fn that_the_api_server_was_away_is_not_remembered() {
        let (mut cache, now) = (Cache::default(), Instant::now());
        let asked = question("a", Page::Profiles);
        cache.put(asked, Err(Refusal::Unknown), now);
        assert_eq!(cache.get(&asked, now), None);
    }

    #[test]
    fn a_crowd_of_strangers_fills_no_memory_and_displaces_nobody() {
        let (mut cache, now) = (Cache::default(), Instant::now());
        let friend = question("friend", Page::Profiles);
        cache.put(friend, Ok(()), now);
        for index in 0..1000 {
            cache.put(question(&format!("stranger{index}"), Page::Profiles), Err(Refusal::Stranger), now);
        }
        assert_eq!(cache.0.len(), MOST);
        assert_eq!(cache.get(&friend, now), Some(Ok(())));
    }
}
