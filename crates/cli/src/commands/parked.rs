//! `postrider parked list|show|redrive|drop`.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::call_text::with_next;
use super::listing::Part;
use crate::Context;
use crate::client::{Account, Client, encode};
use crate::exit::Code;
use crate::indent::indented;
use crate::output::{instant, table, text};

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
#[command(after_help = "The token must rule the whole instance: what is malformed may name no space.\n\n\
    Examples:\n  postrider parked list\n  postrider parked show 1795276912123\n  postrider parked redrive 1795276912123")]
pub struct List {
    #[command(flatten)]
    part: Part,
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
            let client = list.account.client(context)?;
            list.part.print((&client, "/parked"), Vec::new(), output.json, row, listed).await?;
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

fn row(message: &Value) -> [String; 6] {
    let [id, queue, deliveries, size] =
        ["/sys/id", "/queue", "/deliveries", "/sizeBytes"].map(|pointer| text(message, pointer));
    let reason = text(message, "/reason");
    [id, instant(message, "/parkedAt"), queue, deliveries, size, start(&reason, REASON).to_owned()]
}

fn listed(rows: Vec<[String; 6]>, next: Option<String>) -> String {
    if rows.is_empty() {
        return "Nothing is parked.".to_owned();
    }
    with_next(table(["id", "parked at (UTC)", "queue", "tries", "bytes", "why"], rows), next)
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
