//! `postrider deliveries list`.

use clap::{Args, Subcommand};
use postrider_domain::delivery::DeliveryState;

use super::delivery_text;
use super::listing::{Part, Which};
use super::when::When;
use crate::Context;
use crate::client::Place;
use crate::exit::Code;

/// DatoCMS's words for where a delivery stands, and ours.
const STATUSES: [&str; 10] = [
    "pending",
    "rescheduled",
    "success",
    "failed",
    "delivered",
    "given_up",
    "superseded",
    "skipped",
    "cancelled",
    "parked",
];

/// The orders, and what the API calls them.
const ORDERS: [(&str, &str); 4] =
    [("-changed", "-sys.updatedAt"), ("changed", "sys.updatedAt"), ("next", "nextAt"), ("-next", "-nextAt")];

/// The subcommands of `deliveries`.
#[derive(Debug, Subcommand)]
pub enum Deliveries {
    /// List deliveries, last changed first unless another order is asked for
    List(List),
}

/// The flags of `deliveries list`.
#[derive(Debug, Args)]
#[command(
    after_help = "A delivery is one event for one webhook, until it succeeds or is given up; each try is a call.\n\n\
    Examples:\n  \
    postrider deliveries list --state pending\n  \
    postrider deliveries list --webhook search --state given_up --from 1day\n  \
    postrider deliveries list --status rescheduled --order next\n  \
    postrider deliveries list --type Entry --action publish --all --json"
)]
pub struct List {
    #[command(flatten)]
    which: Which,
    /// Only those that stand so
    #[arg(long, value_name = "STATE", value_parser = DeliveryState::ALL.map(DeliveryState::as_str), help_heading = "Narrow")]
    state: Option<String>,
    /// Only those that stand so, told apart more finely: pending ones had no call yet, rescheduled ones wait for another
    #[arg(long, value_name = "STATUS", value_parser = STATUSES, conflicts_with = "state", help_heading = "Narrow")]
    status: Option<String>,
    /// Only those whose next call is due from here on: in so long (2h), a day, or an instant; soonest first
    #[arg(long, value_name = "WHEN", value_parser = When::read, help_heading = "Narrow")]
    next_from: Option<When>,
    /// Only those whose next call is due before: in so long, a day, or an instant; soonest first
    #[arg(long, value_name = "WHEN", value_parser = When::read, help_heading = "Narrow")]
    next_to: Option<When>,
    /// By their last change or their next call, - before it for descending [default: -changed]
    #[arg(long, value_name = "ORDER", value_parser = ORDERS.map(|(name, _)| name), allow_hyphen_values = true)]
    order: Option<String>,
    #[command(flatten)]
    part: Part,
    #[command(flatten)]
    place: Place,
}

/// Runs `deliveries …`.
pub async fn run(deliveries: Deliveries, context: &Context) -> anyhow::Result<Code> {
    let Deliveries::List(list) = deliveries;
    let client = list.place.client(context)?;
    let (mut query, path) = (list.which.query(&client, list.state.as_ref()), client.in_space("/deliveries"));
    let ahead = |when: Option<When>| when.map(|when| when.future().to_string());
    let order =
        |name: &String| ORDERS.iter().find(|(one, _)| one == name).map(|(_, order)| (*order).to_owned());
    let further = [
        ("status", list.status.clone()),
        ("nextAttemptFrom", ahead(list.next_from)),
        ("nextAttemptTo", ahead(list.next_to)),
        ("order", list.order.as_ref().and_then(order)),
    ];
    query.extend(further.into_iter().filter_map(|(name, value)| Some((name, value?))));
    let (rows, shown) = (delivery_text::row, delivery_text::listed);
    list.part.print((&client, &path), query, context.output.json, rows, shown).await?;
    Ok(Code::Ok)
}
