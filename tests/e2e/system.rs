//! One running Postrider, started from the built binary on a folder of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};
use tokio::time::timeout;

/// How long a story waits for what must come. Generous: it only passes when something is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// A folder, and the process that works on it.
pub(crate) struct System {
    /// Removed when the story ends.
    folder: tempfile::TempDir,
    settings: Vec<String>,
    process: Option<Child>,
    output: Option<Lines<BufReader<ChildStdout>>>,
    base: String,
    token: String,
    client: Client,
}

/// The binary, built once per test run by the same cargo that runs the tests.
fn binary() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let root = postrider_tests::house::root();
        let output = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--package", "postrider-cli", "--message-format=json"])
            .current_dir(&root)
            .stderr(Stdio::inherit())
            .output()
            .expect("cargo starts");
        assert!(output.status.success(), "the binary does not build");
        let lines = String::from_utf8(output.stdout).expect("cargo speaks UTF-8");
        let executable = lines
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
            .next_back();
        executable.expect("cargo names the executable")
    })
}

impl System {
    /// Starts on an empty folder. Each setting is `section.key=value`.
    pub(crate) async fn start(settings: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = settings.iter().map(|one| (*one).to_owned()).collect();
        let client = Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client");
        let (base, token) = (String::new(), String::new());
        let mut system = Self { folder, settings, process: None, output: None, base, token, client };
        system.run().await;
        system
    }

    /// A command of the binary on this folder.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(binary());
        command.args(["--data-dir"]).arg(self.folder.path().join("data")).current_dir(self.folder.path());
        command.env_remove("POSTRIDER_SERVER").env_remove("POSTRIDER_TOKEN");
        command
    }

    /// Starts the process (again) and returns when it says where it listens.
    pub(crate) async fn run(&mut self) {
        let mut command = self.command();
        command.args(["--set", "server.bind=127.0.0.1:0", "--set", "log.filter=warn"]);
        for setting in &self.settings {
            command.args(["--set", setting]);
        }
        command.arg("serve").stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut process =
            tokio::process::Command::from(command).kill_on_drop(true).spawn().expect("it starts");
        let mut lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        self.base = timeout(PATIENCE, async {
            loop {
                let line = lines.next_line().await.expect("readable").expect("it ended before it listened");
                if let Some(at) = line.find("http://127.0.0.1:") {
                    return line[at..]
                        .split_whitespace()
                        .next()
                        .expect("a word")
                        .trim_end_matches('/')
                        .to_owned();
                }
            }
        })
        .await
        .expect("it says where it listens");
        self.process = Some(process);
        self.output = Some(lines);
        let profile = std::fs::read_to_string(self.folder.path().join("data/cli.toml")).expect("cli.toml");
        let profile: toml::Table = profile.parse().expect("TOML");
        profile["token"].as_str().expect("a token").clone_into(&mut self.token);
    }

    /// SIGKILL, at once.
    pub(crate) async fn kill(&mut self) {
        let mut process = self.process.take().expect("it runs");
        process.kill().await.expect("killed");
    }

    /// Sends a signal by name (`TERM`).
    pub(crate) fn signal(&self, name: &str) {
        let id = self.process.as_ref().and_then(Child::id).expect("it runs");
        let sent =
            Command::new("kill").args([&format!("-{name}"), &id.to_string()]).status().expect("kill starts");
        assert!(sent.success(), "signal {name}");
    }

    /// Waits for the process to end.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("it runs");
        timeout(PATIENCE, process.wait()).await.expect("it ends").expect("a status")
    }

    /// The peak of its resident memory so far, in KiB (`VmHWM` of /proc).
    pub(crate) fn peak_memory_kib(&self) -> u64 {
        let id = self.process.as_ref().and_then(Child::id).expect("it runs");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("Linux");
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("VmHWM");
        line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
    }

    /// A request to it with its own token.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.bare(method, path).bearer_auth(&self.token)
    }

    /// A request without a token.
    pub(crate) fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    /// An answer that must be a success.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Value {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.expect("an answer");
        let status = answer.status();
        let text = answer.text().await.expect("a body");
        assert!(status.is_success(), "{path}: {status} {text}");
        if text.is_empty() { Value::Null } else { serde_json::from_str(&text).expect("JSON") }
    }

    /// Makes a webhook from its definition and returns its id.
    pub(crate) async fn webhook(&self, definition: &Value) -> String {
        let made = self.call(Method::POST, "/spaces/default/webhook_definitions", Some(definition)).await;
        made["sys"]["id"].as_str().expect("an id").to_owned()
    }

    /// Publishes one event or an array; the answer's status and body.
    pub(crate) async fn publish(&self, event: &Value) -> (StatusCode, Value) {
        let sent =
            self.request(Method::POST, "/spaces/default/environments/master/events").json(event).send().await;
        let answer = sent.expect("an answer");
        (answer.status(), answer.json().await.expect("JSON"))
    }

    /// Publishes what must be accepted.
    pub(crate) async fn accept(&self, event: &Value) {
        let (status, body) = self.publish(event).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{body}");
    }

    /// How many deliveries stand in each state, of generation 0.
    pub(crate) async fn balance(&self) -> Balance {
        Balance(self.call(Method::GET, "/spaces/default/balance", None).await)
    }

    /// Polls the balance until it is as wanted. Each poll is a round trip to the system, which is what is awaited.
    pub(crate) async fn until(&self, what: &str, wanted: impl Fn(&Balance) -> bool) -> Balance {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let balance = self.balance().await;
            if wanted(&balance) {
                return balance;
            }
            assert!(tokio::time::Instant::now() < deadline, "{what} did not come: {:?}", balance.0);
            tokio::task::yield_now().await;
        }
    }
}

/// The count of every state of DESIGN §2.
#[derive(Debug)]
pub(crate) struct Balance(Value);

impl Balance {
    /// How many stand in this state.
    pub(crate) fn of(&self, state: &str) -> u64 {
        self.0["states"][state].as_u64().unwrap_or(0)
    }

    /// How many there are in all.
    pub(crate) fn total(&self) -> u64 {
        self.0["states"].as_object().expect("states").values().filter_map(Value::as_u64).sum()
    }
}

/// A native event, as small as it may be.
pub(crate) fn event(id: &str, topic: &str) -> Value {
    let (event_type, action) = topic.split_once('.').expect("a dot");
    json!({ "id": id, "type": event_type, "action": action, "resource": { "id": format!("r-{id}") }, "data": { "n": id } })
}

/// A webhook on these topics that calls this URL.
pub(crate) fn webhook(url: &str, topics: &[&str]) -> Value {
    json!({ "name": "story", "url": url, "topics": topics })
}
