//! `postrider webhooks list|create|update|delete|test|export|apply`.

use anyhow::Context as _;
use clap::{Args, Subcommand};
use postrider_adapter_http::operator::OperatorRequest;
use postrider_domain::webhook::Method;
use serde_json::{Value, json};

use super::webhook_apply::{self, Apply};
use super::webhook_file::Kept;
use super::webhook_flags::Definition;
use crate::Context;
use crate::client::{Answer, Client, Server, encode};
use crate::exit::Code;
use crate::indent::indented;
use crate::output::{Output, line, note, pretty, table, text};

/// Webhooks in one page of the list.
const PAGE: usize = 100;

/// The subcommands of `webhooks`.
#[derive(Debug, Subcommand)]
pub enum Webhooks {
    /// List the webhooks of the space, newest first
    List(List),
    /// Make a webhook
    Create(Create),
    /// Change a webhook: what is given is replaced, everything else stays
    Update(Update),
    /// Delete a webhook; its pending deliveries are cancelled
    Delete(One),
    /// Call a webhook once, now, with a made-up event, and show what it answered (exit code 1 unless 2xx)
    Test(One),
    /// Write all webhooks of the space as one JSON file, without secrets
    Export(List),
    /// Make the webhooks of the space what a file says, after showing what that changes
    Apply(Apply),
}

/// The flags of `webhooks list`.
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    server: Server,
}

/// The flags of `webhooks create`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    postrider webhooks create --name search --url https://example.com/hook --topic Entry.publish --topic Asset.*")]
pub struct Create {
    #[command(flatten)]
    definition: Definition,
    #[command(flatten)]
    server: Server,
}

/// The flags of `webhooks update`.
#[derive(Debug, Args)]
pub struct Update {
    /// The webhook's id
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
    id: String,
    #[command(flatten)]
    server: Server,
}

/// Runs `webhooks …`.
pub async fn run(webhooks: Webhooks, context: &Context) -> anyhow::Result<Code> {
    let output = context.output;
    match webhooks {
        Webhooks::List(list) => {
            let client = list.server.client(context)?;
            let all = all(&client).await?;
            output.print(&json!({ "items": all }), |_| listed(&all));
        }
        Webhooks::Create(create) => {
            let client = create.server.client(context)?;
            let mut body = json!({});
            create.definition.lay_over(&mut body)?;
            let answer = client.post(&client.in_space("/webhook_definitions"), &body).await?;
            saved("created", &answer, output);
        }
        Webhooks::Update(update) => {
            let client = update.server.client(context)?;
            let path = webhook_path(&client, &update.id);
            let mut body = client.get(&path).await?.body;
            let version = body.pointer("/sys/version").and_then(Value::as_u64).unwrap_or_default();
            update.definition.lay_over(&mut body)?;
            let request = OperatorRequest::send(Method::Put, path, body.to_string());
            let answer = client.send(request.with("x-contentful-version", version.to_string())).await?;
            saved("updated", &answer, output);
        }
        Webhooks::Delete(one) => {
            let client = one.server.client(context)?;
            let path = webhook_path(&client, &one.id);
            client
                .send(OperatorRequest { method: Method::Delete, path, ..OperatorRequest::default() })
                .await?;
            output.print(&json!({ "deleted": one.id }), |_| format!("deleted {}", one.id));
        }
        Webhooks::Export(list) => line(&exported(&all(&list.server.client(context)?).await?)),
        Webhooks::Apply(apply) => return webhook_apply::run(&apply, context).await,
        Webhooks::Test(one) => {
            let client = one.server.client(context)?;
            let answer = client.post(&format!("{}/test", webhook_path(&client, &one.id)), &json!({})).await;
            let answer = answer.context("the test call was not made")?;
            output.answer(&answer, tried);
            let good = answer.body["statusCode"].as_u64().is_some_and(|status| (200..300).contains(&status));
            return Ok(if good { Code::Ok } else { Code::Failure });
        }
    }
    Ok(Code::Ok)
}

/// By id, so that two exports can be compared.
fn exported(webhooks: &[Value]) -> String {
    let mut kept: Vec<Kept> = webhooks.iter().map(Kept::of_server).collect();
    kept.sort_by(|one, other| one.id.cmp(&other.id));
    pretty(&json!({ "webhooks": kept.iter().map(Kept::written).collect::<Vec<_>>() }))
}

/// Every webhook of the space.
pub(super) async fn all(client: &Client) -> anyhow::Result<Vec<Value>> {
    let mut all = Vec::new();
    loop {
        let path = client.in_space(&format!("/webhook_definitions?limit={PAGE}&skip={}", all.len()));
        let body = client.get(&path).await?.body;
        let items = body["items"].as_array().cloned().unwrap_or_default();
        let last = items.len() < PAGE;
        all.extend(items);
        if last {
            return Ok(all);
        }
    }
}

pub(super) fn webhook_path(client: &Client, id: &str) -> String {
    client.in_space(&format!("/webhook_definitions/{}", encode(id)))
}

fn saved(what: &str, answer: &Answer, output: Output) {
    for warning in &answer.warnings {
        note(&format!("warning: {warning}"));
    }
    output.answer(answer, |webhook| {
        let id = text(webhook, "/sys/id");
        let secret = match webhook.pointer("/signing/secret").and_then(Value::as_str) {
            Some(secret) => format!("\nIts signing secret, shown this once: {secret}"),
            None => String::new(),
        };
        format!("{what} {id} ({}){secret}", text(webhook, "/name"))
    });
}

fn listed(webhooks: &[Value]) -> String {
    if webhooks.is_empty() {
        return "There is no webhook yet: postrider webhooks create --help".to_owned();
    }
    table(
        ["id", "name", "calls", "for", "dialect", "active"],
        webhooks.iter().map(|webhook| {
            [
                text(webhook, "/sys/id"),
                text(webhook, "/name"),
                text(webhook, "/url"),
                subscribed(webhook),
                text(webhook, "/dialect"),
                if webhook["active"] == json!(false) { "no" } else { "yes" }.to_owned(),
            ]
        }),
    )
}

/// What a webhook subscribes to, in a few words.
fn subscribed(webhook: &Value) -> String {
    let list = |name: &str| webhook[name].as_array().cloned().unwrap_or_default();
    let mut parts: Vec<String> = list("topics").iter().filter_map(Value::as_str).map(str::to_owned).collect();
    let triggers = list("triggers").len();
    if triggers > 0 {
        parts.push(format!("{triggers} trigger(s)"));
    }
    let filters = list("filters").len();
    if filters > 0 {
        parts.push(format!("if {filters} filter(s) pass"));
    }
    parts.join(", ")
}

fn tried(answer: &Value) -> String {
    let status = text(answer, "/statusCode");
    let mut said =
        format!("{} {}\nanswered: {status}", text(answer, "/request/method"), text(answer, "/request/url"));
    if let Some(failure) = answer.pointer("/failure/message").and_then(Value::as_str) {
        said = format!("{said}\n  {failure}");
    }
    match answer.pointer("/response/body").and_then(Value::as_str).filter(|body| !body.is_empty()) {
        Some(body) => format!(
            "{said}
{}",
            indented(body).unwrap_or_else(|| body.to_owned())
        ),
        None => said,
    }
}
