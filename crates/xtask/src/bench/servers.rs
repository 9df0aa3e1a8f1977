//! The private servers that the bench runs beside, and a fresh part of each for every run.

use std::net::SocketAddr;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::http::Server;
use super::usage::Processes;

/// Whoever started the bench names the servers in these variables (crates/testkit/src/servers.rs).
const AMQP: &str = "POSTRIDER_TEST_AMQP";
const MANAGEMENT: &str = "POSTRIDER_TEST_AMQP_MANAGEMENT";
const REDIS: &str = "POSTRIDER_TEST_REDIS";
const POSTGRES: &str = "POSTRIDER_TEST_POSTGRES";
/// The setting of Postrider that names its Postgres.
pub(crate) const POSTGRES_URL: &str = "POSTRIDER__POSTGRES__URL";
/// `guest:guest`, RabbitMQ's user for loopback connections.
const GUEST: &str = "Basic Z3Vlc3Q6Z3Vlc3Q=";

/// The three servers.
pub(crate) struct Servers {
    amqp: String,
    management: Server,
    redis: String,
    postgres: String,
    /// Their processes.
    pub(crate) processes: Vec<(&'static str, u32)>,
    made: u32,
}

/// An empty part of each.
pub(crate) struct Place {
    name: String,
    /// What the processes of Postrider find in their environment.
    pub(crate) settings: Vec<(&'static str, String)>,
}

impl Servers {
    /// Those that are named in the environment.
    ///
    /// # Errors
    /// When they are not: the bench was started by hand.
    pub(crate) fn find() -> Result<Self> {
        let management = variable(MANAGEMENT)?;
        let management = Server { address: address(&management)?, authorization: GUEST.to_owned() };
        let all = Processes::now()?;
        let runner = all.parent(std::process::id()).context("a process without a parent")?;
        let named = [("rabbitmq", "beam.smp"), ("redis", "redis-server"), ("postgres", "postgres")];
        let process = |(name, command)| {
            let id = all.child_with(runner, command);
            Ok((name, id.with_context(|| format!("no {command} runs beside the bench"))?))
        };
        Ok(Self {
            amqp: variable(AMQP)?,
            management,
            redis: variable(REDIS)?,
            postgres: variable(POSTGRES)?,
            processes: named.into_iter().map(process).collect::<Result<_>>()?,
            made: 0,
        })
    }

    /// Makes an empty virtual host and an empty database, and empties Redis.
    pub(crate) async fn place(&mut self) -> Result<Place> {
        self.made += 1;
        let name = format!("bench_{}", self.made);
        self.management.ask("PUT", &format!("/api/vhosts/{name}"), "").await?;
        self.sql(&format!("CREATE DATABASE {name}"))?;
        let mut redis = TcpStream::connect(address(&self.redis)?).await?;
        redis.write_all(b"FLUSHALL\r\n").await?;
        let mut answer = [0; 5];
        redis.read_exact(&mut answer).await?;
        ensure!(&answer == b"+OK\r\n", "Redis could not be emptied");
        let settings = vec![
            ("POSTRIDER__AMQP__URL", format!("{}/{name}", self.amqp)),
            ("POSTRIDER__REDIS__URL", format!("{}/0", self.redis)),
            (POSTGRES_URL, format!("{}/{name}", self.postgres)),
        ];
        Ok(Place { name, settings })
    }

    /// Removes a place that nobody uses any more.
    pub(crate) async fn clear(&self, place: &Place) -> Result<()> {
        self.management.ask("DELETE", &format!("/api/vhosts/{}", place.name), "").await?;
        self.sql(&format!("DROP DATABASE {} WITH (FORCE)", place.name))
    }

    /// The counters of each queue of a place.
    pub(crate) async fn queues(&self, place: &Place) -> Result<Value> {
        let all = self.management.ask_json("GET", &format!("/api/queues/{}", place.name), "").await?;
        let all = all.as_array().context("a list of queues")?;
        let named = all.iter().filter_map(|queue| {
            // Without the product's name and the version (DESIGN §4.2).
            let (_version, name) = queue["name"].as_str()?.strip_prefix("postrider.")?.split_once('.')?;
            Some((name.to_owned(), queue["message_stats"].clone()))
        });
        Ok(Value::Object(named.collect()))
    }

    /// Their versions.
    pub(crate) async fn versions(&self) -> Result<String> {
        let overview = self.management.ask_json("GET", "/api/overview", "").await?;
        let rabbitmq = overview["rabbitmq_version"].as_str().unwrap_or("?").to_owned();
        let redis = said(Command::new("redis-server").arg("--version"))?;
        let redis =
            redis.split_once("v=").and_then(|(_, rest)| rest.split(' ').next()).unwrap_or("?").to_owned();
        let postgres =
            said(self.psql().args(["--tuples-only", "--no-align", "--command", "SHOW server_version"]))?;
        let postgres = postgres.split(' ').next().unwrap_or("?").trim().to_owned();
        let synced = said(self.psql().args(["--tuples-only", "--no-align", "--command", "SHOW fsync"]))?;
        Ok(format!("RabbitMQ {rabbitmq}, Redis {redis}, PostgreSQL {postgres} (fsync {})", synced.trim()))
    }

    fn sql(&self, statement: &str) -> Result<()> {
        said(self.psql().args(["--quiet", "--command", statement])).map(drop)
    }

    fn psql(&self) -> Command {
        let mut psql = Command::new("psql");
        psql.args(["--no-psqlrc", "--dbname", &format!("{}/postgres", self.postgres)]);
        psql
    }
}

/// What a command prints.
pub(crate) fn said(command: &mut Command) -> Result<String> {
    let output =
        command.output().with_context(|| format!("cannot run {}", command.get_program().display()))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} failed: {errors}", command.get_program().display());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Host and port of a URL.
pub(crate) fn address(url: &str) -> Result<SocketAddr> {
    let authority = url.split_once("//").map_or(url, |(_, rest)| rest);
    let authority = authority.split('/').next().unwrap_or(authority);
    let host = authority.rsplit('@').next().unwrap_or(authority);
    host.parse().with_context(|| format!("{url} has no address and port"))
}

#[expect(clippy::disallowed_methods, reason = "the runner names its servers in the environment")]
fn variable(name: &str) -> Result<String> {
    std::env::var(name)
        .with_context(|| format!("{name} is not set: start the bench with `cargo xtask bench`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_in_every_url() {
        for url in
            ["http://guest:guest@127.0.0.1:15672", "redis://127.0.0.1:15672/0", "http://127.0.0.1:15672/"]
        {
            assert_eq!(address(url).expect("an address"), SocketAddr::from(([127, 0, 0, 1], 15672)), "{url}");
        }
        assert!(address("http://localhost").is_err());
    }
}
