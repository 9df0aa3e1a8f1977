//! The page `docs/benchmarks.md`: its tables are written anew by every full bench, the text around them by hand.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::about;
use super::figures::median;
use super::scenario::{ALL, MEMORY, Scenario, shown, summary};

/// What stands between these two lines of the page is replaced.
const BEGIN: &str = "<!-- written by cargo xtask bench -->";
const END: &str = "<!-- end of what cargo xtask bench wrote -->";
/// Processes of Postrider, as opposed to servers and to the bench itself.
pub(crate) const OURS: [&str; 6] = ["ingest", "dispatcher", "log-writer", "jobs", "api", "serve"];

/// Everything that was measured.
pub(crate) struct Results {
    /// Machine, versions, command.
    pub(crate) about: Value,
    /// Requests per second from the generator straight to the receiver.
    pub(crate) ceiling: f64,
    pub(crate) starts: Option<Value>,
    /// Every run as it was.
    pub(crate) runs: Vec<Value>,
}

impl Results {
    /// What goes into the file beside the page.
    pub(crate) fn json(&self) -> Value {
        json!({
            "about": self.about,
            "generator_to_receiver_per_second": self.ceiling.round(),
            "starts": self.starts,
            "runs": self.runs,
        })
    }

    /// The tables.
    pub(crate) fn tables(&self) -> String {
        let mut page = about::lines(&self.about);
        let _infallible = writeln!(
            page,
            "- Generator straight to receiver: {:.0} requests/s\n\n\
             | scenario | | target | measured: median (from to) | met |\n|---|---|---|---|---|",
            self.ceiling
        );
        for scenario in &ALL {
            self.row(&mut page, scenario);
        }
        self.memory(&mut page);
        if let Some(starts) = &self.starts {
            let ms = |key: &str| starts[key].as_f64().unwrap_or(0.0);
            let (ready, demo) = (ms("serve_ready_ms"), ms("demo_ms") / 1e3);
            let _infallible =
                writeln!(page, "| | `serve` on an empty folder is ready | | **{ready:.0} ms** | |");
            let _infallible = writeln!(page, "| | `demo`, from start to exit | | **{demo:.1} s** | |");
        }
        self.latencies(&mut page);
        self.shares(&mut page, "Processor seconds per 1,000 deliveries", "cpu_seconds_per_1000", "total");
        self.shares(
            &mut page,
            "Peak of resident memory in MiB (of a server: its largest process)",
            "peak_mib",
            "",
        );
        page
    }

    fn row(&self, page: &mut String, scenario: &Scenario) {
        let figures = self.figures(scenario, |run| run["figure"].as_f64());
        let Some((middle, ..)) = median(&figures) else { return };
        let target = scenario.target.map_or(String::new(), |target| target.shown(scenario.unit));
        let met = scenario.target.map_or("", |target| if target.is_met(middle) { "yes" } else { "no" });
        let measured = summary(&figures, scenario.unit);
        let _infallible =
            writeln!(page, "| {} | {} | {target} | {measured} | {met} |", scenario.name, scenario.what);
    }

    fn memory(&self, page: &mut String) {
        let distributed = self.runs.iter().filter(|run| run["peak_mib"]["serve"].is_null());
        let peaks = distributed.filter_map(|run| run["peak_mib"].as_object()).flatten();
        let ours = peaks.filter(|(name, _)| OURS.contains(&name.as_str()));
        let most =
            ours.filter_map(|(name, mib)| Some((mib.as_f64()?, name))).max_by(|a, b| a.0.total_cmp(&b.0));
        let Some((most, name)) = most else { return };
        let (target, met) = (MEMORY.shown("MiB"), if MEMORY.is_met(most) { "yes" } else { "no" });
        let _infallible = writeln!(
            page,
            "| | the largest process at its peak, over all runs | {target} | **{}** ({name}) | {met} |",
            shown(most, "MiB")
        );
    }

    fn latencies(&self, page: &mut String) {
        let _infallible = writeln!(
            page,
            "\n### Send → receipt in ms, medians of the runs\n\nIn a flood it is mostly the wait behind what was sent before.\n\n\
             | scenario | p50 | p95 | p99 | on record after |\n|---|---|---|---|---|"
        );
        for scenario in &ALL {
            let of = |part: &'static str, key: &'static str| {
                let figures = self.figures(scenario, |run| run[part][key].as_f64());
                median(&figures).map_or(String::new(), |(middle, ..)| format!("{middle:.1}"))
            };
            let on_record = self.figures(scenario, |run| run["on_record_after_seconds"].as_f64());
            let on_record = median(&on_record).map_or(String::new(), |(middle, ..)| format!("{middle:.1} s"));
            let p50 = of("latency_ms", "p50");
            if !p50.is_empty() {
                let (p95, p99) = (of("latency_ms", "p95"), of("latency_ms", "p99"));
                let _infallible =
                    writeln!(page, "| {} | {p50} | {p95} | {p99} | {on_record} |", scenario.name);
            }
            let alone = of("latency_ms_alone", "p50");
            if !alone.is_empty() {
                let (p95, p99) = (of("latency_ms_alone", "p95"), of("latency_ms_alone", "p99"));
                let _infallible = writeln!(page, "| {}, alone | {alone} | {p95} | {p99} | |", scenario.name);
            }
        }
    }

    /// A table of scenario × process, medians of the runs.
    fn shares(&self, page: &mut String, title: &str, part: &str, total: &str) {
        let mut names: Vec<&str> = Vec::new();
        for (name, _) in self.runs.iter().filter_map(|run| run[part].as_object()).flatten() {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        let heads = names.join(" | ");
        let (last, line) = if total.is_empty() { ("", "") } else { (" total |", "---|") };
        let _infallible = writeln!(
            page,
            "\n### {title}\n\n| scenario | {heads} |{last}\n|---|{}{line}",
            "---|".repeat(names.len())
        );
        for scenario in &ALL {
            let of = |name: &&str| median(&self.figures(scenario, |run| run[part][*name].as_f64()));
            let medians: Vec<_> = names.iter().map(of).collect();
            if medians.iter().all(Option::is_none) {
                continue;
            }
            let cells =
                medians.iter().map(|one| one.map_or(String::new(), |(middle, ..)| format!("{middle:.2}")));
            let cells = cells.collect::<Vec<_>>().join(" | ");
            let sum: f64 = medians.iter().flatten().map(|(middle, ..)| middle).sum();
            let sum = if total.is_empty() { String::new() } else { format!(" {sum:.2} |") };
            let _infallible = writeln!(page, "| {} | {cells} |{sum}", scenario.name);
        }
    }

    fn figures(&self, scenario: &Scenario, of: impl Fn(&Value) -> Option<f64>) -> Vec<f64> {
        self.runs.iter().filter(|run| run["scenario"] == scenario.name).filter_map(of).collect()
    }

    /// Puts the tables into the page, and the runs beside it.
    ///
    /// # Errors
    /// When the page is not there or has lost its marks, or cannot be written.
    pub(crate) fn publish(&self, root: &Path) -> Result<()> {
        replace(root, (BEGIN, END), &self.tables())?;
        keep(&root.join("docs/benchmarks/runs.json"), &self.json())
    }
}

/// Puts tables between two marks of the page.
///
/// # Errors
/// When the page is not there or has lost its marks, or cannot be written.
pub(crate) fn replace(root: &Path, (begin, end): (&str, &str), tables: &str) -> Result<()> {
    let page = root.join("docs/benchmarks.md");
    let text = std::fs::read_to_string(&page).with_context(|| format!("{} is gone", page.display()))?;
    let (before, rest) = text.split_once(begin).context("the page has lost its first mark")?;
    let (_, after) = rest.split_once(end).context("the page has lost its second mark")?;
    Ok(std::fs::write(&page, format!("{before}{begin}\n{tables}\n{end}{after}"))?)
}

/// Writes figures into a file, and the folder it is in.
///
/// # Errors
/// When they cannot be written.
pub(crate) fn keep(file: &Path, figures: &Value) -> Result<()> {
    let folder = file.parent().context("a file in a folder")?;
    std::fs::create_dir_all(folder)?;
    std::fs::write(file, format!("{figures:#}\n")).with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_show_medians_and_what_was_missed() {
        let run = |figure: f64| {
            json!({
                "scenario": "A", "figure": figure, "latency_ms": { "p50": 1.5, "p95": 2.0, "p99": 3.0 },
                "cpu_seconds_per_1000": { "ingest": 0.25, "redis": 0.5 }, "peak_mib": { "ingest": 90.0, "redis": 9.0 },
            })
        };
        let results = Results {
            about: json!({ "machine": "two cores" }),
            ceiling: 30_000.0,
            starts: None,
            runs: vec![run(1000.0), run(3000.0), run(1999.0)],
        };
        let tables = results.tables();
        for line in [
            "- Machine: two cores",
            "| A | 1 webhook × 5,000 events | ≥ 2000 deliveries/s | **1999 deliveries/s** (1000 to 3000) | no |",
            "| | the largest process at its peak, over all runs | ≤ 80.00 MiB | **90.00 MiB** (ingest) | no |",
            "| A | 1.5 | 2.0 | 3.0 |  |",
            "| A | 0.25 | 0.50 | 0.75 |",
        ] {
            assert!(tables.lines().any(|found| found == line), "{line}\nis not in\n{tables}");
        }
    }
}
