//! `cargo xtask schemathesis`: requests made from the OpenAPI document, thousands of them, good and bad, against a
//! `postrider serve` of its own. Every answer must be one that the document names. <https://schemathesis.readthedocs.io>.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bench::http::Server;
use crate::bench::system::System;
use crate::{stage, tools};

/// How long it asks unless told otherwise, and in `cargo xtask test --full`.
pub(crate) const AT_LENGTH: u64 = 300;
/// How long in `cargo xtask test`: some 2,000 requests on a quiet machine.
pub(crate) const BRIEFLY: u64 = 45;
/// The seed of that: a change is judged by what it changed.
pub(crate) const SEED: u64 = 1;
/// Where its settings are.
const FOLDER: &str = "tests/clients/schemathesis";
/// The space that is there, with all that is in it.
const SPACE: &str = "seeded";
/// Things of a kind that may be deleted.
const SPARE: usize = 20;
/// Between two looks at what gives no signal, and for how long.
const LOOK: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(30);

/// Reads `[--seconds N] [--seed N]` and runs.
///
/// # Errors
/// When something does not build or start.
pub(crate) fn run(root: &Path, arguments: &[&str]) -> Result<bool> {
    let (mut seconds, mut seed) = (AT_LENGTH, None);
    let mut rest = arguments.iter();
    while let Some(flag) = rest.next() {
        let number = rest.next().and_then(|text| text.parse::<u64>().ok());
        match (*flag, number) {
            ("--seconds", Some(number)) => seconds = number.max(1),
            ("--seed", Some(number)) => seed = Some(number),
            _ => bail!("{flag}: give `--seconds N` and `--seed N`, or nothing"),
        }
    }
    ask(root, seconds, seed)
}

/// Builds the binary unless it is, and asks it.
///
/// # Errors
/// When something does not build or start.
pub(crate) fn ask(root: &Path, seconds: u64, seed: Option<u64>) -> Result<bool> {
    tools::schemathesis(root)?;
    let binary = binary(root)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let folder = TempDir::with_prefix("postrider-schemathesis-")?;
        let system = System::embedded_in(&binary, folder).await?;
        let seeded = seed_space(&system.api).await.with_context(|| system.errors())?;
        let passed = generate(root, &system.api, &seeded, (seconds, seed))?;
        let is_alive = system.api.ask("GET", "/livez", "").await.is_ok();
        if !passed || !is_alive {
            println!("{}", system.errors());
        }
        Ok(passed && is_alive)
    })
}

/// The binary of this tree. Where cargo puts it is cargo's to say: the folder can be set from outside.
fn binary(root: &Path) -> Result<PathBuf> {
    let command = ["build", "--quiet", "--package", "postrider-cli", "--message-format=json"];
    let built = Command::new("cargo").args(command).current_dir(root).stderr(Stdio::inherit()).output()?;
    ensure!(built.status.success(), "postrider does not build");
    let messages = String::from_utf8(built.stdout)?;
    let mut executables = messages.lines().filter_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    });
    executables.next_back().context("cargo does not name the executable")
}

fn generate(root: &Path, api: &Server, seeded: &Value, (seconds, seed): (u64, Option<u64>)) -> Result<bool> {
    let packages = root.join("target/tools/schemathesis");
    let reports = TempDir::with_prefix("postrider-schemathesis-")?;
    let counts = reports.path().join("counts.json");
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let mut command = vec![
        "python3".to_owned(),
        text(&packages.join("bin/st")),
        "--config-file".to_owned(),
        text(&root.join(FOLDER).join("schemathesis.toml")),
        "run".to_owned(),
        text(&root.join("docs/openapi.json")),
        format!("--url=http://{}", api.address),
        format!("--header=Authorization: {}", api.authorization),
        format!("--max-time={seconds}"),
        "--no-color".to_owned(),
    ];
    command.extend(seed.map(|seed| format!("--seed={seed}")));
    let env = [
        ("PYTHONPATH", text(&packages)),
        ("POSTRIDER_SEEDED", seeded.to_string()),
        ("POSTRIDER_COUNTS", text(&counts)),
        ("PYTHONDONTWRITEBYTECODE", "1".to_owned()),
    ];
    let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let heading = format!("answers are as documented ({seconds} s)");
    let outcome = stage::run(&heading, &root.join(FOLDER), &env, &command)?;
    let counts = std::fs::read_to_string(&counts).context("nothing was asked; the output is above")?;
    let (lines, operations) = counted(&serde_json::from_str(&counts)?);
    for line in lines {
        println!("   {line}");
    }
    let seed = outcome.output.lines().find_map(|line| line.trim().strip_prefix("Seed: "));
    println!("   again: cargo xtask schemathesis --seconds {seconds} --seed {}", seed.unwrap_or("?"));
    // A run that was too short to come to every operation has shown nothing of the others.
    let document: Value = serde_json::from_str(&std::fs::read_to_string(root.join("docs/openapi.json"))?)?;
    let documented = operations_of(&document);
    if operations < documented {
        println!("   only {operations} of {documented} operations were asked: give it more seconds");
    }
    Ok(outcome.passed && operations >= documented)
}

/// Makes a space with something of each kind. Answers what there is, by the names of path parameters.
async fn seed_space(api: &Server) -> Result<Value> {
    let spaces = format!("/spaces/{SPACE}");
    let mut there: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut spare: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    api.ask("PUT", &spaces, &json!({ "name": "Seeded" }).to_string()).await?;
    api.ask("PUT", &format!("{spaces}/environments/staging"), &json!({ "name": "Staging" }).to_string())
        .await?;
    there.insert("space", vec![SPACE.to_owned()]);
    there.insert("environment", vec!["master".to_owned(), "staging".to_owned()]);
    for (place, id) in (0..SPARE + 3).map(|number| (number, format!("hook-{number}"))) {
        // Nobody listens there; the calls are made, recorded, and tried again.
        let webhook = json!({
            "name": id, "url": "http://127.0.0.1:9/hook", "topics": ["*.*"], "active": place < 3,
        });
        api.ask("PUT", &format!("{spaces}/webhook_definitions/{id}"), &webhook.to_string()).await?;
        if place < 3 { &mut there } else { &mut spare }.entry("webhook").or_default().push(id);
    }
    for (place, id) in (0..=SPARE).map(|number| (number, format!("source-{number}"))) {
        let source = json!({ "name": id, "dialect": "contentful" });
        api.ask("PUT", &format!("{spaces}/sources/{id}"), &source.to_string()).await?;
        if place < 1 { &mut there } else { &mut spare }.entry("source").or_default().push(id);
    }
    for (place, id) in (0..=SPARE).map(|number| (number, format!("connection-{number}"))) {
        let slack = json!({ "name": id, "url": "http://127.0.0.1:9/services/T0/B0/made-up" });
        api.ask("PUT", &format!("{spaces}/slack_connections/{id}"), &slack.to_string()).await?;
        if place < 1 { &mut there } else { &mut spare }.entry("connection").or_default().push(id);
    }
    for number in 0..SPARE {
        let token =
            json!({ "name": format!("spare {number}"), "role": "viewer", "space": SPACE }).to_string();
        let made = api.ask_json("POST", "/tokens", &token).await?;
        let id = made["sys"]["id"].as_str().context("a token has an id")?.to_owned();
        spare.entry("token").or_default().push(id);
    }
    let events = (0..5).map(|number| format!("event-{number}"));
    for id in events.clone() {
        let event = json!({
            "id": id, "type": "Entry", "action": "publish", "resource": { "id": "r", "contentType": "page" },
            "data": { "title": "Hello" },
        });
        api.ask("POST", &format!("{spaces}/environments/master/events"), &event.to_string()).await?;
    }
    there.insert("event", events.collect());
    there.insert("call", calls(api).await?);
    let mut seeded = json!(there);
    seeded["spare"] = json!(spare);
    seeded["receiver"] = json!("http://127.0.0.1:9");
    Ok(seeded)
}

/// The calls, once there are some on record.
async fn calls(api: &Server) -> Result<Vec<String>> {
    let recorded = async {
        loop {
            let page = api.ask_json("GET", &format!("/spaces/{SPACE}/calls"), "").await?;
            let items = page["items"].as_array().context("a list has items")?;
            let ids: Vec<String> =
                items.iter().filter_map(|call| call["sys"]["id"].as_str().map(str::to_owned)).collect();
            if ids.len() >= 5 {
                return Ok(ids);
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, recorded).await.context("no call is on record")?
}

/// How often each operation answered what, the total last, and how many operations there are.
fn counted(counts: &Value) -> (Vec<String>, usize) {
    let operations: Vec<(&String, &Value)> = counts.as_object().into_iter().flatten().collect();
    let (mut lines, mut total, mut good) = (Vec::new(), 0, 0);
    for (operation, statuses) in &operations {
        let statuses = statuses.as_object().into_iter().flatten();
        let statuses: BTreeMap<&str, u64> =
            statuses.map(|(status, count)| (status.as_str(), count.as_u64().unwrap_or(0))).collect();
        total += statuses.values().sum::<u64>();
        good += statuses
            .iter()
            .filter(|(status, _)| status.starts_with('2'))
            .map(|(_, count)| count)
            .sum::<u64>();
        let each: Vec<String> =
            statuses.iter().map(|(status, count)| format!("{status} × {count}")).collect();
        lines.push(format!("{operation:<80} {}", each.join(", ")));
    }
    lines.push(format!("{total} requests to {} operations, {good} of them answered 2xx", operations.len()));
    (lines, operations.len())
}

/// The operations of an OpenAPI document.
fn operations_of(document: &Value) -> usize {
    const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];
    let paths = document["paths"].as_object().into_iter().flatten().filter_map(|(_, path)| path.as_object());
    paths.map(|path| path.keys().filter(|key| METHODS.contains(&key.as_str())).count()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_added_up_by_operation_and_in_all() {
        let (lines, operations) = counted(&json!({"GET /a": {"404": 2, "200": 3}, "GET /b": {"400": 1}}));
        assert_eq!(operations, 2);
        assert!(lines[0].ends_with("200 × 3, 404 × 2"), "{lines:?}");
        assert_eq!(lines[2], "6 requests to 2 operations, 3 of them answered 2xx");
    }

    #[test]
    fn parameters_of_a_path_are_no_operations() {
        let document = json!({"paths": {"/a": {"get": {}, "put": {}, "parameters": []}, "/b": {"post": {}}}});
        assert_eq!(operations_of(&document), 3);
    }
}
