//! `postrider openapi`: the document of the management API.

use clap::Args;

use crate::Context;
use crate::client::Account;
use crate::exit::Code;
use crate::output::line;

/// The flags of `openapi`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  postrider openapi --server https://postrider.example.com > openapi.json\n\n\
    No token is needed. The same document for reading is at /docs of the server."
)]
pub struct OpenApi {
    #[command(flatten)]
    account: Account,
}

/// Prints the document as the server gives it.
pub async fn run(openapi: &OpenApi, context: &Context) -> anyhow::Result<Code> {
    let answer = openapi.account.stranger(context)?.get("/openapi.json").await?;
    line(answer.text.trim_end());
    Ok(Code::Ok)
}
