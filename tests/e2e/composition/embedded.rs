//! The embedded composition: the whole system in one process, on a folder of its own.

use std::path::PathBuf;
use std::process::Command;

use reqwest::Method;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Row};

use crate::process::{self, Process};

/// The number of the queue of records in the file.
const RECORDS: i64 = 5;

/// A folder, and the process that works on it.
pub(crate) struct Composition {
    pub(crate) processes: Vec<Process>,
    settings: Vec<String>,
    token: String,
    /// Removed when the story ends.
    folder: tempfile::TempDir,
}

impl Composition {
    /// An empty folder. Each setting is `section.key=value`.
    #[expect(clippy::unused_async, reason = "the other composition waits for servers here")]
    pub(crate) async fn prepare(settings: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = settings.iter().map(|one| (*one).to_owned()).collect();
        Self { processes: Vec::new(), settings, token: String::new(), folder }
    }

    /// Starts what must run, and returns when it can work.
    pub(crate) async fn run(&mut self) {
        let command = process::command(self.folder.path());
        self.processes = vec![Process::start(command, "serve", &self.settings).await];
        let profile = std::fs::read_to_string(self.folder.path().join("data/cli.toml")).expect("cli.toml");
        let profile: toml::Table = profile.parse().expect("TOML");
        profile["token"].as_str().expect("a token").clone_into(&mut self.token);
    }

    /// Whom to ask for this.
    pub(crate) fn base(&self, _method: &Method, _path: &str) -> &str {
        self.processes.first().expect("it runs").url.as_str()
    }

    /// A command of whoever runs it, who finds server, token and key ring.
    pub(crate) fn operator(&self) -> Command {
        process::command(self.folder.path())
    }

    /// Where the key ring is.
    pub(crate) fn ring_file(&self) -> PathBuf {
        self.folder.path().join("data/keys")
    }

    /// The columns of the database in which this text stands somewhere.
    pub(crate) async fn holders(&self, text: &str) -> Vec<String> {
        let file = self.folder.path().join("data/postrider.db");
        let options = SqliteConnectOptions::new().filename(file).read_only(true);
        let mut database = options.connect().await.expect("the database opens");
        let columns =
            "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'";
        let columns = sqlx::query(columns).fetch_all(&mut database).await.expect("columns");
        let mut holders = Vec::new();
        for column in columns {
            let (table, column): (String, String) = (column.get(0), column.get(1));
            let found = format!(
                "SELECT count(*) FROM \"{table}\" WHERE instr(CAST(\"{column}\" AS BLOB), CAST(?1 AS BLOB)) > 0"
            );
            let found =
                sqlx::query(AssertSqlSafe(found)).bind(text).fetch_one(&mut database).await.expect("a count");
            if found.get::<i64, _>(0) > 0 {
                holders.push(format!("{table}.{column}"));
            }
        }
        holders
    }

    /// The bodies of the messages that the killed process had in hand, other than records. They are read from a copy: whoever
    /// opens the file itself mends what the kill left behind.
    pub(crate) async fn in_hand(&self) -> Option<Vec<String>> {
        let copy = tempfile::tempdir().expect("a folder");
        for name in ["postrider.db", "postrider.db-wal"] {
            let from = self.folder.path().join("data").join(name);
            // There is no log of writes when the last one was just written back.
            if from.exists() {
                std::fs::copy(from, copy.path().join(name)).expect("the file is copied");
            }
        }
        let options = SqliteConnectOptions::new().filename(copy.path().join("postrider.db"));
        let mut database = options.connect().await.expect("the database opens");
        let bodies = "SELECT m.body FROM leases l JOIN messages m ON m.seq = l.seq WHERE l.queue <> ?1";
        let bodies = sqlx::query(bodies).bind(RECORDS).fetch_all(&mut database).await.expect("messages");
        let text = |body: Vec<u8>| String::from_utf8(body).expect("the wire form is text");
        Some(bodies.into_iter().map(|row| text(row.get(0))).collect())
    }

    /// The first admin's token.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }
}
