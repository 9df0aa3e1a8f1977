//! `cargo xtask reliability isolation`: what sick receivers and loud tenants cost the healthy ones, measured on the release
//! binary, each story three times without and with its sick part, in turn. Every bound is asserted.
//!
//! Each run has processes, a virtual host and a database of its own. The healthy part goes at a steady pace, and its latency
//! counts from the instant at which an event should have been sent to its receipt; then as fast as it can.

mod bounds;
mod dead;
mod illness;
mod story;

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::about;
use super::book::Account;
use super::figures::{number, thousandths};
use super::reading::{Reading, peaks};
use super::receiver::{Manner, Receiver};
use super::report::keep;
use super::run::{Lab, Space, WARM_UP};
use super::servers::Servers;
use super::system::System;
use super::usage::load;
use illness::Illness;
use story::{ALL, Full, PER_SECOND, Story};

pub(crate) use bounds::table;

/// The name of all this among the scenarios.
pub(crate) const NAME: &str = "isolation";
/// Runs with, and as many without.
const PAIRS: usize = 3;
/// One of each, to see that it works.
const SHORT: &str = "short";
/// The space of the healthy webhooks.
const HEALTHY: &str = "healthy";
/// What everything is written into, where cargo builds.
const FILE: &str = "reliability/isolation.json";

/// Runs the stories of these names, all for none, with `short` each once without and with its sick part; prints their table and writes everything into [`FILE`]. Whether every bound
/// is kept.
///
/// # Errors
/// When something does not start, or something healthy is lost, repeated or refused.
pub(crate) async fn measure(root: &Path, names: &[&str]) -> Result<bool> {
    let pairs = if names.contains(&SHORT) { 1 } else { PAIRS };
    let stories = chosen(names)?;
    let mut lab = Lab::find().await?;
    let command = format!("cargo xtask reliability {NAME} {}", names.join(" "));
    let about = about::about(root, &lab.binary, &lab.servers, command.trim()).await?;
    let mut told = Vec::new();
    for story in stories {
        let mut runs = Vec::new();
        for pair in 1..=pairs {
            for with in [false, true] {
                let ran = run(&mut lab, story, with).await;
                let mut ran = ran.with_context(|| format!("story {}, pair {pair}", story.name))?;
                ran["pair"] = json!(pair);
                println!("{} {pair} {}", story.name, bounds::line(&ran));
                runs.push(ran);
            }
        }
        told.push(bounds::judge(story, &runs));
    }
    let results = json!({ "about": about, "stories": told });
    println!("\n{}", table(&results));
    let file = super::target(root).join(FILE);
    keep(&file, &results)?;
    println!("every run is in {}", file.display());
    Ok(bounds::all_kept(&results))
}

fn chosen(names: &[&str]) -> Result<Vec<&'static Story>> {
    let names: Vec<&str> = names.iter().copied().filter(|name| *name != SHORT).collect();
    if let Some(unknown) = names.iter().find(|name| ALL.iter().all(|story| story.name != **name)) {
        let all: Vec<&str> = ALL.iter().map(|story| story.name).collect();
        bail!("there is no story {unknown} of isolation; there are {}", all.join(", "));
    }
    Ok(ALL.iter().filter(|story| names.is_empty() || names.contains(&story.name)).collect())
}

/// One run, on a system started for it alone.
async fn run(lab: &mut Lab, story: &Story, with: bool) -> Result<Value> {
    let before = load();
    let system = System::distributed_with(&lab.binary, &mut lab.servers, story.settings).await?;
    let ran = measured(lab, &system, story, with).await;
    let mut ran = ran.with_context(|| system.errors())?;
    ran["with"] = json!(with);
    ran["load_before"] = json!(before);
    ran["peak_mib"] = peaks(&system, &lab.servers)?;
    system.stop(&lab.servers).await?;
    Ok(ran)
}

async fn measured(lab: &Lab, system: &System, story: &Story, with: bool) -> Result<Value> {
    system.space(HEALTHY, &[]).await?;
    let healthy =
        Space::split(system, &lab.receiver, (HEALTHY, "Entry"), story.healthy, Manner::AtOnce).await?;
    healthy.at_full_speed("warm", WARM_UP).await?;
    let illness = if with { Some(Illness::begin(lab, system, story).await?) } else { None };
    let before = Reading::take(system, &lab.servers).await?;
    let paced = async { healthy.pace("paced", story.events, PER_SECOND).await };
    let paced = match &illness {
        Some(illness) => illness.beside(paced).await?,
        None => paced.await?,
    };
    let full = async {
        match story.full {
            Full::Speed(events) => healthy.at_full_speed("full", events).await,
            Full::Pace { events, per_second } => healthy.pace("full", events, per_second).await,
        }
    };
    let full = match &illness {
        Some(illness) => illness.beside(full).await?,
        None => full.await?,
    };
    let after = Reading::take(system, &lab.servers).await?;
    let mut ran = json!({
        "samples": paced.deliveries,
        "latency_ms": paced.latencies.json(),
        "latency_ms_by_percent": paced.latencies.every_percent(),
        "throughput": thousandths(speed(&full)),
        "throughput_samples": full.deliveries,
        "cpu_seconds_per_1000": after.cpu(&before, paced.deliveries + full.deliveries),
        "healthy_states": system.states(HEALTHY).await?,
    });
    if let Some(illness) = &illness {
        ran["sick"] = illness.account(lab, system).await?;
    }
    Ok(ran)
}

/// Deliveries per second from the first send to the last receipt.
fn speed(account: &Account) -> f64 {
    number(account.deliveries) / account.took.as_secs_f64()
}

impl Lab {
    /// The servers that the environment names, and the binary beside this one.
    async fn find() -> Result<Self> {
        Ok(Self {
            binary: super::binary()?,
            servers: Servers::find()?,
            receiver: Receiver::start([127, 0, 0, 1]).await?,
            hanging: Receiver::start([127, 0, 0, 2]).await?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_story_that_is_not_there_is_refused_with_those_that_are() {
        let error = chosen(&["hangs", "sings"]).expect_err("there is none").to_string();
        assert!(error.contains("sings") && error.contains("tenant"), "{error}");
        assert_eq!(chosen(&[]).expect("all").len(), ALL.len());
    }
}
