//! `postrider tokens list|create|revoke`.

use std::time::Duration;

use clap::{Args, Subcommand};
use postrider_domain::timestamp::Timestamp;
use postrider_domain::token::Role;
use postrider_ports::clock::Clock;
use serde_json::{Value, json};

use crate::Context;
use crate::client::{Server, encode};
use crate::compose::clock::SystemClock;
use crate::exit::Code;
use crate::output::{table, text};

/// The subcommands of `tokens`.
#[derive(Debug, Subcommand)]
pub enum Tokens {
    /// List the tokens that this one may manage, oldest first; never the tokens themselves
    List(List),
    /// Make a token, shown this once: for the space of --space, or for all of them
    Create(Create),
    /// Revoke a token; from now on it opens nothing
    Revoke(One),
}

/// The flags of `tokens list`.
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    server: Server,
}

/// The flags of `tokens create`.
#[derive(Debug, Args)]
#[command(after_help = "Roles:\n  \
    admin      everything, tokens included\n  \
    editor     everything inside the space but tokens\n  \
    viewer     looks, changes nothing\n  \
    publisher  a CMS: publishes events, nothing else\n\n\
    Examples:\n  \
    postrider tokens create --name cms --role publisher\n  \
    postrider tokens create --name oncall --role viewer --all-spaces --expires 12h")]
pub struct Create {
    /// What the token is for
    #[arg(long)]
    name: String,
    /// What it may do
    #[arg(long, value_parser = Role::ALL.iter().map(|role| role.as_str()).collect::<Vec<_>>())]
    role: String,
    /// For every space of the instance instead of the one of --space
    #[arg(long)]
    all_spaces: bool,
    /// When it ends: after a duration (12h, 30days) or at an instant (2027-01-01T00:00:00Z) [default: never]
    #[arg(long, value_name = "WHEN", value_parser = ending)]
    expires: Option<Ending>,
    #[command(flatten)]
    server: Server,
}

/// A token's id.
#[derive(Debug, Args)]
pub struct One {
    /// The token's id, as `tokens list` shows it
    id: String,
    #[command(flatten)]
    server: Server,
}

/// When a token ends.
#[derive(Debug, Clone, Copy)]
enum Ending {
    After(Duration),
    At(Timestamp),
}

/// Runs `tokens …`.
pub async fn run(tokens: Tokens, context: &Context) -> anyhow::Result<Code> {
    let output = context.output;
    match tokens {
        Tokens::List(list) => {
            let answer = list.server.client(context)?.get("/tokens").await?;
            output.answer(&answer, listed);
        }
        Tokens::Create(create) => {
            let client = create.server.client(context)?;
            let answer = client.post("/tokens", &create.body(client.space())).await?;
            output.answer(&answer, created);
        }
        Tokens::Revoke(one) => {
            one.server.client(context)?.delete(&format!("/tokens/{}", encode(&one.id))).await?;
            output.print(&json!({ "revoked": one.id }), |_| format!("revoked {}", one.id));
        }
    }
    Ok(Code::Ok)
}

impl Create {
    fn body(&self, space: &str) -> Value {
        let space = if self.all_spaces { "*" } else { space };
        let mut body = json!({ "name": self.name, "role": self.role, "space": space });
        let at = self.expires.map(|ending| match ending {
            Ending::After(duration) => SystemClock::new().now().plus(duration),
            Ending::At(at) => at,
        });
        if let Some(at) = at {
            body["expiresAt"] = json!(at.to_string());
        }
        body
    }
}

fn ending(text: &str) -> Result<Ending, String> {
    let after = humantime::parse_duration(text).map(Ending::After);
    after.or_else(|_| Timestamp::parse(text).map(Ending::At)).map_err(|_| {
        "write a duration such as 12h or 30days, or an instant such as 2027-01-01T00:00:00Z".to_owned()
    })
}

fn listed(answer: &Value) -> String {
    let tokens = answer["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let rows = tokens.iter().map(|token| {
        let [id, name, begins, role, space, made] =
            ["/sys/id", "/name", "/prefix", "/role", "/space", "/sys/createdAt"]
                .map(|pointer| text(token, pointer));
        let ends = match (token["revokedAt"].as_str(), token["expiresAt"].as_str()) {
            (Some(at), _) => format!("revoked {at}"),
            (None, Some(at)) => at.to_owned(),
            (None, None) => "never".to_owned(),
        };
        [id, name, format!("{begins}…"), role, space, made, ends]
    });
    table(["id", "name", "begins with", "role", "space", "made", "ends"], rows)
}

fn created(token: &Value) -> String {
    let [id, name, role, space, secret] =
        ["/sys/id", "/name", "/role", "/space", "/token"].map(|pointer| text(token, pointer));
    let wide = if space == "*" { "every space".to_owned() } else { format!("space {space}") };
    let ends = match token["expiresAt"].as_str() {
        Some(at) => format!(", until {at}"),
        None => String::new(),
    };
    format!("created {id} ({name}): {role} of {wide}{ends}\nThe token, shown this once: {secret}")
}
