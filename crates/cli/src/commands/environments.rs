//! `postrider environments list|show|create`.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::spaces::absent;
use crate::Context;
use crate::client::{Client, Server, encode};
use crate::exit::Code;
use crate::output::{table, text};

/// The subcommands of `environments`.
#[derive(Debug, Subcommand)]
pub enum Environments {
    /// List the environments of the space
    List(List),
    /// Show an environment (exit code 5 if there is none)
    Show(One),
    /// Make an environment
    #[command(after_help = "Example:\n  postrider environments create staging --space shop")]
    Create(One),
}

/// The flags of `environments list`.
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    server: Server,
}

/// An environment's id.
#[derive(Debug, Args)]
pub struct One {
    /// The environment's id, 1 to 64 of A-Z a-z 0-9 _ -
    #[arg(value_name = "ENVIRONMENT")]
    id: String,
    #[command(flatten)]
    server: Server,
}

/// Runs `environments …`.
pub async fn run(environments: Environments, context: &Context) -> anyhow::Result<Code> {
    let output = context.output;
    match environments {
        Environments::List(list) => {
            let client = list.server.client(context)?;
            output.answer(&client.get(&client.in_space("/environments")).await?, listed);
        }
        Environments::Show(one) => {
            let client = one.server.client(context)?;
            output.answer(&client.get(&path(&client, &one.id)).await?, shown);
        }
        Environments::Create(one) => {
            let client = one.server.client(context)?;
            absent(client.get(&path(&client, &one.id)).await, &one.id)?;
            let answer = client.put(&path(&client, &one.id), &json!({}), None).await?;
            output.answer(&answer, |environment| format!("created {}", shown(environment)));
        }
    }
    Ok(Code::Ok)
}

fn path(client: &Client, id: &str) -> String {
    client.in_space(&format!("/environments/{}", encode(id)))
}

fn listed(answer: &Value) -> String {
    let environments = answer["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let row = |one: &Value| ["/sys/id", "/sys/status/sys/id"].map(|pointer| text(one, pointer));
    table(["id", "status"], environments.iter().map(row))
}

fn shown(environment: &Value) -> String {
    format!(
        "{} of space {}: {}",
        text(environment, "/sys/id"),
        text(environment, "/sys/space/sys/id"),
        text(environment, "/sys/status/sys/id")
    )
}
