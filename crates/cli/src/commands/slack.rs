//! `postrider slack list|show|connect|update|channels|disconnect`.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::hidden::Hidden;
use super::listing::written;
use super::spaces::absent;
use crate::Context;
use crate::client::{Answer, Client, Server, encode};
use crate::exit::Code;
use crate::output::{Output, fields, table, text};

/// The subcommands of `slack`.
#[derive(Debug, Subcommand)]
pub enum Slack {
    /// List the Slack connections of the space
    List(List),
    /// Show a connection; never its token or URL
    Show(One),
    /// Connect Slack, so that webhooks can post messages: with a bot's token or the URL of an incoming webhook
    Connect(Connect),
    /// Change a connection: another name, token or URL; its webhooks stay as they are
    Update(Update),
    /// List the channels that a connection's bot can see, archived ones included
    Channels(Channels),
    /// Disconnect Slack; refused while webhooks post through the connection
    Disconnect(One),
}

/// The flags of `slack list`.
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    server: Server,
}

/// What opens the door.
#[derive(Debug, Args)]
struct Secret {
    /// The bot's token (xoxb-…); Slack is asked whether it counts
    #[arg(
        long,
        value_name = "TOKEN",
        env = "POSTRIDER_SLACK_TOKEN",
        hide_env_values = true,
        conflicts_with = "incoming_url"
    )]
    bot_token: Option<Hidden>,
    /// The URL of an incoming webhook (https://hooks.slack.com/services/…)
    #[arg(long, value_name = "URL", env = "POSTRIDER_SLACK_URL", hide_env_values = true)]
    incoming_url: Option<Hidden>,
}

/// The flags of `slack connect`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    POSTRIDER_SLACK_TOKEN=xoxb-… postrider slack connect --id editors --name Editors\n  \
    postrider slack channels editors\n  \
    postrider webhooks create --name news --topic Entry.publish --slack editors --channel C0123456789\n\n\
    The bot's app needs the scopes chat:write, channels:read and groups:read. Into private channels it must be invited.")]
pub struct Connect {
    /// A name for people
    #[arg(long)]
    name: String,
    /// An id of your choice [default: drawn by the server]
    #[arg(long)]
    id: Option<String>,
    #[command(flatten)]
    secret: Secret,
    #[command(flatten)]
    server: Server,
}

/// The flags of `slack update`.
#[derive(Debug, Args)]
pub struct Update {
    /// The connection's id
    #[arg(value_name = "CONNECTION")]
    id: String,
    /// A name for people
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    secret: Secret,
    #[command(flatten)]
    server: Server,
}

/// The flags of `slack channels`.
#[derive(Debug, Args)]
pub struct Channels {
    /// The connection's id
    #[arg(value_name = "CONNECTION")]
    id: String,
    /// Only those whose name has this in it
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    #[command(flatten)]
    server: Server,
}

/// A connection's id.
#[derive(Debug, Args)]
pub struct One {
    /// The connection's id
    #[arg(value_name = "CONNECTION")]
    id: String,
    #[command(flatten)]
    server: Server,
}

/// Runs `slack …`.
pub async fn run(slack: Slack, context: &Context) -> anyhow::Result<Code> {
    let output = context.output;
    match slack {
        Slack::List(list) => {
            let client = list.server.client(context)?;
            output.answer(&client.get(&client.in_space("/slack_connections")).await?, listed);
        }
        Slack::Show(one) => {
            let client = one.server.client(context)?;
            output.answer(&client.get(&path(&client, &one.id)).await?, shown);
        }
        Slack::Connect(connect) => {
            let client = connect.server.client(context)?;
            let mut body = json!({ "name": connect.name });
            connect.secret.lay_over(&mut body);
            let answer = match connect.id {
                Some(id) => {
                    absent(client.get(&path(&client, &id)).await, &id)?;
                    client.put(&path(&client, &id), &body, None).await?
                }
                None => client.post(&client.in_space("/slack_connections"), &body).await?,
            };
            saved("connected", &answer, output);
        }
        Slack::Update(update) => {
            let client = update.server.client(context)?;
            let mut body = client.get(&path(&client, &update.id)).await?.body;
            if let Some(name) = update.name {
                body["name"] = json!(name);
            }
            update.secret.lay_over(&mut body);
            saved("updated", &client.put(&path(&client, &update.id), &body, None).await?, output);
        }
        Slack::Channels(channels) => self::channels(&channels, context).await?,
        Slack::Disconnect(one) => {
            let client = one.server.client(context)?;
            client.delete(&path(&client, &one.id)).await?;
            output.print(&json!({ "disconnected": one.id }), |_| format!("disconnected {}", one.id));
        }
    }
    Ok(Code::Ok)
}

/// All of them: Slack gives a few at a time.
async fn channels(channels: &Channels, context: &Context) -> anyhow::Result<()> {
    let client = channels.server.client(context)?;
    let path = format!("{}/channels", path(&client, &channels.id));
    let wanted = |channel: &Value| {
        let part = channels.name.as_deref().unwrap_or_default().to_lowercase();
        text(channel, "/name").to_lowercase().contains(&part)
    };
    let mut all: Vec<Value> = Vec::new();
    let mut query = Vec::new();
    loop {
        let page = client.get(&format!("{path}{}", written(&query))).await?.body;
        all.extend(page["items"].as_array().into_iter().flatten().filter(|one| wanted(one)).cloned());
        match page.pointer("/pages/next").and_then(Value::as_str) {
            Some(next) => query = vec![("cursor", next.to_owned())],
            None => break,
        }
    }
    context.output.print(&json!({ "items": all }), |_| shown_channels(&all));
    Ok(())
}

impl Secret {
    fn lay_over(&self, body: &mut Value) {
        for (name, secret) in [("token", &self.bot_token), ("url", &self.incoming_url)] {
            if let Some(Hidden(secret)) = secret {
                body[name] = json!(secret);
            }
        }
    }
}

fn path(client: &Client, id: &str) -> String {
    client.in_space(&format!("/slack_connections/{}", encode(id)))
}

fn listed(answer: &Value) -> String {
    let connections = answer["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    if connections.is_empty() {
        return "Slack is not connected yet: postrider slack connect --help".to_owned();
    }
    let row = |one: &Value| ["/sys/id", "/name", "/type", "/team", "/sys/createdAt"].map(|at| text(one, at));
    table(["id", "name", "type", "workspace", "connected"], connections.iter().map(row))
}

fn shown(connection: &Value) -> String {
    fields([
        ("connection", text(connection, "/sys/id")),
        ("name", text(connection, "/name")),
        ("type", text(connection, "/type")),
        ("workspace", text(connection, "/team")),
        ("connected", text(connection, "/sys/createdAt")),
        ("by", text(connection, "/sys/createdBy/sys/id")),
    ])
}

fn shown_channels(channels: &[Value]) -> String {
    if channels.is_empty() {
        return "There is no such channel that the bot can see; into a private one, invite it first."
            .to_owned();
    }
    let row = |channel: &Value| {
        let is = |name: &str| channel[name].as_bool().unwrap_or_default();
        let state = match (is("isArchived"), is("isMember")) {
            (true, _) => "archived",
            (false, true) => "member",
            (false, false) => "not a member",
        };
        let kind = if is("isPrivate") { "private" } else { "public" };
        [text(channel, "/sys/id"), text(channel, "/name"), kind.to_owned(), state.to_owned()]
    };
    table(["channel", "name", "kind", "the bot is"], channels.iter().map(row))
}

fn saved(what: &str, answer: &Answer, output: Output) {
    output.answer(answer, |connection| {
        let [id, name] = ["/sys/id", "/name"].map(|at| text(connection, at));
        match connection["team"].as_str() {
            Some(team) => {
                format!(
                    "{what} {id} ({name}), the workspace {team}\nIts channels: postrider slack channels {id}"
                )
            }
            None => format!("{what} {id} ({name}), an incoming webhook"),
        }
    });
}
