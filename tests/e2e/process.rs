//! One process of the built binary.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};
use tokio::time::timeout;

/// How long a story waits for what must come. Generous: it only passes when something is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// A process that says where it listens. Dropped, it is killed.
pub(crate) struct Process {
    /// Which service it is.
    pub(crate) service: String,
    /// Where it listens.
    pub(crate) url: String,
    child: Child,
    /// What it says later goes here: a closed pipe would end it.
    _output: Lines<BufReader<ChildStdout>>,
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

/// A command of the binary that works in this folder and takes nothing from the surroundings.
pub(crate) fn command(folder: &Path) -> Command {
    let mut command = Command::new(binary());
    command.arg("--data-dir").arg(folder.join("data")).current_dir(folder);
    command.env_remove("POSTRIDER_SERVER").env_remove("POSTRIDER_TOKEN");
    command
}

impl Process {
    /// Starts a service on a free port with these settings (`section.key=value`), and returns when it says where it
    /// listens.
    pub(crate) async fn start(mut command: Command, service: &str, settings: &[String]) -> Self {
        command.args(["--set", "server.bind=127.0.0.1:0", "--set", "log.filter=warn"]);
        // A story polls as fast as it is answered.
        command.args(["--set", "api.requests_per_second=100000"]);
        for setting in settings {
            command.args(["--set", setting]);
        }
        command.arg(service).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn().expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let listening = async {
            loop {
                let line = lines.next_line().await.expect("readable");
                let line = line.unwrap_or_else(|| panic!("{service} ended before it listened"));
                if let Some(at) = line.find("http://127.0.0.1:") {
                    let url = line[at..].split_whitespace().next().expect("a word");
                    return url.trim_end_matches('/').to_owned();
                }
            }
        };
        let url = timeout(PATIENCE, listening).await;
        let url = url.unwrap_or_else(|_| panic!("{service} does not say where it listens"));
        Self { service: service.to_owned(), url, child, _output: lines }
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// Sends a signal by name (`TERM`). One that has ended takes it too, until somebody waits for it.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.id().to_string()]).status();
        assert!(sent.expect("kill starts").success(), "signal {name}");
    }

    /// Returns when it has noticed that it is to stop: it says that it is not ready, or answers no more.
    pub(crate) async fn draining(&self) {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let ready = || client.get(format!("{}/readyz", self.url)).send();
        while ready().await.is_ok_and(|answer| answer.status().is_success()) {
            tokio::task::yield_now().await;
        }
    }

    /// Waits for it to end.
    pub(crate) async fn ended(mut self) -> ExitStatus {
        let ended = timeout(PATIENCE, self.child.wait()).await;
        ended.unwrap_or_else(|_| panic!("{} does not end", self.service)).expect("a status")
    }

    /// The peak of its resident memory so far, in KiB (`VmHWM` of /proc).
    pub(crate) fn peak_memory_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).expect("Linux");
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("VmHWM");
        line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
    }
}
