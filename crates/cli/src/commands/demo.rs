//! `postrider demo`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use postrider_runtime::shutdown::Shutdown;
use postrider_runtime::signals::Signals;
use serde_json::json;

use crate::Context;
use crate::demo::ledger::Sabotage;
use crate::demo::perform;
use crate::demo::progress::Progress;
use crate::demo::script::Script;
use crate::exit::{Code, Failure};
use crate::output::{line, pretty, table};

/// The flags of `demo`.
#[derive(Debug, Args)]
#[command(
    after_help = "The demo needs nothing but this binary. It exits 0 only if every delivery came out exactly as its script says."
)]
pub struct Demo {
    /// Make something go wrong, to see that the demo notices (exit code 1)
    #[arg(long, value_name = "WHAT")]
    sabotage: Option<Sabotage>,
    /// Keep the data in this (new or empty) folder, to look at it afterwards
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// Runs `demo`.
pub async fn run(demo: Demo, context: Context) -> anyhow::Result<Code> {
    let output = context.output;
    let temporary = tempfile::tempdir().context("a temporary folder for the demo's data")?;
    let dir = demo.keep.as_deref().unwrap_or(temporary.path());
    if demo.keep.is_some() && dir.read_dir().is_ok_and(|mut files| files.next().is_some()) {
        let cause = format!("{} is not empty", dir.display());
        return Err(Failure::new(Code::CannotStart, cause)
            .next("name a new or empty folder with --keep")
            .into());
    }
    if !output.json {
        line(&introduction()?);
    }
    let shutdown = Shutdown::new();
    let signals = Signals::register()?;
    let performing =
        perform(&context.settings, dir, demo.sabotage, Progress::new(output.json), shutdown.clone());
    let report = signals.during(&shutdown, performing).await?;
    if output.json {
        let mut value = report.to_json();
        value["sabotage"] = json!(demo.sabotage.map(|sabotage| format!("{sabotage:?}").to_lowercase()));
        line(&pretty(&value));
    } else {
        line(&report.to_text());
        line(&conclusion(&demo, report.is_good(), report.faults().len()));
    }
    Ok(if report.is_good() { Code::Ok } else { Code::Failure })
}

/// What goes in, and what had to be done to it.
fn introduction() -> anyhow::Result<String> {
    let script = Script::load()?;
    let rows = script.events.iter().map(|event| {
        let payload = match (event.printed, &event.repaired) {
            (true, None) => "from its document",
            (true, Some(_)) => "from its document, repaired",
            (false, _) => "ours: its document prints none",
        };
        [event.id.clone(), event.topic.clone(), event.origin.clone(), payload.to_owned()]
    });
    let table = table(["event", "topic", "CMS", "payload"], rows);
    let repaired = script
        .events
        .iter()
        .filter_map(|event| Some(format!("\n  {} repaired: {}", event.id, event.repaired.as_ref()?)));
    Ok(format!("What goes in:\n{table}{}\n", repaired.collect::<Vec<_>>().concat()))
}

fn conclusion(demo: &Demo, good: bool, faults: usize) -> String {
    let kept = match &demo.keep {
        Some(dir) => format!(
            "The data is kept: postrider serve --data-dir {0}\n  and then, in another terminal: postrider calls list --data-dir {0}\n",
            dir.display()
        ),
        None => String::new(),
    };
    let verdict = match (good, demo.sabotage) {
        (true, _) => "Everything came out as it must.".to_owned(),
        (false, Some(sabotage)) => {
            format!(
                "{faults} fault(s), as ordered: --sabotage {} was given.",
                format!("{sabotage:?}").to_lowercase()
            )
        }
        (false, None) => format!("{faults} fault(s): it did not come out as it must."),
    };
    format!(
        "{verdict}\n{kept}Where to look further:\n  \
         postrider serve                      the same system, to stay, in ./postrider-data\n  \
         postrider listen                     a receiver that prints and verifies calls\n  \
         postrider webhooks create --help     subscribe it to events\n  \
         postrider events publish --help      publish some; then: postrider events explain <id>\n  \
         README.md                            a tour of five minutes with curl"
    )
}
