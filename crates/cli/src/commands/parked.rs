//! `postrider parked list|show|redrive|drop`.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::call_text::with_next;
use super::listing::Part;
use crate::Context;
use crate::client::{Account, encode};
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
    /// Show one message with its body and the deliveries that wait for it
    Show(One),
    /// Put messages back into their queues, once what kept them from being processed is mended
    Redrive(Several),
    /// Delete messages for ever; the deliveries that wait for them are cancelled
    Drop(Several),
}

/// The flags of `parked list`.
#[derive(Debug, Args)]
#[command(after_help = "The token must rule the whole instance: what is malformed may name no space.\n\n\
    Examples:\n  postrider parked list\n  postrider parked show 1795276912123\n  postrider parked redrive 1795276912123 1795276912124")]
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

/// The ids of one message or more.
#[derive(Debug, Args)]
pub struct Several {
    /// The messages' ids, as `parked list` shows them
    #[arg(value_name = "MESSAGE", required = true)]
    ids: Vec<String>,
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
        Parked::Show(one) => {
            let client = one.account.client(context)?;
            output.answer(&client.get(&path(&one.id)).await?, shown);
        }
        Parked::Redrive(several) => {
            let client = several.account.client(context)?;
            for id in &several.ids {
                client.post(&format!("{}/redrive", path(id)), &json!({})).await?;
            }
            output.print(&json!({ "redriven": one_or_all(&several.ids) }), |_| {
                let back = |id: &String| {
                    format!(
                        "{id} is in its queue again; if it fails again, it is parked again under a new id"
                    )
                };
                lines(&several.ids, back)
            });
        }
        Parked::Drop(several) => {
            let client = several.account.client(context)?;
            for id in &several.ids {
                client.delete(&path(id)).await?;
            }
            let dropped = json!({ "dropped": one_or_all(&several.ids) });
            output.print(&dropped, |_| lines(&several.ids, |id| format!("dropped {id}")));
        }
    }
    Ok(Code::Ok)
}

fn path(id: &str) -> String {
    format!("/parked/{}", encode(id))
}

/// One id as a text, more as a list.
fn one_or_all(ids: &[String]) -> Value {
    match ids {
        [one] => json!(one),
        more => json!(more),
    }
}

fn lines(ids: &[String], line: impl Fn(&String) -> String) -> String {
    ids.iter().map(line).collect::<Vec<_>>().join("\n")
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
    let held = message["holds"].as_array().map(Vec::as_slice).unwrap_or_default();
    let held: String = held.iter().map(holding).collect();
    let head = head + &held;
    let Some(body) = message["body"].as_str() else {
        return format!("{head}, which are no text; --json has them in base64");
    };
    let body = indented(body).unwrap_or_else(|| body.to_owned());
    let part = start(&body, SHOWN);
    let cut = if part.len() < body.len() { "\n… --json has all of it" } else { "" };
    format!("{head}\n\n{part}{cut}")
}

/// A delivery that waits for the message.
fn holding(held: &Value) -> String {
    let [space, environment, event, webhook, attempts] =
        ["/space", "/environment", "/event", "/webhook", "/attempts"].map(|pointer| text(held, pointer));
    format!(
        "\nkeeps     event {event} of {space}/{environment} from webhook {webhook}, after {attempts} attempts"
    )
}

/// The first so many characters.
fn start(text: &str, characters: usize) -> &str {
    text.char_indices().nth(characters).map_or(text, |(end, _)| &text[..end])
}
