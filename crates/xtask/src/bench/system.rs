//! A running Postrider: its processes beside the servers, or the one of `serve`.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::http::Server;
use super::load::Door;
use super::servers::{POSTGRES_URL, Place, Servers, address, said};

/// One of each: on two cores that the servers, the generator and the receiver share, a second one only adds switches.
const PROCESSES: [&str; 5] = ["ingest", "dispatcher", "log-writer", "jobs", "api"];
/// How long starting and stopping may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at something that gives no signal.
pub(crate) const LOOK: Duration = Duration::from_millis(20);

/// Postrider at work.
pub(crate) struct System {
    pub(crate) processes: Vec<Process>,
    /// The management API.
    pub(crate) api: Server,
    ingest: Server,
    /// Its part of the servers; none for `serve`.
    place: Option<Place>,
    folder: TempDir,
}

/// One process of it. Dropped, it is killed.
pub(crate) struct Process {
    pub(crate) name: &'static str,
    pub(crate) server: Server,
    child: Child,
    _output: BufReader<ChildStdout>,
}

impl System {
    /// Starts all processes beside the servers, and waits until each is ready.
    pub(crate) async fn distributed(binary: &Path, servers: &mut Servers) -> Result<Self> {
        Self::distributed_with(binary, servers, &[]).await
    }

    /// The same with settings of its own, named as in the environment.
    pub(crate) async fn distributed_with(
        binary: &Path,
        servers: &mut Servers,
        settings: &[(&'static str, &str)],
    ) -> Result<Self> {
        let folder = TempDir::with_prefix("postrider-bench-")?;
        let mut place = servers.place().await?;
        let key = said(Command::new(binary).args(["keys", "new"]).current_dir(folder.path()))?;
        place.settings.push(("POSTRIDER__KEYS__VALUE", key.trim().to_owned()));
        place.settings.extend(settings.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let command = |arguments: &[&str]| {
            let mut command = Command::new(binary);
            command.args(arguments).current_dir(folder.path()).envs(place.settings.iter().cloned());
            command
        };
        let migrated = said(&mut command(&["migrate", "--json"]))?;
        let migrated: Value = serde_json::from_str(&migrated).context("migrate --json")?;
        let token = migrated["token"].as_str().context("migrate made no token")?.to_owned();
        let mut processes = Vec::new();
        for name in PROCESSES {
            let mut command = command(&[name, "--json", "--bind", "127.0.0.1:0"]);
            processes.push(Process::start(name, &mut command, &token, folder.path())?);
        }
        let server = |name| {
            let found = processes.iter().find(|process| process.name == name);
            found.map(|process| process.server.clone()).context("each process was started")
        };
        let (api, ingest) = (server("api")?, server("ingest")?);
        let system = Self { processes, api, ingest, place: Some(place), folder };
        system.until_ready().await?;
        Ok(system)
    }

    /// Starts `serve` on an empty folder.
    pub(crate) async fn embedded(binary: &Path) -> Result<Self> {
        Self::embedded_in(binary, TempDir::with_prefix("postrider-bench-")?).await
    }

    /// Starts `serve` on what is in the folder `data` of this one.
    pub(crate) async fn embedded_in(binary: &Path, folder: TempDir) -> Result<Self> {
        let mut command = Command::new(binary);
        command.args(["serve", "--json", "--bind", "127.0.0.1:0", "--data-dir", "data"]);
        // Nobody listens there: no tool of ours asks Slack.
        command.env("POSTRIDER__SLACK__BASE_URL", "http://127.0.0.1:9/api/");
        command.current_dir(folder.path());
        let process = Process::start("serve", &mut command, "", folder.path())?;
        let server = process.server.clone();
        let system =
            Self { processes: vec![process], api: server.clone(), ingest: server, place: None, folder };
        system.until_ready().await?;
        Ok(system)
    }

    async fn until_ready(&self) -> Result<()> {
        let ready = async {
            for process in &self.processes {
                while process.server.ask("GET", "/readyz", "").await.is_err() {
                    tokio::time::sleep(LOOK).await;
                }
            }
        };
        if tokio::time::timeout(PATIENCE, ready).await.is_err() {
            bail!("not ready after {} s:\n{}", PATIENCE.as_secs(), self.errors());
        }
        Ok(())
    }

    /// Makes a space with a webhook for each URL, for every event.
    pub(crate) async fn space(&self, space: &str, urls: &[String]) -> Result<()> {
        self.api.ask("PUT", &format!("/spaces/{space}"), &json!({ "name": space }).to_string()).await?;
        for (number, url) in urls.iter().enumerate() {
            let webhook = json!({ "name": format!("bench {number}"), "url": url, "topics": ["*.*"] });
            self.webhook(space, &webhook).await?;
        }
        Ok(())
    }

    /// Makes a webhook from its definition.
    pub(crate) async fn webhook(&self, space: &str, definition: &Value) -> Result<()> {
        let path = format!("/spaces/{space}/webhook_definitions");
        self.api.ask("POST", &path, &definition.to_string()).await.map(drop)
    }

    /// What the broker's own counters say of each queue, by its name without the prefix of all: `message_stats` of
    /// <https://rawcdn.githack.com/rabbitmq/rabbitmq-server/v3.10.8/deps/rabbitmq_management/priv/www/doc/stats.html>. Empty
    /// without a broker. They are up to five seconds old.
    pub(crate) async fn queues(&self, servers: &Servers) -> Result<Value> {
        match &self.place {
            Some(place) => servers.queues(place).await,
            None => Ok(json!({})),
        }
    }

    /// The URL of its part of Postgres, if it has one.
    pub(crate) fn postgres(&self) -> Option<String> {
        let settings = &self.place.as_ref()?.settings;
        settings.iter().find(|(name, _)| *name == POSTGRES_URL).map(|(_, url)| url.clone())
    }

    /// Where the events of a space are published.
    pub(crate) fn door(&self, space: &str) -> Door {
        Door {
            address: self.ingest.address,
            path: format!("/spaces/{space}/environments/master/events"),
            authorization: self.ingest.authorization.clone(),
            prefix: space.to_owned(),
            event_type: "Entry",
            content_types: 1,
        }
    }

    /// How many deliveries of a space stand in each state on record.
    pub(crate) async fn states(&self, space: &str) -> Result<Value> {
        let balance = self.api.ask_json("GET", &format!("/spaces/{space}/balance"), "").await?;
        Ok(balance["states"].clone())
    }

    /// What the processes said of errors and warnings.
    pub(crate) fn errors(&self) -> String {
        let said = |process: &Process| {
            let text = std::fs::read_to_string(self.folder.path().join(process.name)).unwrap_or_default();
            let last: Vec<&str> = text.lines().rev().take(20).collect();
            let last: Vec<&str> = last.into_iter().rev().collect();
            format!("--- {}\n{}\n", process.name, last.join("\n"))
        };
        self.processes.iter().map(said).collect()
    }

    /// Stops all processes in good order and removes what they left.
    ///
    /// # Errors
    /// When one does not stop, or not with success.
    pub(crate) async fn stop(mut self, servers: &Servers) -> Result<()> {
        for process in &self.processes {
            said(Command::new("kill").args(["-TERM", &process.id().to_string()]))?;
        }
        let ended = async {
            for process in &mut self.processes {
                let status = loop {
                    match process.child.try_wait()? {
                        Some(status) => break status,
                        None => tokio::time::sleep(LOOK).await,
                    }
                };
                ensure!(status.success(), "{} ended with {status}", process.name);
            }
            Ok(())
        };
        match tokio::time::timeout(PATIENCE, ended).await {
            Ok(ended) => ended.with_context(|| self.errors())?,
            Err(_) => bail!("not stopped after {} s:\n{}", PATIENCE.as_secs(), self.errors()),
        }
        if let Some(place) = &self.place {
            servers.clear(place).await?;
        }
        Ok(())
    }
}

impl Process {
    /// Starts it and reads where it listens. Its errors go to a file of its name.
    fn start(name: &'static str, command: &mut Command, token: &str, folder: &Path) -> Result<Self> {
        let errors = std::fs::File::create(folder.join(name))?;
        // It dies with the bench, however that ends.
        let mut bound = Command::new("setpriv");
        bound.args(["--pdeathsig", "KILL", "--"]).arg(command.get_program()).args(command.get_args());
        bound.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        bound.current_dir(folder).env("POSTRIDER__LOG__FILTER", "warn");
        let mut child = bound.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors).spawn()?;
        let mut output = BufReader::new(child.stdout.take().context("its output is piped")?);
        let mut line = String::new();
        output.read_line(&mut line)?;
        let errors = || std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        let first: Value = serde_json::from_str(&line)
            .with_context(|| format!("{name} said {line:?} instead of its address: {}", errors()))?;
        let url = first["url"].as_str().with_context(|| format!("{name} named no address: {line}"))?;
        let token = first["token"].as_str().unwrap_or(token);
        let server = Server { address: address(url)?, authorization: format!("Bearer {token}") };
        Ok(Self { name, server, child, _output: output })
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
