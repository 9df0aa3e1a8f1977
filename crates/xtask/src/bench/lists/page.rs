//! The table in `docs/benchmarks.md` and the figures beside it.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;
use serde_json::Value;

use crate::bench::about;
use crate::bench::report::{keep, replace};

const BEGIN: &str = "<!-- written by cargo xtask bench lists -->";
const END: &str = "<!-- end of what cargo xtask bench lists wrote -->";
/// What 95 of 100 requests of every line must not exceed, in milliseconds.
const TARGET_MS: f64 = 20.0;

/// Whether every line reaches the target in every store.
pub(crate) fn all_met(results: &Value) -> bool {
    missed(results).is_empty()
}

fn missed(results: &Value) -> Vec<String> {
    let stores = results["stores"].as_array().into_iter().flatten();
    let lines = stores.flat_map(|store| {
        let lines = store["lines"].as_array().into_iter().flatten();
        lines.map(move |line| (store["store"].as_str().unwrap_or("?"), line))
    });
    let slow =
        lines.filter(|(_, line)| line["latency_ms"]["p95"].as_f64().is_none_or(|p95| p95 >= TARGET_MS));
    slow.map(|(store, line)| format!("{store}: {}", line["what"].as_str().unwrap_or("?"))).collect()
}

/// The tables.
pub(crate) fn tables(results: &Value) -> String {
    let mut page = about::lines(&results["about"]);
    for store in results["stores"].as_array().into_iter().flatten() {
        let mib = store["size_bytes"].as_u64().unwrap_or(0) >> 20;
        let name = store["store"].as_str().unwrap_or("?");
        let _infallible = writeln!(
            page,
            "- {name}: {} calls of {} events, {mib} MiB, filled in {} s",
            store["calls"], store["events"], store["fill_seconds"]
        );
    }
    let missed = missed(results);
    let verdict = match missed.len() {
        0 => "yes".to_owned(),
        count => format!("no, {count} are not: {}", missed.join("; ")),
    };
    let _infallible = writeln!(page, "- Every line below {TARGET_MS:.0} ms at p95: **{verdict}**\n");
    rows(&mut page, results);
    page
}

fn rows(page: &mut String, results: &Value) {
    let stores: Vec<&Value> = results["stores"].as_array().into_iter().flatten().collect();
    let (mut heads, mut rule) = ("| ms | total |".to_owned(), "|---|---|".to_owned());
    for store in &stores {
        let name = store["store"].as_str().unwrap_or("?");
        let _infallible = write!(heads, " {name} p50 | **p95** | p99 | max |");
        rule.push_str("---|---|---|---|");
    }
    let _infallible = writeln!(page, "{heads}\n{rule}");
    for (place, line) in
        stores.first().and_then(|store| store["lines"].as_array()).into_iter().flatten().enumerate()
    {
        let more = if line["total_is_at_least"] == true { "≥ " } else { "" };
        let total = line["total"].as_u64().map_or(String::new(), |total| format!("{more}{total}"));
        let _infallible = write!(page, "| {} | {total} |", line["what"].as_str().unwrap_or("?"));
        for store in &stores {
            let ms = |key: &str| store["lines"][place]["latency_ms"][key].as_f64().unwrap_or(f64::NAN);
            let (p50, p95, p99, max) = (ms("p50"), ms("p95"), ms("p99"), ms("max"));
            let _infallible = write!(page, " {p50:.1} | **{p95:.1}** | {p99:.1} | {max:.1} |");
        }
        page.push('\n');
    }
}

/// Puts the tables into the page, and the figures beside it.
///
/// # Errors
/// When the page is not there or has lost its marks, or cannot be written.
pub(crate) fn publish(results: &Value, root: &Path) -> Result<()> {
    replace(root, (BEGIN, END), &tables(results))?;
    keep(&root.join("docs/benchmarks/lists.json"), results)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_table_shows_both_stores_and_what_missed() {
        let store = |name: &str, p95: f64| {
            let latency = json!({"p50": 1.0, "p95": p95, "p99": 25.0, "max": 30.0});
            json!({
                "store": name, "calls": 5, "events": 3, "fill_seconds": 1, "size_bytes": 3 << 20,
                "lines": [{"what": "calls, newest", "total": 10, "total_is_at_least": true, "latency_ms": latency}],
            })
        };
        let results = json!({"about": {}, "stores": [store("Postgres", 2.0), store("SQLite", 20.0)]});
        assert!(!all_met(&results));
        let tables = tables(&results);
        for line in [
            "- SQLite: 5 calls of 3 events, 3 MiB, filled in 1 s",
            "- Every line below 20 ms at p95: **no, 1 are not: SQLite: calls, newest**",
            "| calls, newest | ≥ 10 | 1.0 | **2.0** | 25.0 | 30.0 | 1.0 | **20.0** | 25.0 | 30.0 |",
        ] {
            assert!(tables.lines().any(|found| found == line), "{line}\nis not in\n{tables}");
        }
    }
}
