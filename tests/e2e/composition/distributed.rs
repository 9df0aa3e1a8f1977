//! The distributed composition: each service a process of its own, or several, on RabbitMQ, Redis and Postgres.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use futures::future::join_all;
use postrider_testkit::servers::{postgres, rabbitmq, redis};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::process::{self, PATIENCE, Process};

/// Which services run, each how often.
pub(crate) type Crew = [(&'static str, usize)];

/// The smallest crew in which two dispatchers share the work.
const CREW: &Crew = &[("ingest", 1), ("dispatcher", 2), ("log-writer", 1), ("jobs", 1), ("api", 1)];

/// Stories that run at once: each has six processes and 26 quorum queues on the shared broker.
const AT_ONCE: usize = 2;
static SEATS: Semaphore = Semaphore::const_new(AT_ONCE);

/// Servers, and the processes that work on them.
pub(crate) struct Composition {
    /// Before the servers, so that they end first.
    pub(crate) processes: Vec<Process>,
    crew: Vec<(&'static str, usize)>,
    /// Each as `section.key=value`.
    pub(crate) settings: Vec<String>,
    token: String,
    /// The servers they work on.
    pub(crate) servers: Servers,
    folder: tempfile::TempDir,
}

/// Where the servers are. A story that needs one of its own puts its URL in.
pub(crate) struct Servers {
    /// `amqp://…/vhost`
    pub(crate) amqp: String,
    /// `redis://…/database`
    pub(crate) redis: String,
    /// `postgres://…/database`
    pub(crate) postgres: String,
    /// What is to be given back; nothing of a story's own servers.
    pub(crate) _borrowed: Option<Borrowed>,
}

/// Parts of the shared servers.
pub(crate) struct Borrowed {
    vhost: String,
    database: String,
    _seat: SemaphorePermit<'static>,
}

impl Servers {
    /// A part of each of the shared servers, as soon as a seat is free.
    pub(crate) async fn borrow() -> Self {
        let seat = SEATS.acquire().await.expect("nobody closes it");
        let (amqp, redis, postgres) =
            futures::join!(rabbitmq::vhost(), redis::database(), postgres::database());
        let vhost = amqp.rsplit('/').next().expect("a URL").to_owned();
        let borrowed = Borrowed { vhost, database: postgres.clone(), _seat: seat };
        Self { amqp, redis, postgres, _borrowed: Some(borrowed) }
    }
}

impl Drop for Borrowed {
    /// Quorum queues cost the shared broker for as long as they exist.
    fn drop(&mut self) {
        let give_back = async {
            let management = rabbitmq::management_of_all();
            let gone = management.expect("DELETE", &format!("/api/vhosts/{}", self.vhost), "").await;
            gone.and(postgres::drop_database(&self.database).await)
        };
        // In a thread of its own, because the story's runtime may be at its end.
        let given = std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                runtime.block_on(give_back)
            });
            thread.join()
        });
        // A story that fails already says why.
        assert!(std::thread::panicking() || matches!(given, Ok(Ok(()))), "not given back: {given:?}");
    }
}

impl Composition {
    /// The usual crew on fresh parts of the shared servers. Each setting is `section.key=value`.
    pub(crate) async fn prepare(settings: &[&str]) -> Self {
        Self::on(Servers::borrow().await, CREW, settings).await
    }

    /// This crew on these empty servers.
    pub(crate) async fn on(servers: Servers, crew: &Crew, settings: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut keys = process::command(folder.path());
        keys.args(["keys", "new"]);
        let ring = output(keys).await;
        std::fs::write(folder.path().join("ring"), ring).expect("the key ring is written");
        let settings = settings.iter().map(|one| (*one).to_owned()).collect();
        let (processes, crew, token) = (Vec::new(), crew.to_vec(), String::new());
        let mut composition = Self { processes, crew, settings, token, servers, folder };
        let mut migrate = composition.command();
        migrate.args(["--json", "migrate"]);
        let said: Value = serde_json::from_str(&output(migrate).await).expect("JSON");
        said["token"].as_str().expect("the token of a first run").clone_into(&mut composition.token);
        composition
    }

    /// A command that knows the servers and the key ring.
    pub(crate) fn command(&self) -> Command {
        let mut command = process::command(self.folder.path());
        command
            .env("POSTRIDER__AMQP__URL", &self.servers.amqp)
            .env("POSTRIDER__REDIS__URL", &self.servers.redis)
            .env("POSTRIDER__POSTGRES__URL", &self.servers.postgres)
            .env("POSTRIDER__KEYS__FILE", self.ring_file());
        command
    }

    /// A command of whoever runs it, who finds server, token and key ring.
    pub(crate) fn operator(&self) -> Command {
        let mut command = self.command();
        let api = &self.of("api").next().expect("it runs").url;
        command.env("POSTRIDER_SERVER", api).env("POSTRIDER_TOKEN", &self.token);
        command
    }

    /// Where the key ring is.
    pub(crate) fn ring_file(&self) -> PathBuf {
        self.folder.path().join("ring")
    }

    /// The tables of the database in which this text stands somewhere, as text or as bytes.
    pub(crate) async fn holders(&self, text: &str) -> Vec<String> {
        let mut database = PgConnection::connect(&self.servers.postgres).await.expect("the database opens");
        let tables = "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'";
        let tables = self.ask(tables).await;
        let bytes: Vec<String> = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        let bytes = bytes.concat();
        let mut holders = Vec::new();
        for table in tables {
            let found = format!(
                "SELECT count(*) FROM \"{table}\" t WHERE strpos(t::text, $1) > 0 OR strpos(t::text, $2) > 0"
            );
            let found = sqlx::query(AssertSqlSafe(found)).bind(text).bind(&bytes);
            let found = found.fetch_one(&mut database).await.expect("a count");
            if found.get::<i64, _>(0) > 0 {
                holders.push(table);
            }
        }
        holders
    }

    /// Asks the database; the first column, as text.
    pub(crate) async fn ask(&self, sql: &str) -> Vec<String> {
        let mut database = PgConnection::connect(&self.servers.postgres).await.expect("the database opens");
        let rows =
            sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_all(&mut database).await.expect("an answer");
        rows.iter().map(|row| row.get::<String, _>(0)).collect()
    }

    /// Starts the crew, and returns when all of it can work.
    pub(crate) async fn run(&mut self) {
        let services = self.crew.iter().flat_map(|&(service, count)| std::iter::repeat_n(service, count));
        let started = services.map(|service| Process::start(self.command(), service, &self.settings));
        self.processes = join_all(started).await;
        join_all(self.processes.iter().map(can_work)).await;
    }

    /// Whom to ask for this: events and what comes from sources go to ingest.
    pub(crate) fn base(&self, method: &Method, path: &str) -> &str {
        let enters = *method == Method::POST
            && path.contains("/environments/")
            && (path.ends_with("/events") || path.contains("/sources/"));
        let service = if enters { "ingest" } else { "api" };
        self.of(service).next().expect("it runs").url.as_str()
    }

    /// The processes of one service.
    pub(crate) fn of(&self, service: &str) -> impl Iterator<Item = &Process> {
        self.processes.iter().filter(move |process| process.service == service)
    }

    /// The bodies of the messages that killed processes had in hand. The shared broker does not tell: it has put them back.
    /// In `tests/faults` each story has a broker that can be asked before the kill.
    #[expect(clippy::unused_async, reason = "the other composition reads a file here")]
    pub(crate) async fn in_hand(&self) -> Option<Vec<String>> {
        None
    }

    /// The first admin's token.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }
}

/// Returns when a process says that it can work. Each question is a round trip, which is what is awaited.
pub(crate) async fn can_work(process: &Process) {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let mut said = String::new();
    let ready = async {
        loop {
            let answer = client.get(format!("{}/readyz", process.url)).send().await.expect("an answer");
            if answer.status() == StatusCode::OK {
                return;
            }
            said = answer.text().await.expect("a body");
            tokio::task::yield_now().await;
        }
    };
    let ready = timeout(PATIENCE, ready).await;
    assert!(ready.is_ok(), "{} cannot work: {said}", process.service);
}

/// What a command that ends prints on standard output; it must succeed.
async fn output(command: Command) -> String {
    let mut command = tokio::process::Command::from(command);
    let output = timeout(PATIENCE, command.stderr(Stdio::inherit()).output()).await;
    let output = output.expect("it ends").expect("it starts");
    assert!(output.status.success(), "{command:?}: {}", output.status);
    String::from_utf8(output.stdout).expect("UTF-8")
}
