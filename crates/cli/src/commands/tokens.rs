//! `postrider tokens list|create|whoami|revoke`.

use clap::{Args, Subcommand};
use postrider_domain::token::Role;
use serde_json::{Value, json};

use super::when::When;
use crate::Context;
use crate::client::{Account, Server, encode};
use crate::exit::Code;
use crate::output::{fields, instant, table, text};

/// The subcommands of `tokens`.
#[derive(Debug, Subcommand)]
pub enum Tokens {
    /// List the tokens that this one may manage, oldest first; never the tokens themselves
    List(List),
    /// Make a token, shown this once: for the space of --space, or for all of them
    Create(Create),
    /// Say who the token is and what it may do
    Whoami(List),
    /// Revoke a token; from now on it opens nothing
    Revoke(One),
}

/// The flags of `tokens list` and `whoami`.
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    account: Account,
}

/// The flags of `tokens create`.
#[derive(Debug, Args)]
#[command(after_help = "Roles:\n  \
    admin      everything, tokens included\n  \
    editor     everything inside the space but tokens\n  \
    developer  webhooks and their calls; uses the Slack that others connected\n  \
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
    /// When it ends: after a duration (12h, 30days), on a day or at an instant (2027-01-01T00:00:00Z) [default: never]
    #[arg(long, value_name = "WHEN", value_parser = When::read)]
    expires: Option<When>,
    #[command(flatten)]
    server: Server,
}

/// A token's id.
#[derive(Debug, Args)]
pub struct One {
    /// The token's id, as `tokens list` shows it
    #[arg(value_name = "TOKEN")]
    id: String,
    #[command(flatten)]
    account: Account,
}

/// Runs `tokens …`.
pub async fn run(tokens: Tokens, context: &Context) -> anyhow::Result<Code> {
    let output = context.output;
    match tokens {
        Tokens::List(list) => {
            let answer = list.account.client(context)?.get("/tokens").await?;
            output.answer(&answer, listed);
        }
        Tokens::Create(create) => {
            let client = create.server.client(context)?;
            let answer = client.post("/tokens", &create.body(client.space())).await?;
            output.answer(&answer, created);
        }
        Tokens::Whoami(me) => output.answer(&me.account.client(context)?.get("/users/me").await?, whoami),
        Tokens::Revoke(one) => {
            one.account.client(context)?.delete(&format!("/tokens/{}", encode(&one.id))).await?;
            output.print(&json!({ "revoked": one.id }), |_| format!("revoked {}", one.id));
        }
    }
    Ok(Code::Ok)
}

impl Create {
    fn body(&self, space: &str) -> Value {
        let space = if self.all_spaces { "*" } else { space };
        let mut body = json!({ "name": self.name, "role": self.role, "space": space });
        if let Some(at) = self.expires.map(When::future) {
            body["expiresAt"] = json!(at.to_string());
        }
        body
    }
}

fn listed(answer: &Value) -> String {
    let tokens = answer["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let rows = tokens.iter().map(|token| {
        let [id, name, begins, role, space] =
            ["/sys/id", "/name", "/prefix", "/role", "/space"].map(|pointer| text(token, pointer));
        let ends = match (token["revokedAt"].is_string(), token["expiresAt"].is_string()) {
            (true, _) => format!("revoked {}", instant(token, "/revokedAt")),
            (false, true) => instant(token, "/expiresAt"),
            (false, false) => "never".to_owned(),
        };
        [id, name, format!("{begins}…"), role, space, instant(token, "/sys/createdAt"), ends]
    });
    table(["id", "name", "begins with", "role", "space", "made (UTC)", "ends (UTC)"], rows)
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

fn whoami(me: &Value) -> String {
    let permissions = me["permissions"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let space = text(me, "/space");
    fields([
        ("token", text(me, "/sys/id")),
        ("name", text(me, "/firstName")),
        ("role", text(me, "/role")),
        ("space", if space == "*" { "every space".to_owned() } else { space }),
        ("may", permissions.collect::<Vec<_>>().join(", ")),
        ("ends", text(me, "/expiresAt")),
    ])
}
