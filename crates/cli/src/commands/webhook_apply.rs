//! `postrider webhooks apply`: makes the webhooks of a space what a file says, after showing what that changes.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use postrider_adapter_http::operator::OperatorRequest;
use postrider_domain::webhook::Method;
use serde_json::{Value, json};

use super::webhook_check::check;
use super::webhook_file::{self, Kept};
use super::webhook_flags::read_text;
use super::webhook_text::slack;
use super::webhooks::{all, webhook_path};
use crate::Context;
use crate::client::{Client, Server};
use crate::exit::{Code, Failure};
use crate::output::{line, note, pretty, text};

/// The flags of `webhooks apply`.
#[derive(Debug, Args)]
#[command(
    after_help = "The file is what `webhooks export` writes, or several such JSON texts one after the other. A webhook is known by its \
    id and is made what the file says: a field that is not there gets its default. What would change is shown first, and the server is \
    asked whether it would take all of it, before anything is changed.\n\n\
    Secrets in the file are set when a webhook is made or otherwise changed, a signing secret only when it is made; they are never \
    shown and cannot be compared, so to change one alone, use `webhooks update` or `webhooks rotate-secret`.\n\n\
    Examples:\n  \
    postrider webhooks export > webhooks.json\n  \
    postrider webhooks apply -f webhooks.json --dry-run\n  \
    postrider webhooks apply -f search.json -f crm.json --prune --yes"
)]
pub struct Apply {
    /// The webhooks as JSON; - is standard input (repeatable: all files together are what the space shall have)
    #[arg(short, long = "file", value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Delete the webhooks that are not in the file; their pending deliveries are cancelled
    #[arg(long)]
    prune: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Only show what would change
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    #[command(flatten)]
    server: Server,
}

/// One step of the way.
enum Step {
    Create(Kept),
    /// With the version that was compared, and the fields that change: name, before, after.
    Update(Kept, u64, Vec<(String, Option<Value>, Option<Value>)>),
    Delete(Kept),
}

/// What is to be done.
struct Plan {
    steps: Vec<Step>,
    unchanged: usize,
    /// Not in the file, and left alone.
    others: usize,
}

/// Runs `webhooks apply`.
pub(super) async fn run(apply: &Apply, context: &Context) -> anyhow::Result<Code> {
    let client = apply.server.client(context)?;
    let files = apply.files.iter().map(|file| read_text(file)).collect::<anyhow::Result<Vec<_>>>()?;
    let wanted = webhook_file::read(&files)?;
    let plan = Plan::new(wanted, &all(&client).await?, apply.prune);
    let json = context.output.json;
    if !json {
        line(&plan.shown());
    }
    check(&client, &plan.wanted()).await?;
    if !apply.dry_run && !plan.steps.is_empty() && !apply.yes {
        confirm(apply)?;
    }
    let mut done = Vec::new();
    for step in plan.steps.iter().filter(|_| !apply.dry_run) {
        let (count, all) = (done.len(), plan.steps.len());
        let answer = step.take(&client).await;
        let (action, id) = step.named();
        let answer = answer.with_context(|| {
            format!("{count} of {all} changes were made, then it failed to {action} {id}")
        })?;
        done.push(said(step, &answer, json));
    }
    if json {
        let planned: Vec<Value> = plan.steps.iter().map(Step::as_json).collect();
        line(&pretty(
            &json!({ "planned": planned, "done": done, "unchanged": plan.unchanged, "others": plan.others }),
        ));
    }
    Ok(Code::Ok)
}

impl Plan {
    fn new(wanted: Vec<Kept>, there: &[Value], prune: bool) -> Self {
        let mut plan = Self { steps: Vec::new(), unchanged: 0, others: 0 };
        let ids: Vec<String> = wanted.iter().map(|kept| kept.id.clone()).collect();
        for kept in wanted {
            let Some(found) = there.iter().find(|webhook| text(webhook, "/sys/id") == kept.id) else {
                plan.steps.push(Step::Create(kept));
                continue;
            };
            let differences = kept.differences(&Kept::of_server(found));
            if differences.is_empty() {
                plan.unchanged += 1;
            } else {
                let version = found.pointer("/sys/version").and_then(Value::as_u64).unwrap_or_default();
                plan.steps.push(Step::Update(kept, version, differences));
            }
        }
        let others = there.iter().map(Kept::of_server).filter(|kept| !ids.contains(&kept.id));
        if prune {
            plan.steps.extend(others.map(Step::Delete));
        } else {
            plan.others = others.count();
        }
        plan
    }

    /// The webhooks that are to be saved, and whether the server has them already.
    fn wanted(&self) -> Vec<(&Kept, bool)> {
        let saved = self.steps.iter().filter_map(|step| match step {
            Step::Create(kept) => Some((kept, false)),
            Step::Update(kept, ..) => Some((kept, true)),
            Step::Delete(_) => None,
        });
        saved.collect()
    }

    fn shown(&self) -> String {
        let mut lines: Vec<String> = self.steps.iter().map(Step::shown).collect();
        if lines.is_empty() {
            lines.push("Nothing to change.".to_owned());
        }
        if self.others > 0 {
            lines.push(format!("{} not in the file: left as they are; --prune deletes them", self.others));
        }
        lines.join("\n")
    }
}

impl Step {
    async fn take(&self, client: &Client) -> anyhow::Result<Value> {
        let put = |kept: &Kept, body: Value| {
            OperatorRequest::send(Method::Put, webhook_path(client, &kept.id), body.to_string())
        };
        let answer = match self {
            Self::Create(kept) => client.send(put(kept, Value::Object(kept.fields.clone()))).await?,
            Self::Update(kept, version, _) => {
                let mut fields = kept.fields.clone();
                // The secret that it has stays: giving one would begin a rotation.
                if let Some(signing) = fields.get_mut("signing").filter(|signing| signing.is_object()) {
                    *signing = json!(true);
                }
                let request =
                    put(kept, Value::Object(fields)).with("x-contentful-version", version.to_string());
                client.send(request).await?
            }
            Self::Delete(kept) => client.delete(&webhook_path(client, &kept.id)).await?,
        };
        for warning in &answer.warnings {
            note(&format!("warning: {}: {warning}", self.named().1));
        }
        Ok(answer.body)
    }

    fn named(&self) -> (&'static str, &str) {
        match self {
            Self::Create(kept) => ("create", &kept.id),
            Self::Update(kept, ..) => ("update", &kept.id),
            Self::Delete(kept) => ("delete", &kept.id),
        }
    }

    fn shown(&self) -> String {
        let (action, id) = self.named();
        let name =
            |kept: &Kept| kept.fields.get("name").and_then(Value::as_str).unwrap_or("no name").to_owned();
        match self {
            Self::Create(kept) => {
                let calls = match slack(&Value::Object(kept.fields.clone())) {
                    Some(slack) => format!("posts to {slack}"),
                    None => format!(
                        "calls {}",
                        kept.fields.get("url").and_then(Value::as_str).unwrap_or("nowhere yet")
                    ),
                };
                format!("+ {action} {id} ({}), which {calls}", name(kept))
            }
            Self::Update(kept, _, differences) => {
                let shown = |sign, name: &str, value: &Option<Value>| {
                    value.as_ref().map_or_else(String::new, |value| format!("\n    {sign} {name}: {value}"))
                };
                let lines = differences
                    .iter()
                    .map(|(name, before, after)| shown('-', name, before) + &shown('+', name, after));
                format!("~ {action} {id} ({}){}", name(kept), lines.collect::<String>())
            }
            Self::Delete(kept) => format!("- {action} {id} ({})", name(kept)),
        }
    }

    fn as_json(&self) -> Value {
        let (action, id) = self.named();
        let mut written = json!({ "action": action, "id": id });
        if let Self::Update(_, version, differences) = self {
            written["version"] = json!(version);
            let each = |(name, before, after): &(String, Option<Value>, Option<Value>)| json!({ "field": name, "before": before, "after": after });
            written["changes"] = differences.iter().map(each).collect();
        }
        written
    }
}

/// Tells what was done, at once: a drawn secret is shown only now.
fn said(step: &Step, answer: &Value, json: bool) -> Value {
    let (action, id) = step.named();
    let mut done = json!({ "action": action, "id": id });
    let secret = answer.pointer("/signing/secret").and_then(Value::as_str);
    if let Some(secret) = secret {
        done["secret"] = json!(secret);
    }
    if !json {
        let secret = secret
            .map_or_else(String::new, |secret| format!("\n  its signing secret, shown this once: {secret}"));
        line(&format!("{action}d {id}{secret}"));
    }
    done
}

/// Asks the person at the terminal.
fn confirm(apply: &Apply) -> anyhow::Result<()> {
    let refused = |cause: &str| {
        Failure::new(Code::Invalid, cause)
            .next("add --yes to change it, --dry-run to only see what would change")
    };
    if !std::io::stdin().is_terminal() || apply.files.iter().any(|file| file.as_os_str() == "-") {
        return Err(refused("nothing was changed: nobody can be asked here").into());
    }
    let _ = write!(std::io::stderr().lock(), "Change this? [y/N] ");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).context("the answer cannot be read")?;
    if answer.trim().eq_ignore_ascii_case("y") { Ok(()) } else { Err(refused("nothing was changed").into()) }
}
