//! `cargo xtask bench`: what a person waits for, measured on the release binary. A benchmark, never a test: it judges
//! nothing.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// Enough for a median that one disturbed start does not move.
const STARTS: usize = 21;
/// The demo mostly waits for its own retry delays.
const DEMOS: usize = 3;

/// Prints how long `serve` takes to be ready on an empty folder, and how long the demo takes.
///
/// # Errors
/// When the binary cannot be built or started, or the demo does not come out as it must.
pub(crate) fn run(root: &Path) -> Result<bool> {
    let built = Command::new("cargo").args(["build", "--release", "--quiet"]).current_dir(root).status()?;
    ensure!(built.success(), "the release binary does not build");
    let binary = root.join("target/release/postrider");
    let starts = (0..STARTS).map(|_| ready(&binary)).collect::<Result<Vec<_>>>()?;
    report("serve on an empty folder, until it says that it is ready", starts);
    let demos = (0..DEMOS).map(|_| demo(&binary)).collect::<Result<Vec<_>>>()?;
    report("demo, from start to exit", demos);
    Ok(true)
}

/// `serve` prints its address once every component is ready.
#[expect(clippy::disallowed_methods, reason = "it measures")]
fn ready(binary: &Path) -> Result<Duration> {
    let folder = std::env::temp_dir().join(format!("postrider-bench-{}", std::process::id()));
    let started = Instant::now();
    let mut process = Command::new(binary)
        .args(["serve", "--bind", "127.0.0.1:0", "--data-dir"])
        .arg(&folder)
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
    std::fs::remove_dir_all(&folder)?;
    ensure!(line.contains("listens on"), "serve said {line:?} instead of its address");
    Ok(took)
}

#[expect(clippy::disallowed_methods, reason = "it measures")]
fn demo(binary: &Path) -> Result<Duration> {
    let started = Instant::now();
    let status = Command::new(binary).arg("demo").stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    ensure!(status.success(), "the demo did not come out as it must: {status}");
    Ok(started.elapsed())
}

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let (least, middle, most) = (times[0], times[times.len() / 2], times[times.len() - 1]);
    println!("{what}: median {middle:.1?}, from {least:.1?} to {most:.1?} ({} runs)", times.len());
}
