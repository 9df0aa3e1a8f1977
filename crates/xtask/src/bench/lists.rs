//! `cargo xtask bench lists`: how long the management API takes to answer over a log of 1,000,000 calls, in Postgres and in
//! SQLite.
//!
//! The log is filled by `benches/fill.rs` of either store, the way the log-writers fill it; then the release binary answers
//! over HTTP, on one connection, one request after the other.

mod lines;
mod page;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::about;
use super::book::now;
use super::figures::{Latencies, thousandths};
use super::http::{Connection, Server, request};
use super::servers::{Servers, said};
use super::system::System;
use super::usage::load;
use lines::{LINES, Line};

/// The name of all this among the scenarios.
pub(crate) const NAME: &str = "lists";
/// Calls in the log.
const CALLS: u64 = 1_000_000;
/// Requests of a line that count. With those before them they are fewer than a token may send at once.
const REQUESTS: usize = 350;
/// Requests before them, which do not: connections are opened, statements prepared, pages read from the disk.
const COLD: usize = 20;

/// Fills, asks, prints, and writes the page and the file beside it.
///
/// # Errors
/// When something does not start, a request fails, or an answer is not what the line is about.
pub(crate) async fn measure(root: &Path) -> Result<bool> {
    let binary = root.join("target/release/postrider").canonicalize().context("the binary is not built")?;
    let mut servers = Servers::find()?;
    let command = format!("cargo xtask bench {NAME}");
    let about = about::about(root, &binary, &servers, &command).await?;
    let mut stores = Vec::new();
    stores.push(postgres(root, &binary, &mut servers).await.context("Postgres")?);
    stores.push(sqlite(root, &binary, &servers).await.context("SQLite")?);
    let results = json!({ "about": about, "stores": stores });
    println!("\n{}", page::tables(&results));
    page::publish(&results, root)?;
    println!("written to docs/benchmarks.md and docs/benchmarks/lists.json");
    Ok(page::all_met(&results))
}

async fn postgres(root: &Path, binary: &Path, servers: &mut Servers) -> Result<Value> {
    let system = System::distributed(binary, servers).await?;
    let url = system.postgres().context("a distributed system has a Postgres")?;
    let filled = fill(root, "postrider-adapter-postgres", &url)?;
    // What the server does by itself within minutes.
    said(Command::new("psql").args([
        "--no-psqlrc",
        "--quiet",
        "--dbname",
        &url,
        "--command",
        "VACUUM ANALYZE",
    ]))?;
    let size = "SELECT pg_database_size(current_database())";
    let size = said(Command::new("psql").args(["--no-psqlrc", "-At", "--dbname", &url, "--command", size]))?;
    let measured = ask_all(&system, &filled).await.with_context(|| system.errors())?;
    system.stop(servers).await?;
    Ok(written("Postgres", &filled, size.trim().parse().unwrap_or(0), &measured))
}

async fn sqlite(root: &Path, binary: &Path, servers: &Servers) -> Result<Value> {
    let folder = TempDir::with_prefix("postrider-bench-")?;
    let data = folder.path().join("data");
    let filled = fill(root, "postrider-adapter-sqlite", &data.to_string_lossy())?;
    let size = std::fs::metadata(data.join("postrider.db"))?.len();
    let system = System::embedded_in(binary, folder).await?;
    let measured = ask_all(&system, &filled).await.with_context(|| system.errors())?;
    system.stop(servers).await?;
    Ok(written("SQLite", &filled, size, &measured))
}

fn written(store: &str, filled: &Value, size: u64, lines: &[Value]) -> Value {
    json!({
        "store": store, "calls": filled["calls"], "events": filled["events"], "fill_seconds": filled["seconds"],
        "size_bytes": size, "load": load(), "lines": lines,
    })
}

/// Fills a store; answers what is in it.
fn fill(root: &Path, package: &str, place: &str) -> Result<Value> {
    println!("filling with {CALLS} calls: {package}");
    let calls = CALLS.to_string();
    let command = ["bench", "--quiet", "--package", package, "--bench", "fill", "--", place, &calls];
    let started = now();
    let text = said(Command::new("cargo").args(command).current_dir(root))?;
    let mut filled: Value =
        serde_json::from_str(&text).with_context(|| format!("{package} said {text:?}"))?;
    filled["seconds"] = json!(started.elapsed().as_secs());
    Ok(filled)
}

/// Makes the spaces and webhooks that the calls belong to, then asks every line.
async fn ask_all(system: &System, filled: &Value) -> Result<Vec<Value>> {
    let api = &system.api;
    for space in filled["spaces"].as_array().context("spaces")? {
        let id = space["space"].as_str().context("a space")?;
        api.ask("PUT", &format!("/spaces/{id}"), &json!({ "name": id }).to_string()).await?;
        for webhook in space["webhooks"].as_array().context("webhooks")?.iter().filter_map(Value::as_str) {
            // Off: nothing goes out, and nothing is read but the log.
            let body = json!({ "name": webhook, "url": "https://receiver.example/", "topics": ["*.*"], "active": false });
            let path = format!("/spaces/{id}/webhook_definitions/{webhook}");
            api.ask("PUT", &path, &body.to_string()).await?;
        }
    }
    let mut measured = Vec::new();
    for line in &LINES {
        let asked = ask(api, line, filled).await.with_context(|| line.what.to_owned())?;
        println!("{:<70} {}", line.what, asked["latency_ms"]);
        measured.push(asked);
    }
    Ok(measured)
}

/// One line: the same request again and again, or one for each sample.
async fn ask(api: &Server, line: &Line, filled: &Value) -> Result<Value> {
    // Of its own, so that no line spends what the next one may send.
    let token = api
        .ask_json("POST", "/tokens", &json!({ "name": line.what, "role": "admin", "space": "*" }).to_string())
        .await?;
    let token = token["token"].as_str().context("a token that is not shown")?;
    let api = &Server { address: api.address, authorization: format!("Bearer {token}") };
    let paths = lines::paths(line, api, filled).await?;
    let mut connection = Connection::open(api.address).await?;
    let (mut first, mut took, mut answered) = (Duration::ZERO, Vec::with_capacity(REQUESTS), Vec::new());
    for number in 0..COLD + REQUESTS {
        let path = &paths[number % paths.len()];
        let message = request("GET", path, &api.authorization, "");
        let started = now();
        let answer = connection.send(&message).await?;
        let elapsed = started.elapsed();
        ensure!(answer.status == 200, "{path}: {} {}", answer.status, String::from_utf8_lossy(&answer.body));
        match number {
            0 => first = elapsed,
            number if number >= COLD => took.push(elapsed),
            _ => {}
        }
        answered = answer.body;
    }
    let body: Value = serde_json::from_slice(&answered).context("the answer is no JSON")?;
    Ok(json!({
        "what": line.what,
        "path": paths[0],
        "total": body["total"],
        "total_is_at_least": body["totalIsAtLeast"],
        "items": body["items"].as_array().map(Vec::len),
        "bytes": answered.len(),
        "first_ms": thousandths(first.as_secs_f64() * 1e3),
        "latency_ms": Latencies::of(took).json(),
    }))
}
