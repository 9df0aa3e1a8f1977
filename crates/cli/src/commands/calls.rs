//! `postrider calls list|show|tail|resend|export`.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::calls_export::{self, Export};
use crate::Context;
use crate::client::{Client, Server, encode};
use crate::exit::Code;
use crate::indent::indented;
use crate::output::{line, line_if_read, note, table, text};

/// How long one request of `calls tail` waits at the server for something new; it allows up to 25 s.
const TAIL_WAIT: &str = "20";

/// The subcommands of `calls`.
#[derive(Debug, Subcommand)]
pub enum Calls {
    /// List calls, newest first
    List(List),
    /// Show a call with request and response
    Show(One),
    /// Follow calls as they are made
    Tail(Tail),
    /// Send the event of a call to its webhook again
    Resend(One),
    /// Write all calls, one JSON object per line, newest first
    Export(Export),
}

/// Which calls.
#[derive(Debug, Args)]
pub struct Which {
    /// Only calls of this webhook
    #[arg(long, value_name = "ID")]
    webhook: Option<String>,
    /// Only calls for this event
    #[arg(long, value_name = "ID")]
    event: Option<String>,
    /// Only calls after which the delivery stood so: delivered, pending, given_up
    #[arg(long, value_name = "STATE", value_parser = ["delivered", "pending", "given_up"])]
    state: Option<String>,
}

/// The flags of `calls list`.
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    which: Which,
    /// How many
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=100))]
    limit: u16,
    /// Where the page before ended
    #[arg(long)]
    cursor: Option<String>,
    #[command(flatten)]
    server: Server,
}

/// The flags of `calls tail`.
#[derive(Debug, Args)]
pub struct Tail {
    #[command(flatten)]
    which: Which,
    /// Stop after so many calls
    #[arg(long, value_name = "COUNT")]
    calls: Option<u64>,
    #[command(flatten)]
    server: Server,
}

/// A call's id.
#[derive(Debug, Args)]
pub struct One {
    /// The call's id
    id: String,
    #[command(flatten)]
    server: Server,
}

/// Runs `calls …`.
pub async fn run(calls: Calls, context: &Context) -> anyhow::Result<Code> {
    match calls {
        Calls::List(list) => {
            let client = list.server.client(context)?;
            let mut query = list.which.query();
            query.push(("limit", list.limit.to_string()));
            query.extend(list.cursor.map(|cursor| ("cursor", cursor)));
            let answer = client.get(&client.in_space(&format!("/calls{}", written(&query)))).await?;
            context.output.answer(&answer, listed);
        }
        Calls::Show(one) => {
            let client = one.server.client(context)?;
            let answer = client.get(&call_path(&client, &one.id)).await?;
            context.output.answer(&answer, shown);
        }
        Calls::Resend(one) => {
            let client = one.server.client(context)?;
            let answer = client.post(&format!("{}/resend", call_path(&client, &one.id)), &json!({})).await?;
            context.output.answer(&answer, |_| format!("the event of call {} is on its way again", one.id));
        }
        Calls::Tail(tail) => self::tail(&tail, context).await?,
        Calls::Export(export) => return calls_export::run(&export, context).await,
    }
    Ok(Code::Ok)
}

/// Follows calls until Ctrl-C, or until the asked number came: each request waits at the server for something new.
async fn tail(tail: &Tail, context: &Context) -> anyhow::Result<()> {
    let client = tail.server.client(context)?;
    let json = context.output.json;
    let path = |query: &[(&str, String)]| client.in_space(&format!("/calls{}", written(query)));
    let mut query = tail.which.query();
    query.push(("limit", "1".to_owned()));
    let start = client.get(&path(&query)).await?.body;
    let mut cursor = text(&start, "/pages/newer");
    let following = format!("Following calls at {}. Ctrl-C stops.", client.base());
    if json {
        line(&json!({ "following": client.base() }).to_string());
    } else {
        note(&following);
    }
    let mut left = tail.calls.unwrap_or(u64::MAX);
    loop {
        let mut query = tail.which.query();
        query.extend([("cursor", cursor.clone()), ("wait", TAIL_WAIT.to_owned())]);
        let body = client.get(&path(&query)).await?.body;
        for call in body["items"].as_array().into_iter().flatten() {
            let read = line_if_read(&if json { call.to_string() } else { one_line(call) });
            left -= 1;
            if left == 0 || !read {
                return Ok(());
            }
        }
        if body["skipped"] == json!(true) {
            note("There were too many calls to show them all; postrider calls list has every one.");
        }
        cursor = text(&body, "/pages/newer");
    }
}

impl Which {
    pub(super) fn query(&self) -> Vec<(&'static str, String)> {
        let given = [("webhook", &self.webhook), ("event", &self.event), ("state", &self.state)];
        given.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))).collect()
    }
}

fn call_path(client: &Client, id: &str) -> String {
    client.in_space(&format!("/calls/{}", encode(id)))
}

pub(super) fn written(query: &[(&str, String)]) -> String {
    let parts: Vec<String> = query.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    if parts.is_empty() { String::new() } else { format!("?{}", parts.join("&")) }
}

fn listed(body: &Value) -> String {
    let calls = body["items"].as_array().cloned().unwrap_or_default();
    if calls.is_empty() {
        return "There is no such call yet.".to_owned();
    }
    let rows = calls.iter().map(|call| {
        [
            text(call, "/sys/id"),
            text(call, "/requestAt"),
            format!("{} {}", text(call, "/event/topic"), text(call, "/event/id")),
            text(call, "/webhook"),
            text(call, "/attempt"),
            answered(call),
            format!("{} ms", text(call, "/timings/totalMs")),
            text(call, "/state"),
        ]
    });
    let table = table(["id", "at", "event", "webhook", "attempt", "answer", "took", "delivery"], rows);
    match body.pointer("/pages/next").and_then(Value::as_str) {
        Some(next) => format!("{table}\nOlder ones: add --cursor {next}"),
        None => table,
    }
}

/// The status, or why there is none.
fn answered(call: &Value) -> String {
    match call["statusCode"].as_u64() {
        Some(status) => status.to_string(),
        None => text(call, "/failure/kind"),
    }
}

fn one_line(call: &Value) -> String {
    format!(
        "{}  {:<9} {} {} → {}  attempt {}  {} ms  {}",
        text(call, "/requestAt"),
        answered(call),
        text(call, "/event/topic"),
        text(call, "/event/id"),
        text(call, "/webhook"),
        text(call, "/attempt"),
        text(call, "/timings/totalMs"),
        text(call, "/sys/id"),
    )
}

fn shown(call: &Value) -> String {
    let mut said = format!(
        "call      {}\nevent     {} {}\nwebhook   {}\nattempt   {} of generation {}, delivery {} afterwards",
        text(call, "/sys/id"),
        text(call, "/event/topic"),
        text(call, "/event/id"),
        text(call, "/webhook"),
        text(call, "/attempt"),
        text(call, "/generation"),
        text(call, "/state"),
    );
    if call["nextAt"].is_string() {
        said = format!("{said}\nagain at  {}", text(call, "/nextAt"));
    }
    said = format!(
        "{said}\n\n{}  {} {}{}",
        text(call, "/requestAt"),
        text(call, "/request/method"),
        text(call, "/request/url"),
        message(&call["request"])
    );
    if let Some(failure) = call.pointer("/failure/message").and_then(Value::as_str) {
        return format!("{said}\n\nno answer after {} ms: {failure}", text(call, "/timings/totalMs"));
    }
    format!(
        "{said}\n\nanswered {} after {} ms{}",
        text(call, "/statusCode"),
        text(call, "/timings/totalMs"),
        message(&call["response"])
    )
}

/// Headers and body.
fn message(message: &Value) -> String {
    let headers = message["headers"].as_object().into_iter().flatten().map(|(name, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("\n  {name}: {value}")
    });
    let headers: Vec<String> = headers.collect();
    let body = message["body"].as_str().unwrap_or_default();
    let body = indented(body).unwrap_or_else(|| body.to_owned());
    let gap = if body.is_empty() { "" } else { "\n\n" };
    format!("{}{gap}{body}", headers.concat())
}
