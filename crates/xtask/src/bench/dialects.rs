//! `cargo xtask bench dialects`: what it costs to make a request, signature included, for each dialect, from an event of 1 KB
//! and of 100 KB. The measuring is criterion's, in `crates/dialects/benches`; here its figures become the page.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::about;
use super::report::{keep, replace};

/// The name of all this among the scenarios.
pub(crate) const NAME: &str = "dialects";
const BEGIN: &str = "<!-- written by cargo xtask bench dialects -->";
const END: &str = "<!-- end of what cargo xtask bench dialects wrote -->";
/// As `crates/dialects/benches/requests.rs` names them.
const SIZES: [&str; 2] = ["1 KB", "100 KB"];

/// Measures, prints, and writes the page and the file beside it.
///
/// # Errors
/// When the benchmark does not build or run, or left something out.
pub(crate) fn run(root: &Path) -> Result<bool> {
    let about = about::of_tree(root, &format!("cargo xtask bench {NAME}"))?;
    let home = TempDir::with_prefix("postrider-criterion-")?;
    let command = ["bench", "--package", "postrider-dialects", "--bench", "requests"];
    let status =
        Command::new("cargo").args(command).env("CRITERION_HOME", home.path()).current_dir(root).status()?;
    ensure!(status.success(), "the benchmark does not run");
    let mut figures = Vec::new();
    collect(home.path(), &mut figures)?;
    let results = json!({ "about": about, "figures": figures });
    let table = table(&results)?;
    println!("\n{table}");
    replace(root, (BEGIN, END), &table)?;
    keep(&root.join("docs/benchmarks/dialects.json"), &results)?;
    println!("written to docs/benchmarks.md and docs/benchmarks/dialects.json");
    Ok(true)
}

/// Reads what criterion left below a folder: `…/new/benchmark.json` says what, `estimates.json` beside it how long.
fn collect(folder: &Path, figures: &mut Vec<Value>) -> Result<()> {
    let read = |file: &str| -> Result<Value> {
        let path = folder.join(file);
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Ok(serde_json::from_str(&text)?)
    };
    if folder.ends_with("new") {
        let (what, took) = (read("benchmark.json")?, read("estimates.json")?);
        let (median, around) = (&took["median"], &took["median"]["confidence_interval"]);
        figures.push(json!({
            "group": what["group_id"], "what": what["function_id"], "size": what["value_str"],
            "event_bytes": what["throughput"]["Bytes"], "median_ns": median["point_estimate"],
            "from_ns": around["lower_bound"], "to_ns": around["upper_bound"],
        }));
        return Ok(());
    }
    let mut below: Vec<_> = fs::read_dir(folder)?.collect::<std::io::Result<_>>()?;
    below.sort_by_key(fs::DirEntry::file_name);
    for entry in below {
        // What criterion compared with is not of this run.
        if entry.file_type()?.is_dir() && entry.file_name() != "base" {
            collect(&entry.path(), figures)?;
        }
    }
    Ok(())
}

fn table(results: &Value) -> Result<String> {
    let mut rows = BTreeMap::<(&str, &str), BTreeMap<&str, &Value>>::new();
    for figure in results["figures"].as_array().into_iter().flatten() {
        let text = |key: &str| figure[key].as_str().context("criterion names no such thing");
        rows.entry((text("group")?, text("what")?)).or_default().insert(text("size")?, figure);
    }
    let mut page = about::lines(&results["about"]);
    page.push_str("\n| µs per request: median (95 % of medians from to) | 1 KB | 100 KB |\n|---|---|---|\n");
    for ((group, what), sizes) in rows.iter().rev() {
        let _infallible = write!(page, "| {group}: {what} |");
        for size in SIZES {
            let figure = sizes.get(size).with_context(|| format!("{what} was not measured with {size}"))?;
            let us = |key: &str| figure[key].as_f64().unwrap_or(f64::NAN) / 1000.0;
            let (median, from, to) = (us("median_ns"), us("from_ns"), us("to_ns"));
            let _infallible = write!(page, " **{median:.1}** ({from:.1} to {to:.1}) |");
        }
        page.push('\n');
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left_by_criterion(home: &Path, size: &str, ns: f64) {
        for of in ["new", "base"] {
            let folder = home.join("write").join("native").join(size).join(of);
            fs::create_dir_all(&folder).expect("a folder");
            let what = json!({ "group_id": "write", "function_id": "native", "value_str": size, "throughput": { "Bytes": 987 } });
            fs::write(folder.join("benchmark.json"), what.to_string()).expect("written");
            let around = json!({ "lower_bound": ns - 100.0, "upper_bound": ns + 100.0 });
            let took = json!({ "median": { "point_estimate": ns, "confidence_interval": around } });
            fs::write(folder.join("estimates.json"), took.to_string()).expect("written");
        }
    }

    #[test]
    fn what_criterion_left_becomes_one_row_and_what_is_missing_is_said() {
        let home = TempDir::new().expect("a folder");
        let read = || {
            let mut figures = Vec::new();
            collect(home.path(), &mut figures).expect("readable");
            table(&json!({ "about": {}, "figures": figures }))
        };
        left_by_criterion(home.path(), "1 KB", 6300.0);
        assert!(read().expect_err("half is missing").to_string().contains("100 KB"));
        left_by_criterion(home.path(), "100 KB", 99_000.0);
        let table = read().expect("all is there");
        assert!(
            table.ends_with("| write: native | **6.3** (6.2 to 6.4) | **99.0** (98.9 to 99.1) |\n"),
            "{table}"
        );
    }
}
