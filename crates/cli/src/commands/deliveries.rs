//! `postrider deliveries list`.

use clap::{Args, Subcommand};
use postrider_domain::delivery::DeliveryState;

use super::delivery_text;
use super::listing::{Part, Which};
use crate::Context;
use crate::client::Place;
use crate::exit::Code;

/// The subcommands of `deliveries`.
#[derive(Debug, Subcommand)]
pub enum Deliveries {
    /// List deliveries, last changed first
    List(List),
}

/// The flags of `deliveries list`.
#[derive(Debug, Args)]
#[command(
    after_help = "A delivery is one event for one webhook, until it succeeds or is given up; each try is a call.\n\n\
    Examples:\n  \
    postrider deliveries list --state pending\n  \
    postrider deliveries list --webhook search --state given_up --from 1day\n  \
    postrider deliveries list --type Entry --action publish --all --json"
)]
pub struct List {
    #[command(flatten)]
    which: Which,
    /// Only those that stand so
    #[arg(long, visible_alias = "status", value_name = "STATE", value_parser = DeliveryState::ALL.map(DeliveryState::as_str), help_heading = "Narrow")]
    state: Option<String>,
    #[command(flatten)]
    part: Part,
    #[command(flatten)]
    place: Place,
}

/// Runs `deliveries …`.
pub async fn run(deliveries: Deliveries, context: &Context) -> anyhow::Result<Code> {
    let Deliveries::List(list) = deliveries;
    let client = list.place.client(context)?;
    let (query, path) = (list.which.query(&client, list.state.as_ref()), client.in_space("/deliveries"));
    let (rows, shown) = (delivery_text::row, delivery_text::listed);
    list.part.print((&client, &path), query, context.output.json, rows, shown).await?;
    Ok(Code::Ok)
}
