//! The machine and the versions that figures belong to.

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use serde_json::{Value, json};

use super::servers::{Servers, said};
use super::usage::load;

/// Machine, versions, command and the load before the bench began.
///
/// # Errors
/// When a program that must be there does not answer.
pub(crate) async fn about(root: &Path, binary: &Path, servers: &Servers, command: &str) -> Result<Value> {
    let first = |text: String| text.lines().next().unwrap_or_default().trim().to_owned();
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once(':').map_or(String::new(), |(_, value)| value.trim().to_owned())
    };
    let cores = std::thread::available_parallelism()?;
    let memory = field(&read("/proc/meminfo"), "MemTotal");
    let kernel = read("/proc/sys/kernel/osrelease").trim().to_owned();
    let processor = field(&read("/proc/cpuinfo"), "model name");
    let postrider = first(said(Command::new(binary).arg("--version"))?);
    let commit = said(Command::new("git").args(["rev-parse", "--short", "HEAD"]).current_dir(root));
    let commit = commit.map_or_else(|_| "no commit".to_owned(), first);
    let rust = first(said(Command::new("rustc").arg("--version").current_dir(root))?);
    let when = first(said(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"]))?);
    Ok(json!({
        "machine": format!("{cores} cores of {processor}, {memory}, Linux {kernel}"),
        "versions": format!("{postrider} ({commit}), {rust}, {}", servers.versions().await?),
        "command": format!("`{command}`"),
        "when": format!("{when}, load before {}", load()),
    }))
}
