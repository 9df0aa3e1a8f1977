//! `postrider migrate`.

use std::time::Duration;

use clap::Args;
use serde_json::json;

use crate::Context;
use crate::compose::distributed::migrate::migrate;
use crate::exit::Code;
use crate::output::{line, note};

/// The flags of `migrate`.
#[derive(Debug, Args)]
#[command(
    after_help = "Run it before the processes of a new release start. It may run at any time and several times at once: what is done \
    already is left as it is, and the release before runs on the new schema too."
)]
pub struct Migrate {
    /// Make one more admin token, for when the first one was lost
    #[arg(long)]
    new_token: bool,
    /// How long to try again while a server is away
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = humantime::parse_duration)]
    wait: Duration,
}

/// Brings the servers up to date and shows a token, if one was made.
pub async fn run(migrate_: &Migrate, context: &Context) -> anyhow::Result<Code> {
    let done = migrate(&context.settings, migrate_.new_token, migrate_.wait).await?;
    for warning in &done.warnings {
        note(&format!("warning: {warning}"));
    }
    if context.output.json {
        line(&json!({ "schema": done.schema, "token": done.token, "warnings": done.warnings }).to_string());
        return Ok(Code::Ok);
    }
    line(&format!("Schema        generation {}", done.schema));
    line("Broker        exchanges and queues are declared");
    line(&match done.token {
        Some(token) => format!("Admin token   {token}\n              Shown this once."),
        None => {
            "Admin token   as printed on the first run; if it was lost, run it with --new-token".to_owned()
        }
    });
    Ok(Code::Ok)
}
