//! `cargo xtask reliability fanout`: one event for 10,000 webhooks, and 500,000 waiting deliveries whose receivers return.
//! Runs on the release binary as the bench does, but with bounds: a figure beyond its bound fails the run.

mod huge;
mod waiting;
mod webhooks;

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::about;
use super::figures::thousandths;
use super::receiver::Receiver;
use super::report;
use super::run::Lab;
use super::servers::Servers;

/// As it is asked for.
pub(crate) const NAME: &str = "fanout";
/// No process of Postrider may take more memory at its peak, in MiB (DESIGN §6 sizes containers by it).
const MOST_MIB: f64 = 150.0;

/// How large the runs are.
#[derive(Debug, Clone, Copy)]
struct Scale {
    /// Webhooks that one event is for.
    webhooks: usize,
    /// Events, each for a hundred webhooks, whose receivers are down.
    waiting_events: usize,
}

const FULL: Scale = Scale { webhooks: 10_000, waiting_events: 5000 };
/// To see that the runs run: its bounds say little.
const SHORT: Scale = Scale { webhooks: 2000, waiting_events: 200 };

/// What must hold, with what was measured.
struct Bound {
    what: &'static str,
    unit: &'static str,
    most: f64,
    measured: f64,
}

/// One story: its bounds and its raw figures.
struct Story {
    name: &'static str,
    what: String,
    bounds: Vec<Bound>,
    runs: Vec<Value>,
}

/// Runs both stories beside the servers that the environment names; writes what they came to into the folder `reliability`
/// beside the built binary. Answers whether every bound was kept.
///
/// # Errors
/// When something was lost, or a process failed.
pub(crate) async fn measure(root: &Path, binary: &Path, short: bool) -> Result<bool> {
    let scale = if short { SHORT } else { FULL };
    let mut lab = Lab {
        binary: binary.to_owned(),
        servers: Servers::find()?,
        receiver: Receiver::start([127, 0, 0, 1]).await?,
        hanging: Receiver::start([127, 0, 0, 2]).await?,
    };
    let about = about::about(root, binary, &lab.servers, "cargo xtask reliability fanout").await?;
    let stories =
        [huge::run(&mut lab, scale.webhooks).await?, waiting::run(&mut lab, scale.waiting_events).await?];
    let kept = stories.iter().flat_map(|story| &story.bounds).all(Bound::is_met);
    for story in &stories {
        println!("{}", story.shown());
    }
    let results = json!({ "about": about, "stories": stories.iter().map(Story::json).collect::<Vec<_>>() });
    let target = binary.parent().and_then(Path::parent).context("the binary lies in a target folder")?;
    let folder = target.join("reliability");
    std::fs::create_dir_all(&folder)?;
    report::keep(&folder.join("fanout.json"), &results)?;
    Ok(kept)
}

impl Bound {
    fn new(what: &'static str, unit: &'static str, most: f64, measured: f64) -> Self {
        Self { what, unit, most, measured }
    }

    fn is_met(&self) -> bool {
        self.measured <= self.most
    }
}

impl Story {
    fn json(&self) -> Value {
        let bound = |one: &Bound| {
            json!({
                "what": one.what, "bound": format!("≤ {} {}", one.most, one.unit).trim(),
                "measured": format!("{} {}", thousandths(one.measured), one.unit).trim(), "met": one.is_met(),
            })
        };
        let bounds: Vec<Value> = self.bounds.iter().map(bound).collect();
        json!({ "story": self.name, "what": self.what, "bounds": bounds, "runs": self.runs })
    }

    fn shown(&self) -> String {
        let line = |one: &Bound| {
            let verdict = if one.is_met() { "kept" } else { "BROKEN" };
            format!("  {}: {} {} (≤ {}): {verdict}", one.what, thousandths(one.measured), one.unit, one.most)
        };
        let lines: Vec<String> = self.bounds.iter().map(line).collect();
        format!("{}: {}\n{}", self.name, self.what, lines.join("\n"))
    }
}

/// The largest peak of Postrider's own processes.
fn peak_of(peaks: &Value) -> f64 {
    let ours = report::OURS.iter().filter_map(|name| peaks[*name].as_f64());
    ours.fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_met_at_its_own_value_and_broken_beyond() {
        assert!(Bound::new("p95", "ms", 2.0, 2.0).is_met());
        assert!(!Bound::new("p95", "ms", 2.0, 2.001).is_met());
    }

    #[test]
    fn only_our_own_processes_count_for_memory() {
        let peaks = json!({ "rabbitmq": 900.0, "dispatcher": 61.5, "api": 40.0 });
        assert!((peak_of(&peaks) - 61.5).abs() < f64::EPSILON);
    }
}
