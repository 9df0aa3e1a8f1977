//! `postrider calls export`: every call that a list would show, one JSON object per line.

use std::collections::HashMap;

use anyhow::Context as _;
use clap::Args;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::calls::{Which, written};
use crate::Context;
use crate::client::Server;
use crate::exit::{Code, Failure};
use crate::output::line_if_read;

/// Calls in one request: 50 of at most 700 kB each are 35 MB, and an answer of more than 64 MiB is not read.
const PAGE: &str = "50";

/// The flags of `calls export`.
#[derive(Debug, Args)]
#[command(
    after_help = "Newest first, as the server wrote each: one JSON object per line (NDJSON). Calls that are made meanwhile are not \
    among them. `calls show --json` has request and response of one.\n\n\
    Example:\n  postrider calls export --webhook search --state given_up > failed.ndjson"
)]
pub struct Export {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    server: Server,
}

/// Runs `calls export`: page after page, until the last or until nobody reads any more.
pub(super) async fn run(export: &Export, context: &Context) -> anyhow::Result<Code> {
    let client = export.server.client(context)?;
    let mut cursor = None;
    let mut count = 0_u64;
    loop {
        let mut query = export.which.query();
        query.push(("limit", PAGE.to_owned()));
        query.extend(cursor.map(|cursor| ("cursor", cursor)));
        let page = client.get(&client.in_space(&format!("/calls{}", written(&query)))).await;
        let page = page.with_context(|| format!("{count} calls were written, then the export broke off"))?;
        for call in calls(&page.text)? {
            if !line_if_read(call.get()) {
                return Ok(Code::Ok);
            }
            count += 1;
        }
        cursor = page.body.pointer("/pages/next").and_then(Value::as_str).map(str::to_owned);
        if cursor.is_none() {
            return Ok(Code::Ok);
        }
    }
}

/// The calls of a page, each as it came, so that nothing is reordered or rounded.
fn calls(page: &str) -> anyhow::Result<Vec<Box<RawValue>>> {
    let broken = |error| {
        Failure::new(Code::Server, format!("the server answered a list that cannot be read: {error}"))
    };
    let mut fields: HashMap<String, Box<RawValue>> = serde_json::from_str(page).map_err(broken)?;
    match fields.remove("items") {
        Some(items) => Ok(serde_json::from_str(items.get()).map_err(broken)?),
        None => {
            Err(Failure::new(Code::Server, format!("the server answered no list but {}", json!(page))).into())
        }
    }
}
