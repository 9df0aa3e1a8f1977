//! The machine and the versions that figures belong to.

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use serde_json::{Value, json};

use super::servers::{Servers, said};
use super::usage::load;

/// The machine, all versions, the command, and the load before the bench began.
///
/// # Errors
/// When a program that must be there does not answer.
pub(crate) async fn about(root: &Path, binary: &Path, servers: &Servers, command: &str) -> Result<Value> {
    let postrider = first(&said(Command::new(binary).arg("--version"))?);
    let servers = servers.versions().await?;
    stamped(&format!("{postrider} ({}), {}, {servers}", commit(root), rust(root)?), command)
}

/// The same for what runs neither binary nor servers.
///
/// # Errors
/// When a program that must be there does not answer.
pub(crate) fn of_tree(root: &Path, command: &str) -> Result<Value> {
    stamped(&format!("postrider {}, {}", commit(root), rust(root)?), command)
}

/// As the page begins with it.
pub(crate) fn lines(about: &Value) -> String {
    let titles = [("Machine", "machine"), ("Versions", "versions"), ("Command", "command"), ("When", "when")];
    let line = |(title, key): (&str, &str)| format!("- {title}: {}\n", about[key].as_str().unwrap_or("?"));
    titles.map(line).concat()
}

fn stamped(versions: &str, command: &str) -> Result<Value> {
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once(':').map_or(String::new(), |(_, value)| value.trim().to_owned())
    };
    let cores = std::thread::available_parallelism()?;
    let memory = field(&read("/proc/meminfo"), "MemTotal");
    let kernel = read("/proc/sys/kernel/osrelease").trim().to_owned();
    let processor = field(&read("/proc/cpuinfo"), "model name");
    let when = first(&said(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"]))?);
    Ok(json!({
        "machine": format!("{cores} cores of {processor}, {memory}, Linux {kernel}"),
        "versions": versions,
        "command": format!("`{command}`"),
        "when": format!("{when}, load before {}", load()),
    }))
}

fn commit(root: &Path) -> String {
    let commit = said(Command::new("git").args(["rev-parse", "--short", "HEAD"]).current_dir(root));
    commit.map_or_else(|_| "no commit".to_owned(), |text| first(&text))
}

fn rust(root: &Path) -> Result<String> {
    Ok(first(&said(Command::new("rustc").arg("--version").current_dir(root))?))
}

fn first(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim().to_owned()
}
