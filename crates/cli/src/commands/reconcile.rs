//! `postrider reconcile`.

use std::time::Duration;

use clap::Args;
use postrider_ports::reconcile::{Cause, Run};
use serde_json::{Value, json};

use crate::Context;
use crate::compose::distributed::reconcile::Runs;
use crate::exit::{Code, Failure};
use crate::output::line;

/// A broker takes back after 30 min what somebody holds and does not end (`consumer_timeout`); then its record follows.
const SHORTEST: Duration = Duration::from_hours(1);

/// The flags of `reconcile`.
#[derive(Debug, Args)]
#[command(
    after_help = "A broker that comes back without its disk is noticed, and what it held is put back by itself: this is for messages \
    that were lost in another way, for example with a queue that somebody purged. Deliveries whose message is there after all ask \
    how far they have come before they act. `jobs` does the work, also when this command is stopped.\n\nIt refuses while records \
    wait to be written for more than a minute, because what looks open may be done then.\n\nExit code: 0 when everything is put \
    back, 1 when it refused."
)]
pub struct Reconcile {
    /// Put back open deliveries whose next attempt was due so long ago, at least 1h
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = overdue)]
    overdue: Duration,
    /// Only list what was put back so far, by hand or because the broker lost its disk
    #[arg(long, conflicts_with = "overdue")]
    list: bool,
}

/// Lists, or asks and waits.
pub async fn run(reconcile: &Reconcile, context: &Context) -> anyhow::Result<Code> {
    let runs = Runs::open(&context.settings).await?;
    if reconcile.list {
        let all = runs.list().await?;
        runs.close().await;
        let shown = Value::from(all.iter().map(as_json).collect::<Vec<_>>());
        context.output.print(&shown, |_| {
            if all.is_empty() {
                "Nothing was ever put back.".to_owned()
            } else {
                all.iter().map(text).collect::<Vec<_>>().join("\n")
            }
        });
        return Ok(Code::Ok);
    }
    let done = runs.put_back(reconcile.overdue).await;
    runs.close().await;
    let done = done?;
    if let Some(why) = done.ended.as_ref().and_then(|ended| ended.refused.clone()) {
        if context.output.json {
            line(&as_json(&done).to_string());
        }
        return Err(Failure::new(Code::Failure, why).into());
    }
    context.output.print(&as_json(&done), |_| text(&done));
    Ok(Code::Ok)
}

fn overdue(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text)
        .map_err(|_| "write a duration such as 1h, 90min or 2days".to_owned())?;
    if duration < SHORTEST {
        return Err("at least 1h: what is younger may be in somebody's hand".to_owned());
    }
    Ok(duration)
}

fn as_json(run: &Run) -> Value {
    let ended = run.ended.as_ref();
    json!({
        "id": run.id.0.to_string(),
        "cause": run.cause.as_str(),
        "askedAt": run.asked_at.to_string(),
        "beganAt": run.began_at.map(|at| at.to_string()),
        "endedAt": ended.map(|ended| ended.at.to_string()),
        "refused": ended.and_then(|ended| ended.refused.clone()),
        "putBack": run.put_back,
        "withoutContent": run.without_content,
        "missingMs": run.missing_ms,
    })
}

fn text(run: &Run) -> String {
    let cause = match run.cause {
        Cause::DiskLost => "the broker lost its disk",
        Cause::UnknownEpoch => "the broker has its disk, the database does not know it",
        Cause::ByHand => "by hand",
    };
    let state = match &run.ended {
        None => "goes on".to_owned(),
        Some(ended) => {
            ended.refused.as_ref().map_or_else(|| "done".to_owned(), |why| format!("refused: {why}"))
        }
    };
    let missing = run.missing_ms.map_or(String::new(), |ms| {
        format!("; at most {}.{:03} s before the loss were not in the log yet", ms / 1000, ms % 1000)
    });
    let without = match run.without_content {
        0 => String::new(),
        count => format!("; {count} cannot be put back, because their event is not in the log"),
    };
    format!("{}  {cause}: {} deliveries put back{without}{missing}; {state}", run.asked_at, run.put_back)
}
