//! `postrider calls export`: every call that a list would show, one JSON object per line.

use anyhow::Context as _;
use clap::Args;

use super::calls::Made;
use super::listing::{AT_ONCE, Pages, items};
use crate::Context;
use crate::client::Place;
use crate::exit::Code;
use crate::output::line_if_read;

/// The flags of `calls export`.
#[derive(Debug, Args)]
#[command(
    after_help = "Newest first, as the server wrote each: one JSON object per line (NDJSON). Calls that are made meanwhile are not \
    among them. `calls show --json` has request and response of one.\n\n\
    Examples:\n  postrider calls export --webhook search --state given_up > failed.ndjson\n  \
    postrider calls export --from 1day | jq -r .statusCode | sort | uniq -c"
)]
pub struct Export {
    #[command(flatten)]
    made: Made,
    #[command(flatten)]
    place: Place,
}

/// Runs `calls export`: page after page, until the last or until nobody reads any more.
pub(super) async fn run(export: &Export, context: &Context) -> anyhow::Result<Code> {
    let client = export.place.client(context)?;
    let (query, path) = (export.made.query(&client), client.in_space("/calls"));
    let mut pages = Pages { client: &client, path: &path, query, limit: AT_ONCE, next: None, over: false };
    let mut count = 0_u64;
    loop {
        let page = pages.next().await;
        let page = page.with_context(|| format!("{count} calls were written, then the export broke off"))?;
        let Some(page) = page else { return Ok(Code::Ok) };
        for call in items(&page.text)? {
            if !line_if_read(call.get()) {
                return Ok(Code::Ok);
            }
            count += 1;
        }
    }
}
