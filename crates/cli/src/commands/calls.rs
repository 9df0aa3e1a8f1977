//! `postrider calls list|show|tail|resend|export`.

use clap::{Args, Subcommand};
use serde_json::json;

use super::calls_export::{self, Export};
use super::listing::{Part, Query, Which, written};
use super::{call_text, delivery_text};
use crate::Context;
use crate::client::{Client, Place, Server, encode};
use crate::exit::Code;
use crate::output::{line, line_if_read, note, text};

/// How long one request of `calls tail` waits at the server for something new; it allows up to 25 s.
const TAIL_WAIT: &str = "20";

/// The subcommands of `calls`.
#[derive(Debug, Subcommand)]
pub enum Calls {
    /// List calls, newest first
    List(List),
    /// Show a call with request and response; secrets are masked
    Show(One),
    /// Follow calls as they are made
    Tail(Tail),
    /// Send the event of a call to its webhook again, as the webhook is now
    Resend(One),
    /// Write all calls, one JSON object per line, newest first
    Export(Export),
}

/// Which calls.
#[derive(Debug, Args)]
pub(super) struct Made {
    #[command(flatten)]
    which: Which,
    /// Only those after which the delivery stood so
    #[arg(long, visible_alias = "status", value_name = "STATE", value_parser = ["delivered", "pending", "given_up"], help_heading = "Narrow")]
    state: Option<String>,
}

/// The flags of `calls list`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    postrider calls list --webhook search --state given_up\n  \
    postrider calls list --type Entry --action publish --from 2h\n  \
    postrider calls list --from 2027-01-01 --to 2027-01-02 --all --json")]
pub struct List {
    #[command(flatten)]
    made: Made,
    #[command(flatten)]
    part: Part,
    #[command(flatten)]
    place: Place,
}

/// The flags of `calls tail`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  postrider calls tail --webhook search\n\n\
    Ctrl-C stops. With --json the first line says which server is followed, and each call is one line.")]
pub struct Tail {
    #[command(flatten)]
    made: Made,
    /// Stop after so many calls
    #[arg(long, value_name = "COUNT")]
    calls: Option<u64>,
    #[command(flatten)]
    place: Place,
}

/// A call's id.
#[derive(Debug, Args)]
pub struct One {
    /// The call's id, as `calls list` shows it
    #[arg(value_name = "CALL")]
    id: String,
    #[command(flatten)]
    server: Server,
}

/// Runs `calls …`.
pub async fn run(calls: Calls, context: &Context) -> anyhow::Result<Code> {
    match calls {
        Calls::List(list) => {
            let client = list.place.client(context)?;
            let (query, path) = (list.made.query(&client), client.in_space("/calls"));
            let (rows, shown) = (call_text::row, call_text::listed);
            list.part.print((&client, &path), query, context.output.json, rows, shown).await?;
        }
        Calls::Show(one) => {
            let client = one.server.client(context)?;
            let answer = client.get(&call_path(&client, &one.id)).await?;
            context.output.answer(&answer, call_text::shown);
        }
        Calls::Resend(one) => {
            let client = one.server.client(context)?;
            let answer = client.post(&format!("{}/resend", call_path(&client, &one.id)), &json!({})).await?;
            context.output.answer(&answer, delivery_text::resent);
        }
        Calls::Tail(tail) => self::tail(&tail, context).await?,
        Calls::Export(export) => return calls_export::run(&export, context).await,
    }
    Ok(Code::Ok)
}

/// Follows calls until Ctrl-C, or until the asked number came: each request waits at the server for something new.
async fn tail(tail: &Tail, context: &Context) -> anyhow::Result<()> {
    let client = tail.place.client(context)?;
    let json = context.output.json;
    let path = |query: &[(&str, String)]| client.in_space(&format!("/calls{}", written(query)));
    let mut query = tail.made.query(&client);
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
        let mut query = tail.made.query(&client);
        query.extend([("cursor", cursor.clone()), ("wait", TAIL_WAIT.to_owned())]);
        let body = client.get(&path(&query)).await?.body;
        for call in body["items"].as_array().into_iter().flatten() {
            let read = line_if_read(&if json { call.to_string() } else { call_text::one_line(call) });
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

impl Made {
    pub(super) fn query(&self, client: &Client) -> Query {
        self.which.query(client, self.state.as_ref())
    }
}

fn call_path(client: &Client, id: &str) -> String {
    client.in_space(&format!("/calls/{}", encode(id)))
}
