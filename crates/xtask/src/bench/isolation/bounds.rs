//! What each story must keep, held against its runs; and the page's table of it.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::story::Story;
use crate::bench::about;
use crate::bench::figures::{median, thousandths};

/// The healthy p95 with the sick part, at most so many times that without.
const P95: f64 = 1.5;
/// The healthy p99 with the sick part, in milliseconds.
const P99_MS: f64 = 50.0;
/// The healthy throughput with the sick part, at least so much of that without.
const THROUGHPUT: f64 = 0.9;
/// Samples of each run.
const SAMPLES: f64 = 2000.0;

/// A story with its runs and its bounds.
pub(super) fn judge(story: &Story, runs: &[Value]) -> Value {
    let figures = |with: bool, path: &str| -> Vec<f64> {
        let of = runs.iter().filter(|run| run["with"] == json!(with));
        of.filter_map(|run| run.pointer(path)?.as_f64()).collect()
    };
    let middle = |with, path| median(&figures(with, path)).map_or(f64::NAN, |(middle, ..)| middle);
    let ratio = |path| middle(true, path) / middle(false, path);
    let fewest = figures(true, "/samples").into_iter().chain(figures(false, "/samples"));
    let mut bounds = vec![
        at_least("healthy samples of each run", SAMPLES, fewest.fold(f64::INFINITY, f64::min)),
        at_most("healthy p95, with ÷ without", P95, ratio("/latency_ms/p95")),
        at_most("healthy p99 with, ms", P99_MS, middle(true, "/latency_ms/p99")),
        at_least("healthy throughput, with ÷ without", THROUGHPUT, ratio("/throughput")),
    ];
    if let Some(most) = story.messages {
        let path = "/sick/broker_messages_per_waiting_delivery";
        let worst = figures(true, path).into_iter().fold(f64::NAN, f64::max);
        bounds.push(at_most("broker messages per waiting delivery", most, worst));
    }
    json!({ "story": story.name, "what": story.what, "bounds": bounds, "runs": runs })
}

/// Whether every bound of every story is kept.
pub(super) fn all_kept(results: &Value) -> bool {
    let stories = results["stories"].as_array().into_iter().flatten();
    stories
        .flat_map(|story| story["bounds"].as_array().into_iter().flatten())
        .all(|bound| bound["met"] == true)
}

/// One run, for the terminal.
pub(super) fn line(run: &Value) -> String {
    let part = if run["with"] == true { "with" } else { "without" };
    let (ms, sick) = (&run["latency_ms"], &run["sick"]);
    let mut line = format!(
        "{part}: p50 {} p95 {} p99 {} max {} ms, {} deliveries/s",
        ms["p50"], ms["p95"], ms["p99"], ms["max"], run["throughput"]
    );
    if !sick.is_null() {
        let _infallible = write!(line, "; sick: {sick}");
    }
    line
}

/// The table of all stories, in Markdown.
pub(crate) fn table(results: &Value) -> String {
    let mut page = about::lines(&results["about"]);
    page.push_str("\n| story | | bound | measured | kept |\n|---|---|---|---|---|\n");
    for story in results["stories"].as_array().into_iter().flatten() {
        let mut name = story["story"].as_str().unwrap_or_default().to_owned();
        let mut what = format!("{}: ", story["what"].as_str().unwrap_or_default());
        for bound in story["bounds"].as_array().into_iter().flatten() {
            let text = |key: &str| bound[key].as_str().unwrap_or_default().to_owned();
            let kept = if bound["met"] == true { "yes" } else { "**no**" };
            let measured =
                bound["measured"].as_f64().map_or_else(|| "–".to_owned(), |figure| format!("{figure}"));
            let _infallible = writeln!(
                page,
                "| {name} | {what}{} | {} | **{measured}** | {kept} |",
                text("what"),
                text("bound")
            );
            name.clear();
            what.clear();
        }
    }
    page.push_str("\n| story | | p50 | p95 | p99 | max | deliveries/s |\n|---|---|---|---|---|---|---|\n");
    for story in results["stories"].as_array().into_iter().flatten() {
        for run in story["runs"].as_array().into_iter().flatten() {
            let part = if run["with"] == true { "with" } else { "without" };
            let ms = &run["latency_ms"];
            let _infallible = writeln!(
                page,
                "| {} {} | {part} | {} | {} | {} | {} | {} |",
                story["story"].as_str().unwrap_or_default(),
                run["pair"],
                ms["p50"],
                ms["p95"],
                ms["p99"],
                ms["max"],
                run["throughput"]
            );
        }
    }
    page
}

fn at_most(what: &str, most: f64, measured: f64) -> Value {
    bound(what, &format!("≤ {most}"), measured, measured <= most)
}

fn at_least(what: &str, least: f64, measured: f64) -> Value {
    bound(what, &format!("≥ {least}"), measured, measured >= least)
}

/// What was not measured is no number, and kept no bound.
fn bound(what: &str, bound: &str, measured: f64, met: bool) -> Value {
    json!({ "what": what, "bound": bound, "measured": thousandths(measured), "met": met })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::isolation::story::ALL;

    fn run(with: bool, p95: f64, p99: f64, throughput: f64) -> Value {
        let sick = json!({ "broker_messages_per_waiting_delivery": 2.0 });
        json!({
            "with": with, "pair": 1, "samples": 2000, "throughput": throughput,
            "latency_ms": { "p50": 1.0, "p95": p95, "p99": p99, "max": p99 },
            "sick": if with { sick } else { Value::Null },
        })
    }

    fn broken(runs: &[Value]) -> Vec<String> {
        let story = judge(&ALL[0], runs);
        let bounds = story["bounds"].as_array().expect("bounds").iter().filter(|bound| bound["met"] == false);
        bounds.map(|bound| bound["what"].as_str().expect("a name").to_owned()).collect()
    }

    #[test]
    fn each_bound_is_kept_at_its_own_value_and_broken_beyond() {
        assert!(broken(&[run(false, 2.0, 3.0, 1000.0), run(true, 3.0, 50.0, 900.0)]).is_empty());
        assert_eq!(broken(&[run(false, 2.0, 3.0, 1000.0), run(true, 3.1, 51.0, 899.0)]).len(), 3);
        assert_eq!(
            broken(&[run(false, 2.0, 3.0, 1000.0)]).len(),
            4,
            "without the sick part nothing is shown"
        );
    }
}
