//! The table of the specification in docs/compatibility.md, held against the tests.
//!
//! A row whose first cell is a mark (`W-X-11`, `S1`; several with commas) is covered when a test, or a case of one, bears the mark
//! as words of its name (`w_x_11_…`, `s1_…`), or when its last cell gives a reason why there is none. Where there is one, nothing
//! may claim that there is none.

use std::collections::BTreeSet;

use super::Violation;
use super::workspace::{File, Workspace};

const TABLE: &str = "docs/compatibility.md";

pub(super) fn covered(workspace: &Workspace) -> Vec<Violation> {
    let Some(table) = workspace.files.iter().find(|file| file.path.as_os_str() == TABLE) else {
        return vec![Violation::new(TABLE, "write the table of the specification's marks")];
    };
    let rows: Vec<Row> = table.lines().flat_map(|(number, line)| rows(number, line)).collect();
    if rows.is_empty() {
        return vec![Violation::new(TABLE, "the table has no rows whose first cell is a mark, such as W-X-11")];
    }
    let tests = test_names(workspace);
    let is_borne = |row: &Row| tests.iter().any(|name| bears(name, &row.mark));
    let bare = rows.iter().filter(|row| !row.has_reason && !is_borne(row)).map(missing);
    let excused = rows.iter().filter(|row| row.has_reason && row.claims_none && is_borne(row)).map(outdated);
    bare.chain(excused).chain(twice(&rows)).collect()
}

fn missing(row: &Row) -> Violation {
    let words = row.mark.to_lowercase().replace('-', "_");
    let mend = format!("{}: name a test `{words}_…`, or write a reason into the last cell", row.mark);
    Violation::new(TABLE, mend).at(row.line)
}

fn outdated(row: &Row) -> Violation {
    let words = row.mark.to_lowercase().replace('-', "_");
    let mend = format!(
        "{}: a test bears it: give it a row `| {} | `{words}_…` | |`, with a reason only for what that test leaves out",
        row.mark, row.mark
    );
    Violation::new(TABLE, mend).at(row.line)
}

fn twice(rows: &[Row]) -> Vec<Violation> {
    let mut seen = BTreeSet::new();
    let again = rows.iter().filter(|row| !seen.insert(&row.mark));
    again.map(|row| Violation::new(TABLE, format!("{} has two rows: keep one", row.mark)).at(row.line)).collect()
}

/// One mark of the table.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    line: usize,
    mark: String,
    /// Whether it says that there is no test: the cell for their names has a dash.
    claims_none: bool,
    has_reason: bool,
}

/// The rows that a line of the document holds: one for each mark of its first cell.
fn rows(line: usize, text: &str) -> Vec<Row> {
    let Some(inner) = text.trim().strip_prefix('|').and_then(|text| text.strip_suffix('|')) else {
        return Vec::new();
    };
    // A bar inside a cell is written `\|`.
    let inner = inner.replace("\\|", "/");
    let cells: Vec<&str> = inner.split('|').map(str::trim).collect();
    let has_reason = cells.len() > 1 && cells.last().is_some_and(|cell| cell.chars().any(char::is_alphabetic));
    let marks = cells[0].split([',', ' ']).map(|word| word.trim_matches('`')).filter(|word| is_mark(word));
    let claims_none = cells.get(1).is_some_and(|cell| !cell.contains(|c: char| c.is_ascii_alphanumeric()));
    marks.map(|mark| Row { line, mark: mark.to_owned(), claims_none, has_reason }).collect()
}

/// `W-X-11`, `S1`: capitals, and a number at the end.
fn is_mark(word: &str) -> bool {
    let number = word.trim_start_matches(|c: char| c.is_ascii_uppercase() || c == '-');
    let letters = &word[..word.len() - number.len()];
    let known = ["W-X-", "W-ND-", "W-OP-", "W-SP-", "W-API-", "D", "S", "E", "X", "A", "R", "B", "C", "M", "O", "T"];
    !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) && known.contains(&letters)
}

/// Whether the words of a test's name hold the words of a mark, one after another.
fn bears(name: &str, mark: &str) -> bool {
    let mark = mark.to_lowercase();
    let wanted: Vec<&str> = mark.split('-').collect();
    let words: Vec<&str> = name.split('_').collect();
    words.windows(wanted.len()).any(|window| window == wanted)
}

fn test_names(workspace: &Workspace) -> BTreeSet<String> {
    workspace.rust().flat_map(tests_of).collect()
}

/// Names of functions that carry an attribute with `test` in it, inside macros too, and of cases of tests.
fn tests_of(file: &File) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_test = false;
    for (_, line) in file.lines() {
        let line = line.trim_start();
        if line.starts_with("#[") {
            is_test |= line.contains("test") && !line.contains("cfg(");
            names.extend(case(line).map(str::to_owned));
        } else if let Some(name) = function(line) {
            names.extend(is_test.then(|| name.to_owned()));
            is_test = false;
        } else if line.starts_with('}') || line.starts_with("mod ") || line.starts_with("struct ") {
            is_test = false;
        }
    }
    names
}

/// The name of the case of a test that this attribute is.
fn case(line: &str) -> Option<&str> {
    let name = line.strip_prefix("#[case::")?;
    name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').map(|end| &name[..end])
}

/// The name of the function that begins on this line.
fn function(line: &str) -> Option<&str> {
    let rest = line.trim_start_matches("pub ").trim_start_matches("async ").strip_prefix("fn ")?;
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
    Some(&rest[..end])
}

#[cfg(test)]
mod tests {
    use super::super::workspace::fixture::files;
    use super::*;

    #[test]
    fn a_row_may_hold_several_marks() {
        let found = rows(7, "| W-X-11, W-X-12 | follow the tree | |");
        assert_eq!(found.len(), 2);
        assert_eq!(found[1], Row { line: 7, mark: "W-X-12".to_owned(), claims_none: false, has_reason: false });
    }

    #[test]
    fn headings_and_prose_hold_no_marks() {
        for line in [
            "| mark | behaviour | why no test |",
            "|---|---|---|",
            "see W-X-11",
            "| v1 | stored | yes |",
            "| SCMP_ARCH_X32 | x | y |",
        ] {
            assert_eq!(rows(1, line), [], "{line}");
        }
    }

    #[test]
    fn a_dash_is_no_reason() {
        assert!(!rows(1, "| S1 | profiles | – |")[0].has_reason);
        assert!(rows(1, "| S1 | profiles | needs three nodes |")[0].has_reason);
    }

    #[test]
    fn a_mark_is_borne_as_whole_words() {
        assert!(bears("w_x_11_unshare_is_followed", "W-X-11"));
        assert!(!bears("w_x_1_records", "W-X-11"));
        assert!(!bears("w_x_11_unshare", "W-X-1"));
        assert!(bears("s1_profiles_reach_the_node", "S1"));
        assert!(!bears("s11_binding", "S1"));
    }

    #[test]
    fn tests_are_found_behind_other_attributes_and_inside_macros() {
        let text = "#[rstest]\n#[case(1)]\n#[case::w_x_4_d(2)]\nfn w_x_1_a(#[case] n: u8) {}\nfn helper() {}\n    proptest! {\n    #[test]\n    fn w_x_2_b(x in 0..1) {}\n}\n\
                    #[tokio::test(flavor = \"current_thread\")]\nasync fn w_x_3_c() {}\n#[cfg(test)]\nmod t {\nfn no() {}\n}\n";
        let found = tests_of(&File { path: "x.rs".into(), text: text.to_owned() });
        assert_eq!(found, ["w_x_4_d", "w_x_1_a", "w_x_2_b", "w_x_3_c"]);
    }

    #[test]
    fn a_mark_without_test_and_reason_is_named_with_both_remedies() {
        let table = "| W-X-1 | a | |\n| W-X-2 | b | needs SELinux |\n| W-X-3 | c | |\n";
        let found = covered(&files([(TABLE, table), ("t.rs", "#[test]\nfn w_x_1_holds() {}\n")]));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, Some(3));
        assert!(found[0].mend.contains("w_x_3_"), "{}", found[0]);
    }

    #[test]
    fn nothing_claims_that_there_is_no_test_where_there_is_one() {
        let table = "| W-X-1 | – | not built yet |\n| W-X-2 | `w_x_2_…` | half of it: issue 5 |\n| W-X-3 | – | needs SELinux |\n";
        let tests = "#[test]\nfn w_x_1_holds() {}\n#[test]\nfn w_x_2_holds() {}\n";
        let found = covered(&files([(TABLE, table), ("t.rs", tests)]));
        assert_eq!((found.len(), found[0].line), (1, Some(1)), "{found:?}");
        assert!(found[0].mend.contains("`w_x_1_…`"), "{}", found[0]);
    }

    #[test]
    fn a_mark_stands_once() {
        let found = covered(&files([(TABLE, "| S1 | a | why |\n| S1 | b | why |\n")]));
        assert_eq!(found.len(), 1);
    }
}
