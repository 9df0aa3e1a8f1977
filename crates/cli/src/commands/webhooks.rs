//! `postrider webhooks …`.

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::spaces::absent;
use super::webhook_apply::{self, Apply};
use super::webhook_calls::{self, Calls};
use super::webhook_file::Kept;
use super::webhook_flags::Definition;
use super::webhook_preview::{self, Preview};
use super::webhook_secret::{self, Rotate};
use super::webhook_text::{health, listed, saved, shown, tried};
use crate::Context;
use crate::client::{Client, Server, encode};
use crate::exit::{Code, Failure};
use crate::output::{line, pretty, text};

/// Webhooks in one page of the list.
const PAGE: usize = 100;

/// The subcommands of `webhooks`.
#[derive(Debug, Subcommand)]
pub enum Webhooks {
    /// List the webhooks of the space, newest first
    List(List),
    /// Show a webhook with all its settings; never its secrets
    Show(One),
    /// Make a webhook
    Create(Create),
    /// Change a webhook: what is given is replaced, everything else stays
    Update(Update),
    /// Delete a webhook; its pending deliveries are cancelled
    Delete(One),
    /// Switch a webhook on again; what was cancelled meanwhile is not sent
    Enable(One),
    /// Switch a webhook off; its pending deliveries are cancelled
    Disable(One),
    /// Call a webhook once, now, with a made-up event, and show what it answered (exit code 1 unless it took it)
    Test(One),
    /// Send a webhook a small `Webhook.ping` event, whatever it subscribes to; the call is on record (exit code 1 unless it took it)
    Ping(One),
    /// Say whether a webhook would be called for an event, and with what request; nothing is sent
    Preview(Preview),
    /// Give a webhook a new signing secret; the old one signs beside it for a while
    RotateSecret(Rotate),
    /// Say how many of a webhook's calls succeeded
    Health(One),
    /// List the calls of a webhook, or show one, in the form of Contentful's activity log
    Calls(Calls),
    /// Write all webhooks of the space as one JSON file, without secrets
    Export(List),
    /// Make the webhooks of the space what a file says, after showing what that changes
    Apply(Apply),
}

/// The flags of `webhooks list` and `export`.
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    server: Server,
}

/// The flags of `webhooks create`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    postrider webhooks create --name search --url https://example.com/hook --topic Entry.publish --topic 'Asset.*'\n  \
    postrider webhooks create --name news --topic Entry.publish --slack editors --channel C0123456789\n  \
    postrider webhooks create --id search -f search.json\n\n\
    What flags cannot say (triggers, filters, transformations, templates) goes into the file: see `webhooks show --json` of another one.")]
pub struct Create {
    /// An id of your choice [default: drawn by the server]
    #[arg(long)]
    id: Option<String>,
    #[command(flatten)]
    definition: Definition,
    #[command(flatten)]
    server: Server,
}

/// The flags of `webhooks update`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    postrider webhooks update search --url https://example.com/new\n  \
    postrider webhooks show search --json > search.json   # edit it, then\n  \
    postrider webhooks update search -f search.json\n\n\
    A list that is given replaces the whole list: name every topic that the webhook shall have. If somebody else changed the \
    webhook meanwhile, nothing is changed.")]
pub struct Update {
    /// The webhook's id
    #[arg(value_name = "WEBHOOK")]
    id: String,
    #[command(flatten)]
    definition: Definition,
    #[command(flatten)]
    server: Server,
}

/// A webhook's id.
#[derive(Debug, Args)]
pub struct One {
    /// The webhook's id
    #[arg(value_name = "WEBHOOK")]
    id: String,
    #[command(flatten)]
    server: Server,
}

/// Runs `webhooks …`.
pub async fn run(webhooks: Webhooks, context: &Context) -> anyhow::Result<Code> {
    let output = context.output;
    match webhooks {
        Webhooks::List(list) => {
            let all = all(&list.server.client(context)?).await?;
            output.print(&json!({ "items": all }), |_| listed(&all));
        }
        Webhooks::Show(one) => {
            let (client, path) = one.there(context)?;
            output.answer(&client.get(&path).await?, shown);
        }
        Webhooks::Create(create) => return self::create(&create, context).await,
        Webhooks::Update(update) => return self::update(&update, context).await,
        Webhooks::Delete(one) => {
            let (client, path) = one.there(context)?;
            client.delete(&path).await?;
            output.print(&json!({ "deleted": one.id }), |_| format!("deleted {}", one.id));
        }
        Webhooks::Enable(one) => {
            let (client, path) = one.there(context)?;
            saved("enabled", &client.post(&format!("{path}/enable"), &json!({})).await?, output);
        }
        Webhooks::Disable(one) => {
            let (client, path) = one.there(context)?;
            saved("disabled", &client.post(&format!("{path}/disable"), &json!({})).await?, output);
        }
        Webhooks::Test(one) => return try_out(&one, "test", context).await,
        Webhooks::Ping(one) => return try_out(&one, "ping", context).await,
        Webhooks::Preview(preview) => return webhook_preview::run(&preview, context).await,
        Webhooks::RotateSecret(rotate) => return webhook_secret::run(&rotate, context).await,
        Webhooks::Health(one) => {
            let client = one.server.client(context)?;
            let path = client.in_space(&format!("/webhooks/{}/health", encode(&one.id)));
            output.answer(&client.get(&path).await?, health);
        }
        Webhooks::Calls(calls) => return webhook_calls::run(&calls, context).await,
        Webhooks::Export(list) => line(&exported(&all(&list.server.client(context)?).await?)),
        Webhooks::Apply(apply) => return webhook_apply::run(&apply, context).await,
    }
    Ok(Code::Ok)
}

async fn create(create: &Create, context: &Context) -> anyhow::Result<Code> {
    let client = create.server.client(context)?;
    let mut body = json!({});
    create.definition.lay_over(&mut body)?;
    let answer = match &create.id {
        Some(id) => {
            let path = webhook_path(&client, id);
            absent(client.get(&path).await, id)?;
            client.put(&path, &body, None).await?
        }
        None => client.post(&client.in_space("/webhook_definitions"), &body).await?,
    };
    saved("created", &answer, context.output);
    Ok(Code::Ok)
}

async fn update(update: &Update, context: &Context) -> anyhow::Result<Code> {
    let client = update.server.client(context)?;
    let path = webhook_path(&client, &update.id);
    let mut body = client.get(&path).await?.body;
    let version = body.pointer("/sys/version").and_then(Value::as_u64);
    let before = body.clone();
    update.definition.lay_over(&mut body)?;
    if body == before {
        let said =
            format!("nothing was changed: no flag and no file says what webhook {} is to be", update.id);
        return Err(Failure::new(Code::Invalid, said).next("see postrider webhooks update --help").into());
    }
    saved("updated", &client.put(&path, &body, version).await?, context.output);
    Ok(Code::Ok)
}

/// Makes one call now; exit code 0 only if the receiver took it.
async fn try_out(one: &One, how: &str, context: &Context) -> anyhow::Result<Code> {
    let (client, path) = one.there(context)?;
    let answer = client.post(&format!("{path}/{how}"), &json!({})).await;
    let answer = answer.with_context(|| format!("the {how} call was not made"))?;
    context.output.answer(&answer, tried);
    // Slack says 200 to what it refuses, so the status alone does not tell.
    let good = answer.body["state"] == "delivered";
    Ok(if good { Code::Ok } else { Code::Failure })
}

impl One {
    /// Whom to ask, and the webhook's path there.
    fn there(&self, context: &Context) -> anyhow::Result<(Client, String)> {
        let client = self.server.client(context)?;
        let path = webhook_path(&client, &self.id);
        Ok((client, path))
    }
}

/// By id, so that two exports can be compared.
fn exported(webhooks: &[Value]) -> String {
    let mut kept: Vec<Kept> = webhooks.iter().map(Kept::of_server).collect();
    kept.sort_by(|one, other| one.id.cmp(&other.id));
    pretty(&json!({ "webhooks": kept.iter().map(Kept::written).collect::<Vec<_>>() }))
}

/// Every webhook of the space.
pub(super) async fn all(client: &Client) -> anyhow::Result<Vec<Value>> {
    let mut all: Vec<Value> = Vec::new();
    loop {
        let path = client.in_space(&format!("/webhook_definitions?limit={PAGE}&skip={}", all.len()));
        let body = client.get(&path).await?.body;
        let items = body["items"].as_array().cloned().unwrap_or_default();
        let last = items.len() < PAGE;
        // One that was made meanwhile moves the others on: what stands at the end of a page comes again on the next.
        let known: Vec<String> = all.iter().map(|webhook| text(webhook, "/sys/id")).collect();
        all.extend(items.into_iter().filter(|webhook| !known.contains(&text(webhook, "/sys/id"))));
        if last {
            return Ok(all);
        }
    }
}

pub(super) fn webhook_path(client: &Client, id: &str) -> String {
    client.in_space(&format!("/webhook_definitions/{}", encode(id)))
}
