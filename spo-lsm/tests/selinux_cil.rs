//! The reader of CIL: what libsepol would read, and nothing else.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use rstest::rstest;
use spo_lsm::selinux::cil::{CilError, MAX_CHARACTERS, MAX_DEPTH, Node, Position, parse};

fn printed(text: &str) -> String {
    parse(text.as_bytes()).unwrap().iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn error(text: &str) -> String {
    parse(text.as_bytes()).unwrap_err().to_string()
}

#[rstest]
#[case::nothing("", "")]
#[case::blanks(" \t\r\n\n", "")]
#[case::words("(allow a b.c\n\t(file (read)))", "(allow a b.c (file (read)))")]
#[case::signs("(x <a>@/*-_$%+!|&^:~`#{}'?,[])", "(x <a>@/*-_$%+!|&^:~`#{}'?,[])")]
#[case::without_blanks("(a(b)c)(d)", "(a (b) c) (d)")]
#[case::empty_lists("(((( )))) () (())", "(((()))) () (())")]
#[case::w_op_25_comments("; ( \" ) (user x)\n(a) ; )\r\n;", "(a)")]
#[case::w_op_25_quotes("(a \"b ) ; (\" \"\")", "(a \"b ) ; (\" \"\")")]
#[case::w_op_25_a_quote_in_a_comment("; it's \"half\n(a)", "(a)")]
#[case::any_letters_in_comments_and_quotes("(a \"größer\") ; größer", "(a \"größer\")")]
fn a_policy_is_read(#[case] text: &str, #[case] expected: &str) {
    assert_eq!(printed(text), expected);
}

#[rstest]
#[case::closed_too_often("(a)\n  )", "line 2, column 3: unmatched closing parenthesis")]
#[case::never_closed("(a\n (b)\n (c", "line 3, column 2: unbalanced parentheses")]
#[case::open_quote("(a \"b\n\")", "line 1, column 4: this quote is not closed in its line")]
#[case::nul("(a)\n(\0)", "line 2, column 2: null bytes")]
#[case::nul_in_a_comment("; \0", "line 1, column 3: null bytes")]
#[case::letter("(größer)", "line 1, column 4: 'ö' cannot stand here")]
#[case::backslash("(a \\ b)", "line 1, column 4: '\\\\' cannot stand here")]
#[case::form_feed("(a)\u{c}(b)", "line 1, column 4: '\\u{c}' cannot stand here")]
#[case::no_break_space("(a\u{a0}b)", "line 1, column 3: '\\u{a0}' cannot stand here")]
#[case::columns_count_characters("(a \"ääää\" é)", "line 1, column 11: 'é'")]
#[case::long_word(&format!("(a {})", "x".repeat(2049)), "line 1, column 4: a word of more than 2048 bytes")]
#[case::long_quote(&format!("(a \"{}\")", "x".repeat(2049)), "line 1, column 4: a word of more than 2048 bytes")]
fn what_is_no_policy_says_where(#[case] text: &str, #[case] expected: &str) {
    let error = error(text);
    assert!(error.starts_with(expected), "{error}");
}

/// libsepol ends a comment at a carriage return, but not between two quotes. Whoever read on to the line feed would miss a statement.
#[rstest]
#[case::hides_a_statement(
    "; nothing \r (typepermissive spc_t)\n",
    "line 1, column 11: a carriage return without a line feed"
)]
#[case::shows_one_that_is_not_there("; \" \r (user x) \"\n", "line 1, column 5: a carriage return")]
#[case::among_words("(a \r b)", "line 1, column 4: a carriage return")]
#[case::at_the_end("(a)\r", "line 1, column 4: a carriage return")]
fn a_carriage_return_that_readers_disagree_about_is_refused(#[case] text: &str, #[case] expected: &str) {
    let error = error(text);
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn what_is_not_text_says_which_byte() {
    assert_eq!(parse(b"(a)\xff\xfe\xfd").unwrap_err(), CilError::NotText(3));
}

#[test]
fn ten_thousand_levels_are_refused_and_not_descended() {
    let deep = |levels: usize| format!("{}{}", "(".repeat(levels), ")".repeat(levels));
    assert!(parse(deep(MAX_DEPTH).as_bytes()).is_ok());
    let at = Position { line: 1, column: u32::try_from(MAX_DEPTH).unwrap() + 1 };
    assert_eq!(parse(deep(MAX_DEPTH + 1).as_bytes()).unwrap_err(), CilError::TooDeep(at));
    assert_eq!(parse(deep(10_000).as_bytes()).unwrap_err(), CilError::TooDeep(at));
    assert_eq!(parse("(".repeat(250_000).as_bytes()).unwrap_err(), CilError::TooDeep(at));
}

#[test]
fn a_policy_may_have_half_a_million_characters_of_any_width() {
    let fits = format!(";{}", "é".repeat(MAX_CHARACTERS - 1));
    assert!(fits.len() > MAX_CHARACTERS && parse(fits.as_bytes()).is_ok());
    assert_eq!(parse(format!("{fits}é").as_bytes()).unwrap_err(), CilError::TooLarge(MAX_CHARACTERS + 1));
}

/// Any tree, as text in which comments and blanks stand wherever they may.
fn tree() -> impl Strategy<Value = String> {
    let leaf = prop_oneof!["[a-zA-Z0-9_.<>@-]{1,12}", "\"[^\"\n\r\0]{0,12}\""];
    let blank = prop_oneof![Just(" "), Just("\n"), Just("\t"), Just("\r\n"), Just(" ; ( \" ) x\n")];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop::collection::vec((inner, blank.clone()), 0..6)
            .prop_map(|items| format!("({})", items.into_iter().map(|(item, blank)| item + blank).collect::<String>()))
    })
}

/// A tree without places.
fn shape(node: &Node<'_>) -> String {
    match node {
        Node::Word(word) => format!("{:?}", (word.text, word.quoted)),
        Node::List(list) => format!("[{}]", list.items.iter().map(shape).collect::<Vec<_>>().join(",")),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn what_is_printed_is_read_as_the_same(text in tree()) {
        let first = parse(text.as_bytes()).unwrap();
        let again: String = first.iter().map(|node| format!("{node}\n")).collect();
        let second = parse(again.as_bytes()).unwrap();
        prop_assert_eq!(first.iter().map(shape).collect::<Vec<_>>(), second.iter().map(shape).collect::<Vec<_>>());
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn no_text_of_telling_characters_makes_the_reader_panic(text in "[()\";\r\n a\0é<]{0,60}") {
        let _ = parse(text.as_bytes());
    }
}
