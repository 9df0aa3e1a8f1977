//! `docs/promises.md` against the tests that ran: every sentence of a CMS's document that promises something names the
//! story that keeps it, and that story must have passed over both compositions.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};

/// Where the rows stand.
pub(crate) const PROMISES: &str = "docs/promises.md";
/// The test targets that tell every story, each over its own composition.
const COMPOSITIONS: [&str; 2] = ["e2e", "distributed"];
/// A test that stands behind more sentences than this proves none of them well.
const MOST_ROWS: usize = 3;

/// A line of a table: a sentence, and the test that shows it.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    /// From 1.
    line: usize,
    sentence: String,
    test: String,
}

/// The rows, and what is wrong with lines that look like one.
fn read(text: &str) -> (Vec<Row>, Vec<String>) {
    let (mut rows, mut faults) = (Vec::new(), Vec::new());
    for (at, line) in text.lines().enumerate().filter(|(_, line)| line.starts_with("| \"")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let test =
            cells.last().and_then(|cell| cell.strip_prefix('`')).and_then(|cell| cell.strip_suffix('`'));
        match (cells.as_slice(), test) {
            ([sentence, _], Some(test)) => {
                rows.push(Row { line: at + 1, sentence: (*sentence).to_owned(), test: test.to_owned() });
            }
            _ => faults.push(format!(
                "{PROMISES}:{}: no row; write | \"sentence\" | `story::test` |, and no ` | ` inside",
                at + 1
            )),
        }
    }
    (rows, faults)
}

/// The tests that passed, by target, read from what `cargo test` prints.
fn passed(output: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut passed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut target = String::new();
    for line in output.lines() {
        if let Some((_, file)) =
            line.trim_start().strip_prefix("Running ").and_then(|run| run.split_once(" ("))
        {
            let name = file.trim_end_matches(')').rsplit('/').next().unwrap_or(file);
            name.rsplit_once('-').map_or(name, |(name, _hash)| name).clone_into(&mut target);
        } else if let Some(name) = line.strip_prefix("test ").and_then(|test| test.strip_suffix(" ... ok")) {
            passed.entry(target.clone()).or_default().insert(name.to_owned());
        }
    }
    passed
}

/// What is wrong with the rows, given what `cargo test` printed; empty when every promise is kept.
///
/// # Errors
/// When the page cannot be read.
pub(crate) fn faults(root: &Path, output: &str) -> Result<Vec<String>> {
    let text =
        std::fs::read_to_string(root.join(PROMISES)).with_context(|| format!("cannot read {PROMISES}"))?;
    Ok(judge(&text, output))
}

fn judge(text: &str, output: &str) -> Vec<String> {
    let (rows, mut faults) = read(text);
    let passed = passed(output);
    let mut by_test: BTreeMap<&str, usize> = BTreeMap::new();
    for row in &rows {
        *by_test.entry(&row.test).or_default() += 1;
        for composition in COMPOSITIONS {
            if !passed.get(composition).is_some_and(|tests| tests.contains(&row.test)) {
                let (line, sentence, test) = (row.line, &row.sentence, &row.test);
                faults.push(format!("{PROMISES}:{line}: {sentence}: no test {test} passed in {composition}"));
            }
        }
    }
    let tired = by_test.into_iter().filter(|(_, rows)| *rows > MOST_ROWS);
    faults.extend(tired.map(|(test, rows)| {
        format!("{PROMISES}: {test} serves {rows} rows; at most {MOST_ROWS}: tell another story")
    }));
    if rows.is_empty() {
        faults.push(format!("{PROMISES}: there is no row"));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
| sentence | test |
|---|---|
| \"It calls.\" | `a::calls` |
| \"It signs.\" | `a::signs` |
";
    const OUTPUT: &str = "\
     Running e2e/main.rs (target/debug/deps/e2e-1)
test a::calls ... ok
test a::signs ... ok
     Running e2e/distributed.rs (target/debug/deps/distributed-2)
test a::calls ... ok
test a::signs ... FAILED
";

    #[test]
    fn a_promise_is_kept_when_its_test_passed_in_both_compositions() {
        assert_eq!(judge(PAGE, &OUTPUT.replace("FAILED", "ok")), Vec::<String>::new());
        let faults = judge(PAGE, OUTPUT);
        assert_eq!(faults, ["docs/promises.md:4: \"It signs.\": no test a::signs passed in distributed"]);
    }

    #[test]
    fn a_test_that_did_not_run_keeps_nothing() {
        assert_eq!(judge(PAGE, "").len(), 4);
    }

    #[test]
    fn a_line_that_is_no_row_and_a_page_without_rows_are_faults() {
        assert_eq!(judge("| \"It calls.\" | by hand |", "").len(), 2);
        assert_eq!(judge("nothing", ""), ["docs/promises.md: there is no row"]);
    }

    #[test]
    fn one_test_cannot_stand_behind_everything() {
        let page = "| \"x\" | `a::calls` |\n".repeat(4);
        let faults = judge(&page, OUTPUT);
        assert_eq!(faults, ["docs/promises.md: a::calls serves 4 rows; at most 3: tell another story"]);
    }
}
