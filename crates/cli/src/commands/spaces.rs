//! `postrider spaces list|show|create|update`, `postrider balance`.

use clap::{Args, Subcommand};
use postrider_domain::delivery::DeliveryState;
use serde_json::{Value, json};

use crate::Context;
use crate::client::{Account, Server, encode};
use crate::exit::{Code, Failure};
use crate::output::{fields, instant, table, text};

/// The subcommands of `spaces`.
#[derive(Debug, Subcommand)]
pub enum Spaces {
    /// List the spaces that the token opens
    List(List),
    /// Show a space with its environments
    Show(One),
    /// Make a space; it has the environment `master`
    Create(Create),
    /// Rename a space
    Update(Update),
}

/// The flags of `spaces list`.
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    account: Account,
}

/// A space's id.
#[derive(Debug, Args)]
pub struct One {
    /// The space's id
    #[arg(value_name = "SPACE")]
    id: String,
    #[command(flatten)]
    account: Account,
}

/// The flags of `spaces create`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  postrider spaces create shop --name \"The shop\" --with-environment staging"
)]
pub struct Create {
    /// The space's id, 1 to 64 of A-Z a-z 0-9 _ -
    #[arg(value_name = "SPACE")]
    id: String,
    /// A name for people [default: the id]
    #[arg(long)]
    name: Option<String>,
    /// An environment to make beside `master` (repeatable)
    #[arg(long = "with-environment", value_name = "ID")]
    environments: Vec<String>,
    #[command(flatten)]
    account: Account,
}

/// The flags of `spaces update`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  postrider spaces update shop --name \"The new shop\"\n\n\
    Environments are added with `postrider environments create`.")]
pub struct Update {
    /// The space's id
    #[arg(value_name = "SPACE")]
    id: String,
    /// A name for people
    #[arg(long)]
    name: String,
    #[command(flatten)]
    account: Account,
}

/// The flags of `balance`.
#[derive(Debug, Args)]
#[command(
    after_help = "Every accepted event and each webhook it matched is in exactly one state. With a token of the whole instance, what \
    waits in its queues is shown as well.\n\nExample:\n  postrider balance --space shop"
)]
pub struct Balance {
    #[command(flatten)]
    server: Server,
}

/// Runs `spaces …`.
pub async fn run(spaces: Spaces, context: &Context) -> anyhow::Result<Code> {
    let output = context.output;
    match spaces {
        Spaces::List(list) => output.answer(&list.account.client(context)?.get("/spaces").await?, listed),
        Spaces::Show(one) => output.answer(&one.account.client(context)?.get(&path(&one.id)).await?, shown),
        Spaces::Create(create) => {
            let client = create.account.client(context)?;
            absent(client.get(&path(&create.id)).await, &create.id)?;
            let mut body = json!({ "name": create.name.as_ref().unwrap_or(&create.id) });
            if !create.environments.is_empty() {
                let master = ["master".to_owned()];
                body["environments"] = master.iter().chain(&create.environments).cloned().collect();
            }
            let answer = client.put(&path(&create.id), &body, None).await?;
            output.answer(&answer, |space| format!("created\n{}", shown(space)));
        }
        Spaces::Update(update) => {
            let client = update.account.client(context)?;
            // A space that is not there would be made.
            client.get(&path(&update.id)).await?;
            let answer = client.put(&path(&update.id), &json!({ "name": update.name }), None).await?;
            output.answer(&answer, |space| format!("updated\n{}", shown(space)));
        }
    }
    Ok(Code::Ok)
}

/// Runs `balance`.
pub async fn balance(balance: &Balance, context: &Context) -> anyhow::Result<Code> {
    let client = balance.server.client(context)?;
    context.output.answer(&client.get(&client.in_space("/balance")).await?, balanced);
    Ok(Code::Ok)
}

fn path(id: &str) -> String {
    format!("/spaces/{}", encode(id))
}

/// `create` must not change what is there.
pub(super) fn absent(found: anyhow::Result<crate::client::Answer>, id: &str) -> anyhow::Result<()> {
    match found {
        Ok(_) => {
            let said = format!("there is {id:?} already; nothing was changed");
            Err(Failure::new(Code::Invalid, said).next("choose another id, or use `update`").into())
        }
        Err(error) if crate::code_of(&error) == Code::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn environments(space: &Value) -> String {
    let names = space["environments"].as_array().into_iter().flatten().filter_map(Value::as_str);
    names.collect::<Vec<_>>().join(", ")
}

fn listed(answer: &Value) -> String {
    let spaces = answer["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let rows = spaces.iter().map(|space| {
        [text(space, "/sys/id"), text(space, "/name"), environments(space), instant(space, "/sys/createdAt")]
    });
    table(["id", "name", "environments", "made (UTC)"], rows)
}

fn shown(space: &Value) -> String {
    fields([
        ("space", text(space, "/sys/id")),
        ("name", text(space, "/name")),
        ("environments", environments(space)),
        ("made", text(space, "/sys/createdAt")),
    ])
}

/// Deliveries by state, and what waits in the queues if the server says so.
fn balanced(answer: &Value) -> String {
    let states = DeliveryState::ALL.map(DeliveryState::as_str);
    let states = states.map(|state| [state.to_owned(), text(answer, &format!("/states/{state}"))]);
    let total = [["in all".to_owned(), text(answer, "/total")]];
    let said = table(["deliveries", "count"], states.into_iter().chain(total));
    let Some(queues) = answer["queues"].as_object() else { return said };
    let rows = queues.iter().map(|(queue, depth)| {
        let [ready, delayed, leased] = ["/ready", "/delayed", "/leased"].map(|at| text(depth, at));
        [queue.clone(), ready, delayed, leased]
    });
    format!("{said}\n{}", table(["queue of the instance", "ready", "delayed", "in hand"], rows))
}
