//! What is read from others for metrics, opened to its fuzz target. No part of the interface.

use hyper::Method;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue};

use super::process::{Stat, boot_seconds};
use super::request::{Token, page};

/// Reads a header of authorization, a path and what the kernel says of a process. A token has no space at its ends, and is of no use
/// without its scheme.
pub fn metrics_request(content: &[u8]) {
    let text = String::from_utf8_lossy(content);
    if let Ok(page) = page(&Method::GET, &text) {
        assert_eq!(page.path(), text);
    }
    if let Ok(value) = HeaderValue::from_bytes(content) {
        let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
        if let Ok(token) = Token::of(&headers) {
            let token = token.as_str();
            assert!(!token.is_empty() && token.trim() == token && content.len() > token.len());
        }
    }
    _ = Stat::parse(content);
    _ = boot_seconds(content);
}
