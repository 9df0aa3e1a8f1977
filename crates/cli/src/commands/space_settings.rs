//! `postrider settings …`: what a space has settled for all its webhooks.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::hidden::Hidden;
use super::space_constants::{self, Constants};
use crate::Context;
use crate::client::{Client, Server};
use crate::compose::random::OsRandom;
use crate::exit::Code;
use crate::output::{Output, text};
use postrider_ports::clock::Random;

/// Where the API has them.
const SIGNING_SECRET: &str = "/webhook_settings/signing_secret";
const PUBLIC_KEYS: &str = "/.well-known/public-keys.json";
const RETRY_POLICY: &str = "/webhook_settings/retry_policy";

/// The subcommands of `settings`.
#[derive(Debug, Subcommand)]
pub enum Settings {
    /// The secret that signs requests in Contentful's manner
    #[command(subcommand)]
    SigningSecret(SigningSecret),
    /// How often webhooks without a policy of their own are tried again
    #[command(subcommand)]
    RetryPolicy(RetryPolicy),
    /// What the CMSs that the space stands for write into every payload
    #[command(subcommand)]
    Constants(Constants),
    /// Show the key with which receivers verify calls of the dialect contentstack (no token needed)
    #[command(
        after_help = "The key is there once the space has a webhook of that dialect; before that the exit code is 5."
    )]
    PublicKey(Of),
}

/// The subcommands of `settings signing-secret`.
#[derive(Debug, Subcommand)]
pub enum SigningSecret {
    /// Show the last four characters of the secret (exit code 5 if there is none)
    Show(Of),
    /// Set the secret; requests are signed with it from now on
    Set(SetSecret),
    /// Delete the secret; requests are not signed with it any more
    Delete(Of),
}

/// The subcommands of `settings retry-policy`.
#[derive(Debug, Subcommand)]
pub enum RetryPolicy {
    /// Show the policy (exit code 5 if there is none)
    Show(Of),
    /// Set the policy
    Set(SetRetries),
    /// Delete the policy: each dialect's own counts again
    Delete(Of),
}

/// The space.
#[derive(Debug, Args)]
pub struct Of {
    #[command(flatten)]
    server: Server,
}

/// The flags of `settings signing-secret set`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    postrider settings signing-secret set\n  \
    POSTRIDER_SIGNING_SECRET=… postrider settings signing-secret set --space shop")]
pub struct SetSecret {
    /// The secret, 64 of A-Z a-z 0-9 + / = _ - [default: one is drawn and shown this once]
    #[arg(long, value_name = "SECRET", env = "POSTRIDER_SIGNING_SECRET", hide_env_values = true)]
    secret: Option<Hidden>,
    #[command(flatten)]
    server: Server,
}

/// The flags of `settings retry-policy set`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  postrider settings retry-policy set --max-retries 15")]
pub struct SetRetries {
    /// How often a failed delivery is tried again, 2 to 99
    #[arg(long, value_name = "COUNT")]
    max_retries: u32,
    #[command(flatten)]
    server: Server,
}

/// Runs `settings …`.
pub async fn run(settings: Settings, context: &Context) -> anyhow::Result<Code> {
    let output = context.output;
    match settings {
        Settings::SigningSecret(secret) => match secret {
            SigningSecret::Show(of) => of.show(SIGNING_SECRET, context, signing).await?,
            SigningSecret::Set(set) => set_secret(set, context).await?,
            SigningSecret::Delete(of) => of.delete(SIGNING_SECRET, "the signing secret", context).await?,
        },
        Settings::Constants(constants) => space_constants::run(constants, context).await?,
        Settings::PublicKey(of) => {
            let client = of.server.stranger(context)?;
            output.answer(&client.get(&client.in_space(PUBLIC_KEYS)).await?, keys);
        }
        Settings::RetryPolicy(policy) => match policy {
            RetryPolicy::Show(of) => of.show(RETRY_POLICY, context, retries).await?,
            RetryPolicy::Set(set) => {
                let client = set.server.client(context)?;
                let body = json!({ "maxRetries": set.max_retries });
                let answer = client.put(&client.in_space(RETRY_POLICY), &body, None).await?;
                output.answer(&answer, |policy| format!("set: {}", retries(policy)));
            }
            RetryPolicy::Delete(of) => of.delete(RETRY_POLICY, "the retry policy", context).await?,
        },
    }
    Ok(Code::Ok)
}

impl Of {
    fn there(&self, context: &Context, path: &str) -> anyhow::Result<(Client, String)> {
        let client = self.server.client(context)?;
        let path = client.in_space(path);
        Ok((client, path))
    }

    pub(super) async fn show(
        &self,
        path: &str,
        context: &Context,
        human: fn(&Value) -> String,
    ) -> anyhow::Result<()> {
        let (client, path) = self.there(context, path)?;
        context.output.answer(&client.get(&path).await?, human);
        Ok(())
    }

    pub(super) async fn delete(&self, path: &str, what: &str, context: &Context) -> anyhow::Result<()> {
        let (client, path) = self.there(context, path)?;
        client.delete(&path).await?;
        let said = format!("deleted {what} of space {}", client.space());
        context.output.print(&json!({ "deleted": what, "space": client.space() }), |_| said);
        Ok(())
    }
}

async fn set_secret(set: SetSecret, context: &Context) -> anyhow::Result<()> {
    let client = set.server.client(context)?;
    let drawn = set.secret.is_none().then(draw);
    let value = set.secret.map(|Hidden(secret)| secret).or_else(|| drawn.clone()).unwrap_or_default();
    let answer = client.put(&client.in_space(SIGNING_SECRET), &json!({ "value": value }), None).await?;
    let Some(drawn) = drawn else {
        context.output.answer(&answer, |secret| format!("set: {}", signing(secret)));
        return Ok(());
    };
    shown_once(&answer.body, &drawn, context.output);
    Ok(())
}

/// A drawn secret is shown this once, beside what the server answered.
fn shown_once(answer: &Value, drawn: &str, output: Output) {
    let mut shown = answer.clone();
    shown["value"] = json!(drawn);
    output.print(&shown, |secret| {
        format!("set: {}\nThe signing secret, shown this once: {drawn}", signing(secret))
    });
}

/// 64 characters: the hexadecimal digits of 32 random bytes.
fn draw() -> String {
    let mut bytes = [0; 32];
    OsRandom.fill(&mut bytes);
    hex::encode(bytes)
}

fn signing(secret: &Value) -> String {
    format!("a signing secret that ends with {}", text(secret, "/redactedValue"))
}

/// Each key as it stands there.
fn keys(answer: &Value) -> String {
    let keys = answer.as_object().into_iter().flatten();
    let keys = keys.filter_map(|(name, key)| Some(format!("{name}\n{}", key.as_str()?.trim_end())));
    keys.collect::<Vec<_>>().join("\n")
}

fn retries(policy: &Value) -> String {
    format!("at most {} retries", text(policy, "/maxRetries"))
}
