//! What a person waits for: how long `serve` takes to be ready, and the demo to run.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::book::now;
use super::figures::{Latencies, thousandths};

/// Enough for a median that one disturbed start does not move.
const STARTS: usize = 21;
/// The demo mostly waits for its own retry delays.
const DEMOS: usize = 3;

/// Both, in milliseconds.
///
/// # Errors
/// When the binary cannot be started, or the demo does not come out as it must.
pub(crate) fn measure(binary: &Path) -> Result<Value> {
    let starts = (0..STARTS).map(|_| ready(binary)).collect::<Result<_>>()?;
    let demos = (0..DEMOS).map(|_| demo(binary)).collect::<Result<_>>()?;
    let median = |times| thousandths(Latencies::of(times).percentile_ms(50));
    Ok(json!({ "serve_ready_ms": median(starts), "demo_ms": median(demos) }))
}

/// `serve` prints its address once every component is ready.
fn ready(binary: &Path) -> Result<Duration> {
    let folder = TempDir::with_prefix("postrider-bench-")?;
    let started = now();
    let mut process = Command::new(binary)
        .args(["serve", "--bind", "127.0.0.1:0", "--data-dir", "data"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("serve does not start")?;
    let mut line = String::new();
    let output = process.stdout.take().context("its output is piped")?;
    BufReader::new(output).read_line(&mut line)?;
    let took = started.elapsed();
    process.kill()?;
    process.wait()?;
    ensure!(line.contains("listens on"), "serve said {line:?} instead of its address");
    Ok(took)
}

fn demo(binary: &Path) -> Result<Duration> {
    let started = now();
    let status = Command::new(binary).arg("demo").stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    ensure!(status.success(), "the demo did not come out as it must: {status}");
    Ok(started.elapsed())
}
