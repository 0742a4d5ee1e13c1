//! Files of YAML or JSON: the objects in them are migrated, everything else stays as it is written.

use anyhow::{Result, anyhow, ensure};
use spo_api::{GROUP, STORED_VERSION};

use super::object::{self, Outcome};
use super::tree::Tree;

/// A file after its objects were migrated.
#[derive(Debug)]
pub(super) struct Rewritten {
    pub(super) text: String,
    /// What became of each object, in their order.
    pub(super) outcomes: Vec<Outcome>,
    /// Whether a document was written anew that had a comment.
    pub(super) loses_comments: bool,
}

/// Migrates the objects of a file. A document in which nothing changed keeps its text.
pub(super) fn rewrite(text: &str) -> Result<Rewritten> {
    if let Ok(tree) = serde_json::from_str::<Tree>(text) {
        return rewrite_json(text, tree);
    }
    let mut rewritten = Rewritten { text: String::new(), outcomes: Vec::new(), loses_comments: false };
    for document in documents(text) {
        let mut tree: Tree = read_yaml(document)?;
        let outcomes = migrate(&mut tree);
        if outcomes.is_changed {
            rewritten.text += if document.starts_with("---") { "---\n" } else { "" };
            rewritten.text += &write_yaml(&tree)?;
            rewritten.loses_comments |=
                document.lines().any(|line| line.trim_start().starts_with('#') || line.contains(" #"));
        } else {
            rewritten.text += document;
        }
        rewritten.outcomes.extend(outcomes.outcomes);
    }
    Ok(rewritten)
}

fn rewrite_json(text: &str, mut tree: Tree) -> Result<Rewritten> {
    let Outcomes { outcomes, is_changed } = migrate(&mut tree);
    let text = if is_changed { serde_json::to_string_pretty(&tree)? + "\n" } else { text.to_owned() };
    Ok(Rewritten { text, outcomes, loses_comments: false })
}

/// The documents of a file, each with the `---` before it. Together they are the file.
fn documents(text: &str) -> Vec<&str> {
    let is_marker = |line: &str| {
        line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
    };
    let mut starts = vec![0];
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        // What comes before the first one may be comments, which belong to it.
        let is_first = text[..at].lines().all(|line| line.trim().is_empty() || line.starts_with(['#', '%']));
        if is_marker(line) && !is_first {
            starts.push(at);
        }
        at += line.len();
    }
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    starts.iter().zip(ends).map(|(start, end)| &text[*start..end]).collect()
}

fn read_yaml(document: &str) -> Result<Tree> {
    // A file was bounded when it was read.
    let budget = serde_saphyr::budget! { max_nodes: usize::MAX, max_events: usize::MAX };
    serde_saphyr::from_str_with_options::<Option<Tree>>(document, serde_saphyr::options! { budget: budget })
        .map(|tree| tree.unwrap_or(Tree::Null))
        .map_err(|error| anyhow!("it is no YAML: {error}"))
}

/// Writes a document, and makes sure that it says what was meant.
fn write_yaml(tree: &Tree) -> Result<String> {
    let text = serde_saphyr::to_string(tree)?;
    ensure!(read_yaml(&text)? == *tree, "the manifest cannot be written as YAML; give it as JSON");
    Ok(text)
}

/// What became of the objects of a document.
struct Outcomes {
    outcomes: Vec<Outcome>,
    is_changed: bool,
}

/// Migrates an object, or the objects of a list as `kubectl get` prints it.
fn migrate(tree: &mut Tree) -> Outcomes {
    let is_list = tree.text("kind").is_some_and(|kind| kind.ends_with("List"));
    let is_ours = tree.text("apiVersion").is_some_and(|version| version.starts_with(GROUP));
    let outcomes = match tree.get_mut("items") {
        Some(Tree::List(items)) if is_list => items.iter_mut().map(object::migrate).collect(),
        _ => vec![object::migrate(tree)],
    };
    let mut is_changed =
        outcomes.iter().any(|outcome| matches!(outcome, Outcome::Migrated(migrated) if migrated.is_changed()));
    if let Some(Tree::Text(version)) = tree.get_mut("apiVersion").filter(|_| is_list && is_ours) {
        let stored = format!("{GROUP}/{STORED_VERSION}");
        is_changed |= *version != stored;
        *version = stored;
    }
    Outcomes { outcomes, is_changed }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("a: 1\n", &["a: 1\n"])]
    #[case("a: 1\n---\nb: 2\n--- # c\nd: |\n  ---\n  e\n", &["a: 1\n", "---\nb: 2\n", "--- # c\nd: |\n  ---\n  e\n"])]
    #[case("# first\n---\na: 1\n---\n", &["# first\n---\na: 1\n", "---\n"])]
    #[case("---\na: 1\n----\n", &["---\na: 1\n----\n"])]
    fn documents_are_cut_at_their_markers_and_nothing_is_lost(#[case] text: &str, #[case] expected: &[&str]) {
        assert_eq!(documents(text), expected);
    }

    #[test]
    fn what_is_not_ours_keeps_its_text() {
        let text = "# a pod\nkind:   Pod\napiVersion: v1\n---\n- just a list\n---\n";
        let rewritten = rewrite(text).unwrap();
        assert_eq!(rewritten.text, text);
        assert_eq!(rewritten.outcomes, [Outcome::Foreign, Outcome::Foreign, Outcome::Foreign]);
    }
}
