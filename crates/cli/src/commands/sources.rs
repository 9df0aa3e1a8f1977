//! `postrider sources list|show|create|update|send|delete`.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::hidden::Hidden;
use super::source_send::{self, Send};
use super::spaces::absent;
use crate::Context;
use crate::client::{Answer, Client, Door, Server, encode};
use crate::exit::Code;
use crate::output::{Output, fields, table, text};

/// The subcommands of `sources`.
#[derive(Debug, Subcommand)]
pub enum Sources {
    /// List the sources of the space
    List(List),
    /// Show a source and the address that the CMS sends to; never its secret
    Show(Shown),
    /// Make a source: an address to which a CMS sends its own webhooks
    Create(Create),
    /// Change a source: what is given is replaced, everything else stays
    Update(Update),
    /// Send a webhook to a source as its CMS would, to see what becomes of it
    Send(Send),
    /// Delete a source; what is sent to it is refused from then on
    Delete(One),
}

/// The flags of `sources list`.
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    server: Server,
}

/// The flags of `sources create`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  postrider sources create --name blog --dialect cometcms")]
pub struct Create {
    /// Which CMS sends here, for people
    #[arg(long)]
    name: String,
    /// How its webhooks are read: contentful, datocms, contentstack, contismo, cometcms, standard-webhooks, native
    #[arg(long)]
    dialect: String,
    /// An id of your choice [default: drawn by the server]
    #[arg(long)]
    id: Option<String>,
    /// The secret that the CMS signs with or sends as a key [default: one is drawn and shown this once]
    #[arg(long, env = "POSTRIDER_SOURCE_SECRET", hide_env_values = true)]
    secret: Option<Hidden>,
    #[command(flatten)]
    door: Door,
}

/// The flags of `sources show`.
#[derive(Debug, Args)]
pub struct Shown {
    /// The source's id
    #[arg(value_name = "SOURCE")]
    id: String,
    #[command(flatten)]
    door: Door,
}

/// The flags of `sources update`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  postrider sources update blog --name \"The blog\"\n\n\
    Another secret counts at once: change it at the CMS at the same time.")]
pub struct Update {
    /// The source's id
    #[arg(value_name = "SOURCE")]
    id: String,
    /// Which CMS sends here, for people
    #[arg(long)]
    name: Option<String>,
    /// How its webhooks are read: contentful, datocms, contentstack, contismo, cometcms, standard-webhooks, native
    #[arg(long)]
    dialect: Option<String>,
    /// The secret that the CMS signs with or sends as a key
    #[arg(long, env = "POSTRIDER_SOURCE_SECRET", hide_env_values = true)]
    secret: Option<Hidden>,
    #[command(flatten)]
    door: Door,
}

/// A source's id.
#[derive(Debug, Args)]
pub struct One {
    /// The source's id
    #[arg(value_name = "SOURCE")]
    id: String,
    #[command(flatten)]
    server: Server,
}

/// Runs `sources …`.
pub async fn run(sources: Sources, context: &Context) -> anyhow::Result<Code> {
    let output = context.output;
    match sources {
        Sources::List(list) => {
            let client = list.server.client(context)?;
            output.answer(&client.get(&client.in_space("/sources")).await?, listed);
        }
        Sources::Show(one) => {
            let client = one.door.client(context)?;
            let answer = client.get(&path(&client, &one.id)).await?;
            output.answer(&answer, |source| shown(source, &client));
        }
        Sources::Create(create) => {
            let client = create.door.client(context)?;
            let mut body = json!({ "name": create.name, "dialect": create.dialect });
            if let Some(Hidden(secret)) = create.secret {
                body["secret"] = json!(secret);
            }
            let answer = match create.id {
                Some(id) => {
                    absent(client.get(&path(&client, &id)).await, &id)?;
                    client.put(&path(&client, &id), &body, None).await?
                }
                None => client.post(&client.in_space("/sources"), &body).await?,
            };
            saved("created", &answer, &client, output);
        }
        Sources::Update(update) => {
            let client = update.door.client(context)?;
            let mut body = client.get(&path(&client, &update.id)).await?.body;
            let given = [
                ("name", update.name),
                ("dialect", update.dialect),
                ("secret", update.secret.map(|Hidden(secret)| secret)),
            ];
            for (name, value) in given.into_iter().filter_map(|(name, value)| Some((name, value?))) {
                body[name] = json!(value);
            }
            let answer = client.put(&path(&client, &update.id), &body, None).await?;
            saved("updated", &answer, &client, output);
        }
        Sources::Send(send) => return source_send::run(send, context).await,
        Sources::Delete(one) => {
            let client = one.server.client(context)?;
            client.delete(&path(&client, &one.id)).await?;
            output.print(&json!({ "deleted": one.id }), |_| format!("deleted {}", one.id));
        }
    }
    Ok(Code::Ok)
}

fn listed(answer: &Value) -> String {
    let sources = answer["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    if sources.is_empty() {
        return "There is no source yet: postrider sources create --help".to_owned();
    }
    let row = |source: &Value| ["/sys/id", "/name", "/dialect", "/path"].map(|pointer| text(source, pointer));
    table(["id", "name", "dialect", "path"], sources.iter().map(row))
}

fn path(client: &Client, id: &str) -> String {
    client.in_space(&format!("/sources/{}", encode(id)))
}

/// Where the CMS sends its webhooks.
fn address(source: &Value, client: &Client) -> String {
    let id = encode(&text(source, "/sys/id"));
    client.ingest_base().to_owned() + &client.in_environment(&format!("/sources/{id}"))
}

fn shown(source: &Value, client: &Client) -> String {
    fields([
        ("source", text(source, "/sys/id")),
        ("name", text(source, "/name")),
        ("dialect", text(source, "/dialect")),
        ("address", address(source, client)),
        ("made", text(source, "/sys/createdAt")),
        ("changed", text(source, "/sys/updatedAt")),
    ])
}

fn saved(what: &str, answer: &Answer, client: &Client, output: Output) {
    output.answer(answer, |source| {
        let secret = match source.get("secret").and_then(Value::as_str) {
            Some(secret) => format!("\nIts secret, shown this once: {secret}"),
            None => String::new(),
        };
        let (id, name) = (text(source, "/sys/id"), text(source, "/name"));
        format!("{what} {id} ({name})\nThe CMS sends its webhooks to {}{secret}", address(source, client))
    });
}
