//! Who wrote a module, by its text, and what it brings.

use std::collections::BTreeSet;

use crate::selinux::cil::{self, Node};

/// Whether the reference's operator wrote the module `name`, so that it may be replaced by ours.
///
/// Nobody else writes so: a SelinuxProfile became lines without indentation, as they still do; a RawSelinuxProfile a block with a name
/// that ends in an underscore, and lines that are indented. The order of lines was any in older releases.
pub(super) fn is_of_the_reference(name: &str, text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    is_raw(name, text) || is_profile(name, text)
}

fn is_profile(name: &str, text: &str) -> bool {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let templates = BTreeSet::new();
    let Ok(imported) = crate::selinux::from_cil(text.as_bytes(), &templates) else { return false };
    let [profile] = imported.profiles.as_slice() else { return false };
    text.starts_with(&format!("(block {name}\n"))
        && imported.unread.is_empty()
        && lines(text) == lines(&crate::selinux::to_cil(profile))
}

fn is_raw(name: &str, text: &str) -> bool {
    let inside = text.trim_end().strip_prefix(&format!("(block {name}_\n")).and_then(|rest| rest.strip_suffix("\n)"));
    inside.is_some_and(|inside| inside.lines().all(|line| line.trim().is_empty() || line.starts_with("    ")))
}

/// Whether a module brings a type that containers can run with.
pub(super) fn brings_process(text: &[u8]) -> bool {
    let brings = |node: &Node<'_>| match node {
        Node::List(list) => match list.items.as_slice() {
            [Node::Word(head), Node::Word(name)] => {
                head.text == "blockinherit" || (head.text == "type" && name.text == "process")
            }
            _ => false,
        },
        Node::Word(_) => false,
    };
    let block = |node: &Node<'_>| matches!(node, Node::List(list) if list.items.iter().any(brings));
    cil::parse(text).is_ok_and(|nodes| nodes.iter().any(block))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::profile("(block web\n(blockinherit container)\n(allow process a_t ( dir ( open )))\n)\n", true)]
    #[case::any_order(
        "(block web\n(allow process b_t ( dir ( open )))\n(allow process a_t ( dir ( open )))\n(blockinherit container)\n)\n",
        true
    )]
    #[case::own_type(
        "(block web\n(blockinherit net_container)\n(blockinherit base)\n(allow process web.process ( dir ( open )))\n)\n",
        true
    )]
    #[case::raw("(block web_\n    (blockinherit container)\n    (allow process a_t (dir (open)))\n)\n", true)]
    #[case::of_udica(
        "(block web\n    (blockinherit container)\n    (allow process process ( capability ( chown )))\n)\n",
        false
    )]
    #[case::of_an_administrator("(block web\n(blockinherit container)\n(allow process a_t (dir (open)))\n)\n", false)]
    #[case::more_than_a_profile(
        "(block web\n(blockinherit container)\n(dontaudit process a_t ( dir ( open )))\n)\n",
        false
    )]
    #[case::beside_the_block("(block web\n(blockinherit container)\n)\n(typepermissive spc_t)\n", false)]
    #[case::another_block("(block other\n(blockinherit container)\n)\n", false)]
    #[case::raw_of_another("(block other_\n    (blockinherit container)\n)\n", false)]
    #[case::no_text("\u{0}", false)]
    fn what_the_reference_wrote_is_told_from_what_others_did(#[case] text: &str, #[case] expected: bool) {
        assert_eq!(is_of_the_reference("web", text.as_bytes()), expected);
    }

    #[rstest]
    #[case("(block web (blockinherit container))", true)]
    #[case("(block web (type process))", true)]
    #[case("(block web (type other))", false)]
    #[case("(block web", false)]
    fn a_type_for_containers_is_inherited_or_declared(#[case] text: &str, #[case] expected: bool) {
        assert_eq!(brings_process(text.as_bytes()), expected);
    }
}
