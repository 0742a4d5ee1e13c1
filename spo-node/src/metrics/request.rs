//! What somebody asks for, and what they are answered. Pure.

use std::fmt;

use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use hyper::{Method, StatusCode};

use super::counters::Page;

/// A token of a service account has some 1,200 characters.
const MOST_TOKEN_BYTES: usize = 8 * 1024;

/// Why somebody gets nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("there are /metrics and /metrics-spod")]
    NoSuchPath,
    #[error("only GET and HEAD")]
    Method,
    #[error("no token: send `Authorization: Bearer` with that of a service account")]
    NoToken,
    #[error("the token is not valid in this cluster, or not any more")]
    Stranger,
    #[error("{user} may not get {path}; bind it to the ClusterRole spo-metrics-client")]
    Forbidden { user: String, path: &'static str },
    #[error("the API server cannot be asked who may read this, try again")]
    Unknown,
}

impl Refusal {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::NoSuchPath => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::NoToken | Self::Stranger => StatusCode::UNAUTHORIZED,
            Self::Forbidden { .. } => StatusCode::FORBIDDEN,
            Self::Unknown => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// What proves who somebody is. It is never shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a>(&'a str);

impl<'a> Token<'a> {
    /// The token of a request.
    pub(super) fn of(headers: &'a HeaderMap<HeaderValue>) -> Result<Self, Refusal> {
        let value = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).ok_or(Refusal::NoToken)?;
        let (scheme, token) = value.trim().split_once(' ').ok_or(Refusal::NoToken)?;
        let token = token.trim();
        let is_token = scheme.eq_ignore_ascii_case("bearer") && !token.is_empty();
        match is_token {
            true if token.len() <= MOST_TOKEN_BYTES => Ok(Self(token)),
            true => Err(Refusal::Stranger),
            false => Err(Refusal::NoToken),
        }
    }

    pub(super) fn as_str(self) -> &'a str {
        self.0
    }
}

impl fmt::Debug for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// The page that a request is for, whoever sent it.
pub(super) fn page(method: &Method, path: &str) -> Result<Page, Refusal> {
    let page = Page::at(path).ok_or(Refusal::NoSuchPath)?;
    if matches!(*method, Method::GET | Method::HEAD) { Ok(page) } else { Err(Refusal::Method) }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::metrics(Method::GET, "/metrics", Ok(Page::Process))]
    #[case::of_profiles(Method::HEAD, "/metrics-spod", Ok(Page::Profiles))]
    #[case::written_to(Method::POST, "/metrics", Err(Refusal::Method))]
    #[case::below(Method::GET, "/metrics/", Err(Refusal::NoSuchPath))]
    #[case::root(Method::GET, "/", Err(Refusal::NoSuchPath))]
    fn there_are_two_pages_to_be_read(
        #[case] method: Method,
        #[case] path: &str,
        #[case] expected: Result<Page, Refusal>,
    ) {
        assert_eq!(page(&method, path), expected);
    }

    fn token(value: &str) -> Result<String, Refusal> {
        let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_str(value).unwrap())]);
        Token::of(&headers).map(|token| token.as_str().to_owned())
    }

    #[test]
    fn s10_a_request_without_a_token_is_told_what_to_send() {
        assert_eq!(token("Bearer abc.def"), Ok("abc.def".to_owned()));
        assert_eq!(token("bearer  abc "), Ok("abc".to_owned()));
        for none in ["", "Bearer", "Bearer ", "Basic YTpi", "abc"] {
            assert_eq!(token(none), Err(Refusal::NoToken), "{none}");
        }
        assert_eq!(Token::of(&HeaderMap::new()).unwrap_err().status(), StatusCode::UNAUTHORIZED);
        assert_eq!(token(&format!("Bearer {}", "a".repeat(9000))), Err(Refusal::Stranger));
    }

    #[test]
    fn a_refusal_names_who_may_not_and_what_would_help() {
        let refusal = Refusal::Forbidden { user: "system:serviceaccount:a:b".to_owned(), path: "/metrics" };
        let text = refusal.to_string();
        assert!(text.contains("a:b may not get /metrics") && text.contains("spo-metrics-client"), "{text}");
        assert_eq!(refusal.status(), StatusCode::FORBIDDEN);
    }
}
