//! `postrider webhooks preview`: what an event would be to a webhook; nothing is sent.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::call_text::message;
use super::webhook_flags::read;
use super::webhooks::webhook_path;
use crate::Context;
use crate::client::Place;
use crate::exit::Code;
use crate::output::{note, text};

/// The flags of `webhooks preview`.
#[derive(Debug, Args)]
#[command(
    after_help = "Whether the webhook would be called, which rule decides, and the request as it would be sent; secrets and \
    signatures are masked. Nothing is sent and nothing is recorded.\n\n\
    Examples:\n  \
    postrider webhooks preview search --event-id story-1\n  \
    postrider webhooks preview search --event event.json\n  \
    postrider webhooks preview -f changed-webhook.json --event-id story-1"
)]
pub struct Preview {
    /// The webhook's id
    #[arg(value_name = "WEBHOOK", required_unless_present = "file", conflicts_with = "file")]
    id: Option<String>,
    /// A definition that is not saved, as JSON; - is standard input
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// An event as it would be published, as JSON; - is standard input [default: the event of `webhooks test`]
    #[arg(long, value_name = "FILE", conflicts_with = "event_id")]
    event: Option<PathBuf>,
    /// An event that was published
    #[arg(long, value_name = "EVENT")]
    event_id: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// Runs `webhooks preview`.
pub(super) async fn run(preview: &Preview, context: &Context) -> anyhow::Result<Code> {
    let client = preview.place.client(context)?;
    let mut body = json!({});
    if let Some(event) = &preview.event {
        body["event"] = read(event)?;
        if let Some(environment) = client.environment() {
            body["environment"] = json!(environment);
        }
    }
    if let Some(id) = &preview.event_id {
        body["eventId"] = json!(id);
    }
    let path = match &preview.id {
        Some(id) => format!("{}/preview", webhook_path(&client, id)),
        None => client.in_space("/webhook_definitions/preview"),
    };
    if let Some(file) = &preview.file {
        body["webhook"] = read(file)?;
    }
    let answer = client.post(&path, &body).await?;
    if !context.output.json {
        for warning in answer.body["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            note(&format!("warning: {warning}"));
        }
    }
    context.output.answer(&answer, shown);
    Ok(Code::Ok)
}

/// Whether it would be called, and with what.
fn shown(preview: &Value) -> String {
    let verdict = |decision: &Value| {
        let called = decision["matched"] == json!(true);
        let said = if called { "It would be called" } else { "It would not be called" };
        format!("{said}: {} ({})", text(decision, "/detail"), text(decision, "/rule"))
    };
    let mut said = verdict(&preview["decision"]);
    if preview["whenEnabled"].is_object() {
        said = format!("{said}\nIf it were switched on: {}", verdict(&preview["whenEnabled"]));
    }
    if let Some(error) = preview["error"].as_str() {
        return format!("{said}\nThe request cannot be written: {error}");
    }
    let request = &preview["request"];
    let [method, url] = ["/method", "/url"].map(|at| text(request, at));
    format!("{said}\n\n{method} {url}{}", message(request))
}
