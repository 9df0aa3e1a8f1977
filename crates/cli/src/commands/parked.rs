//! `postrider parked list|show|redrive|drop`.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::Context;
use crate::client::{Account, Client, encode};
use crate::exit::Code;
use crate::indent::indented;
use crate::output::{table, text};

/// Characters of a body that `parked show` prints: what fits a few screens. `--json` has all of it.
const SHOWN: usize = 8 * 1024;
/// Characters of a reason in the list; `parked show` has all of it.
const REASON: usize = 120;

/// The subcommands of `parked`.
#[derive(Debug, Subcommand)]
pub enum Parked {
    /// List what could not be processed, oldest first, and why
    List(List),
    /// Show one message with its body
    Show(One),
    /// Put a message back into its queue, once what kept it from being processed is mended
    Redrive(One),
    /// Delete a message for ever
    Drop(One),
}

/// The flags of `parked list`.
#[derive(Debug, Args)]
pub struct List {
    /// How many
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Where the page before ended
    #[arg(long)]
    cursor: Option<String>,
    #[command(flatten)]
    account: Account,
}

/// A message's id.
#[derive(Debug, Args)]
pub struct One {
    /// The message's id, as `parked list` shows it
    #[arg(value_name = "MESSAGE")]
    id: String,
    #[command(flatten)]
    account: Account,
}

/// Runs `parked …`. Parked messages are of no one space: the token must rule the instance.
pub async fn run(parked: Parked, context: &Context) -> anyhow::Result<Code> {
    let output = context.output;
    match parked {
        Parked::List(list) => {
            let cursor =
                list.cursor.map_or_else(String::new, |cursor| format!("&cursor={}", encode(&cursor)));
            let path = format!("/parked?limit={}{cursor}", list.limit);
            output.answer(&list.account.client(context)?.get(&path).await?, listed);
        }
        Parked::Show(one) => output.answer(&one.client(context)?.get(&one.path()).await?, shown),
        Parked::Redrive(one) => {
            one.client(context)?.post(&format!("{}/redrive", one.path()), &json!({})).await?;
            output.print(&json!({ "redriven": one.id }), |_| {
                format!(
                    "{} is in its queue again; if it fails again, it is parked again under a new id",
                    one.id
                )
            });
        }
        Parked::Drop(one) => {
            one.client(context)?.delete(&one.path()).await?;
            output.print(&json!({ "dropped": one.id }), |_| format!("dropped {}", one.id));
        }
    }
    Ok(Code::Ok)
}

impl One {
    fn client(&self, context: &Context) -> anyhow::Result<Client> {
        self.account.client(context)
    }

    fn path(&self) -> String {
        format!("/parked/{}", encode(&self.id))
    }
}

fn listed(answer: &Value) -> String {
    let messages = answer["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    if messages.is_empty() {
        return "Nothing is parked.".to_owned();
    }
    let rows = messages.iter().map(|message| {
        let [id, at, queue, deliveries, size] =
            ["/sys/id", "/parkedAt", "/queue", "/deliveries", "/sizeBytes"]
                .map(|pointer| text(message, pointer));
        [id, at, queue, deliveries, size, start(&text(message, "/reason"), REASON).to_owned()]
    });
    let table = table(["id", "parked at", "queue", "tries", "bytes", "why"], rows);
    match answer.pointer("/pages/next").and_then(Value::as_str) {
        Some(next) => format!("{table}\nLater ones: add --cursor {next}"),
        None => table,
    }
}

fn shown(message: &Value) -> String {
    let head = format!(
        "message   {}\nparked    {} from {}, handed out {} times before\nwhy       {}\nbody      {} bytes",
        text(message, "/sys/id"),
        text(message, "/parkedAt"),
        text(message, "/queue"),
        text(message, "/deliveries"),
        text(message, "/reason"),
        text(message, "/sizeBytes"),
    );
    let Some(body) = message["body"].as_str() else {
        return format!("{head}, which are no text; --json has them in base64");
    };
    let body = indented(body).unwrap_or_else(|| body.to_owned());
    let part = start(&body, SHOWN);
    let cut = if part.len() < body.len() { "\n… --json has all of it" } else { "" };
    format!("{head}\n\n{part}{cut}")
}

/// The first so many characters.
fn start(text: &str, characters: usize) -> &str {
    text.char_indices().nth(characters).map_or(text, |(end, _)| &text[..end])
}
