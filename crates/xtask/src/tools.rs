//! What the tasks need on the machine beside cargo, and how they get it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail, ensure};

use crate::stage;

/// A command that the tests need, and the Debian package that brings it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tool {
    pub(crate) command: &'static str,
    pub(crate) package: &'static str,
}

/// All of them. A test that needs another program adds it here, so that a fresh machine gets it.
pub(crate) const TOOLS: [Tool; 15] = [
    // SQLite and aws-lc are C.
    Tool { command: "cc", package: "build-essential" },
    // The private servers, see crates/testkit/src/servers.rs.
    Tool { command: "rabbitmq-server", package: "rabbitmq-server" },
    Tool { command: "redis-server", package: "redis-server" },
    Tool { command: "postgres", package: "postgresql" },
    // Renders and reads what deploys Postrider, see tests/deploy/main.rs.
    Tool { command: "kubectl", package: "kubernetes-client" },
    Tool { command: "docker-compose", package: "docker-compose" },
    Tool { command: "python3", package: "python3" },
    Tool { command: "pip3", package: "python3-pip" },
    // Contentful's own client, see tests/e2e/official_client.rs.
    Tool { command: "node", package: "nodejs" },
    Tool { command: "npm", package: "npm" },
    Tool { command: "curl", package: "curl" },
    // Runs the verifier that CometCMS's document prints, see tests/e2e/cometcms.rs.
    Tool { command: "php", package: "php-cli" },
    // What the pages of docs/guides tell their readers to run, see tests/e2e/receivers.rs.
    Tool { command: "openssl", package: "openssl" },
    Tool { command: "zip", package: "zip" },
    Tool { command: "git", package: "git" },
];

/// The Python packages that check manifests, pinned.
const REQUIREMENTS: &str = "tests/deploy/requirements.txt";

/// What asks the management API, pinned.
const SCHEMATHESIS: &str = "tests/clients/schemathesis/requirements.txt";

/// What `--full` needs beside them.
pub(crate) const FULL_TOOLS: [Tool; 1] = [
    // Another Debian, for its newer RabbitMQ.
    Tool { command: "debootstrap", package: "debootstrap" },
];

/// Makes a Debian 13, whose RabbitMQ is 4.0. What it mounts meanwhile lies in a namespace of its own, so that nothing
/// stays mounted, however it ends.
const DEBIAN: &str = "unshare --mount -- debootstrap --variant=minbase --include=rabbitmq-server trixie";

/// The pinned release of cargo-deny. Unoptimised it is installed in less than half the time, and still checks in a second.
const DENY: &str =
    "cargo install cargo-deny --version 0.20.2 --locked --debug --config profile.dev.debug=false";

/// Installs what is missing of `tools` with apt-get. Does nothing, and needs no rights, when nothing is missing.
///
/// # Errors
/// When something is missing and cannot be installed; says what to do by hand.
pub(crate) fn ensure_installed(tools: &[Tool], folder: &Path) -> Result<()> {
    let missing = missing(tools, &search_path());
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().map(|tool| tool.package).collect();
    let commands: Vec<&str> = missing.iter().map(|tool| tool.command).collect();
    let by_hand = format!("apt-get install {}", packages.join(" "));
    if !is_root()? {
        bail!("missing: {}. Only root can install; run `sudo {by_hand}` and try again", commands.join(", "));
    }
    let env = [("DEBIAN_FRONTEND", "noninteractive")];
    let update = stage::run("apt-get update", folder, &env, &["apt-get", "update"])?;
    ensure!(update.passed, "the package lists could not be fetched; check the network, then run `{by_hand}`");
    let mut install = vec!["apt-get", "install", "--yes", "--no-install-recommends"];
    install.extend(&packages);
    let installed = stage::run(&by_hand, folder, &env, &install)?;
    ensure!(installed.passed, "`{by_hand}` failed; its output is above");
    Ok(())
}

/// Where cargo-deny is, installed under `target/tools` if it is not there yet.
///
/// # Errors
/// When it cannot be installed.
pub(crate) fn cargo_deny(root: &Path) -> Result<PathBuf> {
    let tools = root.join("target/tools");
    let program = tools.join("bin/cargo-deny");
    if !program.exists() {
        let tools = tools.to_string_lossy();
        let command: Vec<&str> = DENY.split(' ').chain(["--root", &tools]).collect();
        let installed = stage::run("install cargo-deny (once)", root, &[], &command)?;
        ensure!(installed.passed, "cargo-deny could not be installed; cargo's output is above");
    }
    Ok(program)
}

/// Installs the packages of [`REQUIREMENTS`] under `target/tools/python`, unless they are there already.
///
/// # Errors
/// When they cannot be installed.
pub(crate) fn python_packages(root: &Path) -> Result<()> {
    packages(root, REQUIREMENTS, "python", "install what checks manifests (once)")
}

/// Installs schemathesis under `target/tools/schemathesis`, unless it is there already.
///
/// # Errors
/// When it cannot be installed.
pub(crate) fn schemathesis(root: &Path) -> Result<()> {
    packages(root, SCHEMATHESIS, "schemathesis", "install schemathesis (once)")
}

fn packages(root: &Path, requirements: &str, name: &str, heading: &str) -> Result<()> {
    let wanted = std::fs::read_to_string(root.join(requirements))?;
    let folder = root.join("target/tools").join(name);
    let installed = folder.join("installed.txt");
    if std::fs::read_to_string(&installed).is_ok_and(|text| text == wanted) {
        return Ok(());
    }
    let target = folder.to_string_lossy();
    let command =
        ["python3", "-m", "pip", "install", "--upgrade", "--target", &target, "--requirement", requirements];
    let outcome = stage::run(heading, root, &[], &command)?;
    ensure!(outcome.passed, "the packages of {requirements} could not be installed; pip's output is above");
    Ok(std::fs::write(installed, wanted)?)
}

/// Where the Debian is whose RabbitMQ is a newer one than this system's, made under `target/tools` if it is not there yet.
///
/// # Errors
/// When it cannot be made; says what to do.
pub(crate) fn newer_rabbitmq(root: &Path) -> Result<PathBuf> {
    ensure!(
        is_root()?,
        "RabbitMQ 4 runs in a Debian of its own, which only root can make and enter: run this as root"
    );
    ensure_installed(&FULL_TOOLS, root)?;
    let folder = root.join("target/tools/rabbitmq-4");
    if !folder.exists() {
        let half = folder.with_extension("half");
        if half.exists() {
            // An earlier run was interrupted.
            std::fs::remove_dir_all(&half)?;
        }
        let half_text = half.to_string_lossy();
        let command: Vec<&str> = DEBIAN.split(' ').chain([half_text.as_ref()]).collect();
        let made = stage::run("make a Debian with RabbitMQ 4 (once)", root, &[], &command)?;
        ensure!(made.passed, "debootstrap failed; its output is above: check the network, then try again");
        std::fs::remove_dir_all(half.join("var/cache/apt"))?;
        std::fs::rename(&half, &folder)?;
    }
    Ok(folder.canonicalize()?)
}

fn is_root() -> Result<bool> {
    Ok(Command::new("id").arg("-u").output()?.stdout.trim_ascii() == b"0")
}

/// Those of `tools` that are in none of the folders.
fn missing(tools: &[Tool], folders: &[PathBuf]) -> Vec<Tool> {
    let is_there = |tool: &&Tool| folders.iter().any(|folder| folder.join(tool.command).exists());
    tools.iter().filter(|tool| !is_there(tool)).copied().collect()
}

/// `PATH`, and where Debian puts servers: they are not meant to be started by hand.
#[expect(clippy::disallowed_methods, reason = "PATH is where the system says its programs are")]
fn search_path() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let postgres = versions.filter_map(|version| Some(version.ok()?.path().join("bin")));
    std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]).chain(postgres).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_in_no_folder_is_missing() {
        let shell = Tool { command: "sh", package: "dash" };
        let nonsense = Tool { command: "no-such-command", package: "no-such-package" };
        let missing = missing(&[shell, nonsense], &search_path());
        assert_eq!(missing.iter().map(|tool| tool.package).collect::<Vec<_>>(), ["no-such-package"]);
    }
}
