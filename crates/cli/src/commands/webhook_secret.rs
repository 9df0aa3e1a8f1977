//! `postrider webhooks rotate-secret`.

use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::hidden::Hidden;
use super::webhook_text::saved;
use super::webhooks::webhook_path;
use crate::Context;
use crate::client::Server;
use crate::exit::Code;

/// The flags of `webhooks rotate-secret`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  postrider webhooks rotate-secret search --overlap 2h\n\n\
    Requests carry a signature of each secret until the overlap is over: give the receiver the new one within that time.")]
pub struct Rotate {
    /// The webhook's id
    #[arg(value_name = "WEBHOOK")]
    id: String,
    /// The new secret [default: one is drawn and shown this once]
    #[arg(long, value_name = "SECRET", env = "POSTRIDER_SIGNING_SECRET", hide_env_values = true)]
    secret: Option<Hidden>,
    /// How long the old secret signs beside the new one, up to 30days [default: 1day]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    overlap: Option<Duration>,
    #[command(flatten)]
    server: Server,
}

/// Runs `webhooks rotate-secret`.
pub(super) async fn run(rotate: &Rotate, context: &Context) -> anyhow::Result<Code> {
    let client = rotate.server.client(context)?;
    let mut body = json!({});
    if let Some(Hidden(secret)) = &rotate.secret {
        body["secret"] = json!(secret);
    }
    if let Some(overlap) = rotate.overlap {
        body["overlap"] = json!(overlap.as_secs_f64());
    }
    let path = format!("{}/signing_secret", webhook_path(&client, &rotate.id));
    saved("new signing secret for", &client.post(&path, &body).await?, context.output);
    Ok(Code::Ok)
}
