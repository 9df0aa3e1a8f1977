//! `postrider sources list|create|delete`.

use clap::{Args, Subcommand};
use postrider_adapter_http::operator::OperatorRequest;
use postrider_domain::webhook::Method;
use serde_json::{Value, json};

use crate::Context;
use crate::client::{Answer, Client, Server, encode};
use crate::exit::Code;
use crate::output::{Output, table, text};

/// The subcommands of `sources`.
#[derive(Debug, Subcommand)]
pub enum Sources {
    /// List the sources of the space
    List(List),
    /// Make a source: an address to which a CMS sends its own webhooks
    Create(Create),
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
    /// How its webhooks are read
    #[arg(long)]
    dialect: String,
    /// The secret that the CMS signs with or sends as a key [default: one is drawn and shown this once]
    #[arg(long, env = "POSTRIDER_SOURCE_SECRET", hide_env_values = true)]
    secret: Option<String>,
    #[command(flatten)]
    server: Server,
}

/// A source's id.
#[derive(Debug, Args)]
pub struct One {
    /// The source's id
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
        Sources::Create(create) => {
            let client = create.server.client(context)?;
            let mut body = json!({ "name": create.name, "dialect": create.dialect });
            if let Some(secret) = create.secret {
                body["secret"] = json!(secret);
            }
            created(&client.post(&client.in_space("/sources"), &body).await?, &client, output);
        }
        Sources::Delete(one) => {
            let client = one.server.client(context)?;
            let path = client.in_space(&format!("/sources/{}", encode(&one.id)));
            let request = OperatorRequest { method: Method::Delete, path, ..OperatorRequest::default() };
            client.send(request).await?;
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

fn created(answer: &Answer, client: &Client, output: Output) {
    output.answer(answer, |source| {
        let id = text(source, "/sys/id");
        let address =
            client.ingest_base().to_owned() + &client.in_environment(&format!("/sources/{}", encode(&id)));
        let secret = match source.get("secret").and_then(Value::as_str) {
            Some(secret) => format!("\nIts secret, shown this once: {secret}"),
            None => String::new(),
        };
        format!("created {id} ({})\nThe CMS sends its webhooks to {address}{secret}", text(source, "/name"))
    });
}
