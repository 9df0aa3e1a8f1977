//! `postrider sources send`: a webhook to a source, as its CMS would send it.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use postrider_adapter_http::operator::OperatorRequest;
use postrider_domain::webhook::Method;
use serde_json::Value;

use super::hidden::Hidden;
use super::webhook_flags::pair;
use crate::Context;
use crate::client::{Door, encode};
use crate::exit::{Code, Failure};
use crate::output::text;

/// The flags of `sources send`.
#[derive(Debug, Args)]
#[command(
    after_help = "For trying a source out with a webhook that was recorded. It proves itself as the CMS does: by the signature among \
    its headers, or with the source's secret as a key. No API token is sent.\n\n\
    Examples:\n  \
    postrider sources send blog -f entry-published.json --header 'X-CometCMS-Signature=…'\n  \
    POSTRIDER_SOURCE_SECRET=… postrider sources send shop -f - < webhook.json"
)]
pub struct Send {
    /// The source's id
    #[arg(value_name = "SOURCE")]
    id: String,
    /// The body, sent byte for byte; - is standard input
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    /// A header, as the CMS sends it (repeatable)
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = pair)]
    headers: Vec<(String, String)>,
    /// The source's secret, sent as a key
    #[arg(long, env = "POSTRIDER_SOURCE_SECRET", hide_env_values = true)]
    secret: Option<Hidden>,
    #[command(flatten)]
    door: Door,
}

/// Runs `sources send`.
pub(super) async fn run(send: Send, context: &Context) -> anyhow::Result<Code> {
    let body = if send.file.as_os_str() == "-" {
        let mut body = Vec::new();
        std::io::Read::read_to_end(&mut std::io::stdin(), &mut body).map(|_| body)
    } else {
        std::fs::read(&send.file)
    };
    let body = body.map_err(|error| {
        Failure::new(Code::Invalid, format!("{} cannot be read: {error}", send.file.display()))
    })?;
    let client = send.door.stranger(context)?;
    let mut headers = send.headers;
    headers.extend(send.secret.map(|Hidden(key)| ("authorization".to_owned(), format!("Bearer {key}"))));
    let path = client.in_environment(&format!("/sources/{}", encode(&send.id)));
    let request = OperatorRequest { method: Method::Post, path, headers, body: Some(body.into()) };
    let answer = client.publish(request).await.context("the webhook was not taken")?;
    context.output.answer(&answer, taken);
    Ok(Code::Ok)
}

/// The events that it became.
fn taken(answer: &Value) -> String {
    let events = super::events::accepted_events(answer.clone());
    let lines = events.iter().map(|event| format!("{} {}", text(event, "/status"), text(event, "/id")));
    lines.collect::<Vec<_>>().join("\n")
}
