//! `postrider webhooks calls`: a webhook's activity log as Contentful has it.

use clap::Args;

use super::{call_text, webhook_text};
use crate::Context;
use crate::client::{Server, encode};
use crate::exit::Code;

/// The flags of `webhooks calls`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    postrider webhooks calls search\n  \
    postrider webhooks calls search 01a1feb0-af61-7e7a-b8ef-5ef530efe0ea\n\n\
    `postrider calls list --webhook search` says more of each call, and can be narrowed.")]
pub struct Calls {
    /// The webhook's id
    #[arg(value_name = "WEBHOOK")]
    id: String,
    /// One call, to see its request and response
    #[arg(conflicts_with_all = ["limit", "skip"])]
    call: Option<String>,
    /// How many
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=100), value_name = "COUNT")]
    limit: u16,
    /// Leave out so many of the newest, up to 10000
    #[arg(long, default_value_t = 0, value_name = "COUNT")]
    skip: u16,
    #[command(flatten)]
    server: Server,
}

/// Runs `webhooks calls`.
pub(super) async fn run(calls: &Calls, context: &Context) -> anyhow::Result<Code> {
    let client = calls.server.client(context)?;
    let path = client.in_space(&format!("/webhooks/{}/calls", encode(&calls.id)));
    if let Some(call) = &calls.call {
        let answer = client.get(&format!("{path}/{}", encode(call))).await?;
        context.output.answer(&answer, call_text::shown);
    } else {
        let answer = client.get(&format!("{path}?limit={}&skip={}", calls.limit, calls.skip)).await?;
        context.output.answer(&answer, webhook_text::called_list);
    }
    Ok(Code::Ok)
}
