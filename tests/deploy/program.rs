//! The built binary, asked whether it understands what the files around it say.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use postrider_tests::house::{Breach, root};
use reqwest::{Client, StatusCode};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

use crate::container::{Container, PREFIX};

/// How long a process may take to say where it listens. Generous: it only passes when something is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// The binary, built once per test run by the same cargo that runs the tests.
fn binary() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let output = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--package", "postrider-cli", "--message-format=json"])
            .current_dir(root())
            .stderr(Stdio::inherit())
            .output()
            .expect("cargo starts");
        assert!(output.status.success(), "the binary does not build");
        let lines = String::from_utf8(output.stdout).expect("cargo speaks UTF-8");
        let messages = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let built =
            messages.filter_map(|message| message["executable"].as_str().map(PathBuf::from)).next_back();
        built.expect("cargo names the executable")
    })
}

/// A command with these variables and no others.
fn command(env: &BTreeMap<String, String>) -> Command {
    let mut command = Command::new(binary());
    command.env_clear().envs(env).current_dir("/");
    command
}

/// Its standard output, or what it complains about.
fn ask(args: &[&str], env: &BTreeMap<String, String>) -> Result<String, String> {
    let output = command(env).args(args).output().expect("the binary starts");
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

/// A new key ring.
pub(crate) fn new_ring() -> String {
    ask(&["keys", "new"], &BTreeMap::new()).expect("keys can be made").trim().to_owned()
}

/// The queues from which dispatchers deliver.
pub(crate) fn lanes() -> BTreeSet<String> {
    let json = ask(&["--json", "topology", "print"], &BTreeMap::new()).expect("the topology is printed");
    let objects: Value = serde_json::from_str(&json).expect("it is JSON");
    let names = crate::container::list(&objects).map(|one| crate::container::text(&one["name"]));
    names.filter(|name| name.contains(".deliver.")).collect()
}

/// Arguments and variables that the binary refuses, and secrets that stand in a file.
pub(crate) fn understands(containers: &[Container]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for container in containers {
        let mut args: Vec<&str> = container.args.iter().map(String::as_str).collect();
        args.push("--help");
        let answers = [ask(&args, &BTreeMap::new()), ask(&["config", "check"], &container.env)];
        breaches.extend(
            answers.into_iter().filter_map(Result::err).map(|what| Breach::new(&container.place, what)),
        );
        let secrets = secrets(&container.env);
        for variable in container.literal.iter().filter(|variable| secrets.contains(*variable)) {
            let what = format!("{variable} is a secret, and its value stands in the file");
            breaches.push(Breach::new(&container.place, what));
        }
    }
    breaches
}

/// Those variables that the binary never shows.
fn secrets(env: &BTreeMap<String, String>) -> BTreeSet<String> {
    let Ok(json) = ask(&["--json", "config", "print"], env) else { return BTreeSet::new() };
    let settings: BTreeMap<String, Value> = serde_json::from_str(&json).expect("it is JSON");
    let hidden = settings.iter().filter(|(_, setting)| setting["value"] == "•••");
    hidden.map(|(name, _)| format!("{PREFIX}{}", name.replace('.', "__").to_uppercase())).collect()
}

/// Whether a `migrate` has all that it needs but the servers, for which it does not wait here.
pub(crate) fn lacks_only_servers(migrate: &Container, ring: &str) -> Option<Breach> {
    let mut args = migrate.args.clone();
    args.iter_mut().skip_while(|arg| *arg != "--wait").skip(1).take(1).for_each(|wait| "0s".clone_into(wait));
    let output = command(&without_servers(migrate, ring)).args(&args).output().expect("the binary starts");
    let says = String::from_utf8_lossy(&output.stderr);
    (output.status.code() != Some(69)).then(|| Breach::new(&migrate.place, format!("does not begin: {says}")))
}

/// The variables of a container with real keys, and with servers that refuse at once.
fn without_servers(container: &Container, ring: &str) -> BTreeMap<String, String> {
    let mut env = container.env.clone();
    for (name, value) in [
        ("KEYS__VALUE", ring),
        ("AMQP__URL", "amqp://127.0.0.1:1/%2f"),
        ("REDIS__URL", "redis://127.0.0.1:1/0"),
        ("POSTGRES__URL", "postgres://postrider@127.0.0.1:1/postrider"),
    ] {
        env.entry(format!("{PREFIX}{name}")).and_modify(|given| value.clone_into(given));
    }
    env
}

/// A container's process, on another port and without its servers.
pub(crate) struct Running {
    place: String,
    url: String,
    /// Dies with this.
    _child: Child,
}

impl Running {
    /// Starts it and reads where it listens.
    pub(crate) async fn start(container: &Container, ring: &str) -> Result<Self, Breach> {
        let failed = |what: &str| Breach::new(&container.place, what);
        let mut command = command(&without_servers(container, ring));
        command.args(["--json", "--set", "server.admin=", "--set", "log.filter=error"]).args(&container.args);
        command.args(["--bind", "127.0.0.1:0"]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = tokio::process::Command::from(command)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(&format!("does not start: {error}")))?;
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await;
        let line = line.ok().and_then(Result::ok).flatten();
        let line = line.ok_or_else(|| failed("ends, or never says where it listens"))?;
        let says: Value = serde_json::from_str(&line).map_err(|_| failed("does not say where it listens"))?;
        let url = says["url"].as_str().ok_or_else(|| failed("does not say where it listens"))?.to_owned();
        Ok(Self { place: container.place.clone(), url, _child: child })
    }

    /// Whether it knows a path of a probe: without servers it is alive and not ready.
    pub(crate) async fn knows(&self, probe: &str, path: &str) -> Option<Breach> {
        let client = Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client");
        let status = client.get(format!("{}{path}", self.url)).send().await.map(|reply| reply.status());
        let expected = match probe {
            "readinessProbe" => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::OK,
        };
        let is_as_expected = status.as_ref().is_ok_and(|status| *status == expected);
        (!is_as_expected).then(|| Breach::new(&self.place, format!("{probe} {path} is answered {status:?}")))
    }

    /// Whether the image's health check, which looks where `server.bind` is, finds it and finds it not ready.
    pub(crate) fn is_found_by(&self, healthcheck: &[String]) -> Option<Breach> {
        let bind = self.url.trim_start_matches("http://").to_owned();
        let env = BTreeMap::from([("POSTRIDER__SERVER__BIND".to_owned(), bind)]);
        let output = command(&env).args(healthcheck).output().expect("the binary starts");
        let says = String::from_utf8_lossy(&output.stderr);
        let is_found = output.status.code() == Some(69) && says.contains("/readyz") && says.contains("503");
        (!is_found).then(|| Breach::new(&self.place, format!("the image's health check says: {says}")))
    }
}
