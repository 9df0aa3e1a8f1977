//! The page `docs/reliability.md`: its tables are written anew by every full run, the text around them by hand.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::bench::about;

/// What stands between these two lines of the page is replaced.
const BEGIN: &str = "<!-- written by cargo xtask reliability -->";
const END: &str = "<!-- end of what cargo xtask reliability wrote -->";

/// A result, with the name of its file.
type Named = (String, Value);

/// A line for each story of the loss suite and each bound of the measured runs.
pub(super) fn summary(results: &[Named]) -> String {
    let mut lines = String::new();
    for story in losses(results) {
        let _infallible = writeln!(
            lines,
            "   {}: {} events, {} deliveries ({}), difference {}; called again {} of {} explained; recovered after {}",
            text(&story["story"]),
            story["accepted"],
            story["deliveries"],
            states(story),
            story["difference"],
            story["calledAgain"],
            story["explained"],
            recoveries(story),
        );
    }
    for (story, bound) in bounds(results) {
        let _infallible = writeln!(
            lines,
            "   {}: {}: {}, bound {}: {}",
            text(&story["story"]),
            text(&bound["what"]),
            cell(&bound["measured"]),
            cell(&bound["bound"]),
            met(bound),
        );
    }
    lines.trim_end().to_owned()
}

/// Puts the tables into the page.
pub(super) fn write(page: &Path, about: &Value, results: &[Named]) -> Result<()> {
    let text = fs::read_to_string(page).with_context(|| format!("{} is gone", page.display()))?;
    let (before, rest) = text.split_once(BEGIN).context("the page has lost its first mark")?;
    let (_, after) = rest.split_once(END).context("the page has lost its second mark")?;
    let tables = tables(about, results);
    Ok(fs::write(page, format!("{before}{BEGIN}\n{tables}\n{END}{after}"))?)
}

fn tables(about: &Value, results: &[Named]) -> String {
    let mut page = about::lines(about);
    page += "\n### Nothing is lost\n\n\
             | story | events | deliveries | states | difference | called again | explained | recovered after | bound |\n\
             |---|---|---|---|---|---|---|---|---|\n";
    for story in losses(results) {
        let _infallible = writeln!(
            page,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} s |",
            sentence(story),
            story["accepted"],
            story["deliveries"],
            states(story),
            story["difference"],
            story["calledAgain"],
            story["explained"],
            recoveries(story),
            story["recoveryBoundSeconds"],
        );
    }
    explanations(&mut page, results);
    if bounds(results).next().is_some() {
        page +=
            "\n### Nobody is slowed down\n\n| story | | measured | bound | kept |\n|---|---|---|---|---|\n";
        for (story, bound) in bounds(results) {
            let _infallible = writeln!(
                page,
                "| {} | {} | {} | {} | {} |",
                text(&story["what"]),
                text(&bound["what"]),
                cell(&bound["measured"]),
                cell(&bound["bound"]),
                met(bound),
            );
        }
    }
    page
}

/// What was in hand when something was lost, and what a story counted beside.
fn explanations(page: &mut String, results: &[Named]) {
    *page += "\n### What was in hand when it was lost, and what a story counted beside\n\n| story | what | count |\n|---|---|---|\n";
    for story in losses(results) {
        for loss in story["losses"].as_array().into_iter().flatten() {
            let (what, deliveries) = (text(&loss["what"]), &loss["deliveries"]);
            let _infallible =
                writeln!(page, "| {} | {what} | {deliveries} deliveries in hand |", text(&story["story"]));
        }
        for (what, count) in story["also"].as_object().into_iter().flatten() {
            let _infallible = writeln!(page, "| {} | {what} | {} |", text(&story["story"]), cell(count));
        }
    }
}

/// The stories of the loss suite.
fn losses(results: &[Named]) -> impl Iterator<Item = &Value> {
    results.iter().map(|(_, result)| result).filter(|result| result["accepted"].is_number())
}

/// Each bound of the measured runs, with its story.
fn bounds(results: &[Named]) -> impl Iterator<Item = (&Value, &Value)> {
    let stories = results.iter().filter_map(|(_, result)| result["stories"].as_array()).flatten();
    stories
        .flat_map(|story| story["bounds"].as_array().into_iter().flatten().map(move |bound| (story, bound)))
}

/// The name of its test, as the sentence that it is.
fn sentence(story: &Value) -> String {
    let test = text(&story["test"]);
    test.rsplit("::").next().unwrap_or(test).replace('_', " ")
}

/// The states in which there are deliveries.
fn states(story: &Value) -> String {
    let states = story["states"].as_object().into_iter().flatten();
    let there = states.filter(|(_, count)| count.as_u64() != Some(0));
    there.map(|(state, count)| format!("{} {count}", state.replace('_', " "))).collect::<Vec<_>>().join(", ")
}

fn recoveries(story: &Value) -> String {
    let seconds = story["recoveriesSeconds"].as_array().into_iter().flatten().filter_map(Value::as_f64);
    let shown: Vec<String> = seconds.map(|seconds| format!("{seconds:.1} s")).collect();
    if shown.is_empty() { "–".to_owned() } else { shown.join(", ") }
}

fn met(bound: &Value) -> &'static str {
    if bound["met"] == Value::Bool(true) { "yes" } else { "no" }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

/// A text without quotes, anything else as JSON.
fn cell(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn results() -> Vec<Named> {
        let story = json!({
            "story": "kill-api", "test": "kills::an_api_that_is_killed", "accepted": 100, "deliveries": 200,
            "states": { "delivered": 190, "given_up": 10, "pending": 0 }, "difference": 0, "calledAgain": 3,
            "explained": 52, "recoveriesSeconds": [1.25, 2.0], "recoveryBoundSeconds": 30.0,
            "losses": [{ "what": "SIGKILL to one api", "deliveries": 2 }], "also": { "alarms": 1 },
        });
        let measured = json!({ "about": {}, "stories": [{
            "story": "hanging", "what": "one webhook hangs", "runs": [],
            "bounds": [{ "what": "p95", "measured": "2.0 ms", "bound": "3.0 ms", "met": true },
                       { "what": "messages", "measured": 3, "bound": 2, "met": false }],
        }]});
        vec![("kill-api.json".to_owned(), story), ("isolation.json".to_owned(), measured)]
    }

    #[test]
    fn the_tables_show_every_count_and_every_bound() {
        let tables = tables(&json!({ "machine": "two cores" }), &results());
        for line in [
            "- Machine: two cores",
            "| an api that is killed | 100 | 200 | delivered 190, given up 10 | 0 | 3 | 52 | 1.2 s, 2.0 s | 30.0 s |",
            "| kill-api | SIGKILL to one api | 2 deliveries in hand |",
            "| kill-api | alarms | 1 |",
            "| one webhook hangs | p95 | 2.0 ms | 3.0 ms | yes |",
            "| one webhook hangs | messages | 3 | 2 | no |",
        ] {
            assert!(tables.lines().any(|found| found == line), "{line}\nis not in\n{tables}");
        }
    }

    #[test]
    fn a_person_at_the_terminal_sees_the_same_in_a_line_each() {
        let summary = summary(&results());
        assert!(
            summary
                .contains("kill-api: 100 events, 200 deliveries (delivered 190, given up 10), difference 0")
        );
        assert!(summary.contains("hanging: messages: 3, bound 2: no"), "{summary}");
        assert_eq!(summary.lines().count(), 3);
    }

    #[test]
    fn only_what_stands_between_the_marks_is_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let page = folder.path().join("page.md");
        fs::write(&page, format!("before\n{BEGIN}\nold\n{END}\nafter\n")).expect("written");
        write(&page, &json!({}), &results()).expect("replaced");
        let text = fs::read_to_string(&page).expect("read");
        assert!(
            text.starts_with("before\n") && text.ends_with("\nafter\n") && !text.contains("old"),
            "{text}"
        );
        fs::write(&page, "no marks").expect("written");
        assert!(
            write(&page, &json!({}), &results()).expect_err("no marks").to_string().contains("first mark")
        );
    }
}
