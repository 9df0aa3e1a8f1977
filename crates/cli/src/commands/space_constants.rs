//! `postrider settings constants …`: what CMSs write into every payload.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::space_settings::Of;
use crate::Context;
use crate::client::Server;

/// Where the API has them.
const CONSTANTS: &str = "/webhook_settings/constants";

/// The subcommands of `settings constants`.
#[derive(Debug, Subcommand)]
pub enum Constants {
    /// Show the constants
    Show(Of),
    /// Set the constants, all together: what is not given is the space's id again
    Set(SetConstants),
    /// Delete the constants: each is the space's id again
    Delete(Of),
}

/// The flags of `settings constants set`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  postrider settings constants set --site-id 205")]
#[group(required = true, multiple = true, args = ["api_key", "site_id", "project"])]
pub struct SetConstants {
    /// Contentstack's `api_key` of the stack
    #[arg(long, value_name = "KEY")]
    api_key: Option<String>,
    /// DatoCMS's `site_id`
    #[arg(long, value_name = "ID")]
    site_id: Option<String>,
    /// Contismo's `project`
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    #[command(flatten)]
    server: Server,
}

/// Runs `settings constants …`.
pub async fn run(constants: Constants, context: &Context) -> anyhow::Result<()> {
    match constants {
        Constants::Show(of) => of.show(CONSTANTS, context, human).await,
        Constants::Set(set) => {
            let client = set.server.client(context)?;
            let body = json!({ "api_key": set.api_key, "site_id": set.site_id, "project": set.project });
            let answer = client.put(&client.in_space(CONSTANTS), &body, None).await?;
            context.output.answer(&answer, |constants| format!("set: {}", human(constants)));
            Ok(())
        }
        Constants::Delete(of) => of.delete(CONSTANTS, "the constants", context).await,
    }
}

fn human(constants: &Value) -> String {
    let said = ["api_key", "site_id", "project"]
        .iter()
        .filter_map(|name| Some(format!("{name} {}", constants.get(*name)?.as_str()?)));
    let said = said.collect::<Vec<_>>();
    if said.is_empty() { "no constants: each is the space's id".to_owned() } else { said.join(", ") }
}
