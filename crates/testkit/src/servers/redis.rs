//! Redis: one server for all tests, a numbered database for each, or a server of a test's own.

use std::io;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::process::{Process, bound};
use super::{REDIS, free_port, shared, until_ready};

/// Databases of the shared server; an empty one costs a few hundred bytes.
const DATABASES: u32 = 10_000;

/// A private server that keeps nothing on disk, unless it is told to. Dropped, it is killed. It starts within milliseconds, so a test about
/// pub/sub, whose channels all databases of one server share, about `FLUSHALL` or about an outage takes one of its own.
#[derive(Debug)]
pub struct Server {
    folder: TempDir,
    port: u16,
    /// Whether it logs every write to disk.
    keeps: bool,
    process: Option<Process>,
}

/// The URL of a database of the shared server that no other test uses.
///
/// # Panics
/// When the test does not run beside the private servers, or the databases are used up.
pub async fn database() -> String {
    let url = shared(REDIS);
    let authority = url.trim_start_matches("redis://").trim_end_matches('/');
    let answer = ask(authority, "INCR postrider-testkit:databases").await;
    // Database 0 holds the count.
    let number: Option<u32> =
        answer.as_deref().ok().and_then(|text| text.strip_prefix(':')?.trim_end().parse().ok());
    match number {
        Some(number) if number < DATABASES => format!("redis://{authority}/{number}"),
        _ => panic!("no free database on the shared Redis: {answer:?}"),
    }
}

impl Server {
    /// Starts an empty server and waits until it answers.
    pub async fn start() -> io::Result<Self> {
        Self::begin(false).await
    }

    /// Starts an empty server that writes what it is told to its append-only file before it answers, as
    /// <https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/> says: killed and started again it knows
    /// all of it.
    pub async fn start_keeping() -> io::Result<Self> {
        Self::begin(true).await
    }

    async fn begin(keeps: bool) -> io::Result<Self> {
        let folder = TempDir::with_prefix("postrider-redis-")?;
        let mut server = Self { folder, port: free_port()?, keeps, process: None };
        server.start_again().await?;
        Ok(server)
    }

    /// Starts the server after [`Server::stop`] or [`Server::kill`] at the same port, with what it kept, and waits until it
    /// answers: a server that loads its data refuses until it is done.
    pub async fn start_again(&mut self) -> io::Result<()> {
        let port = self.port.to_string();
        let databases = DATABASES.to_string();
        let mut command = bound(&["redis-server"]);
        command.args(["--port", &port, "--bind", "127.0.0.1", "--databases", &databases]);
        command
            .args(["--save", "", "--appendonly", if self.keeps { "yes" } else { "no" }])
            .args(["--daemonize", "no", "--dir"])
            .arg(self.folder.path());
        let mut process = Process::start("redis", &mut command, self.folder.path())?;
        let authority = self.authority();
        until_ready(
            "Redis",
            &mut process,
            async || matches!(ask(&authority, "PING").await, Ok(answer) if answer.starts_with("+PONG")),
        )
        .await?;
        self.process = Some(process);
        Ok(())
    }

    /// Stops the server as an operator does; what it did not keep is gone.
    pub async fn stop(&mut self) {
        if let Some(process) = self.process.take() {
            process.stop("TERM").await;
        }
    }

    /// Kills the server as a power cut does.
    pub async fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill().await;
        }
    }

    /// Sends it a signal by name: after `STOP` it takes connections and commands and answers nothing, until `CONT`.
    pub fn signal(&self, name: &str) {
        if let Some(process) = &self.process {
            process.signal(name);
        }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("redis://{}", self.authority())
    }

    /// Sends one inline command (arguments with blanks in quotes) and returns the first line of the answer.
    pub async fn command(&self, command: &str) -> io::Result<String> {
        Ok(ask(&self.authority(), command).await?.trim_end().to_owned())
    }

    fn authority(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

/// One inline command and the first line of the answer, <https://redis.io/docs/latest/develop/reference/protocol-spec/>.
async fn ask(authority: &str, command: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(authority).await?;
    stream.write_all(format!("{command}\r\n").as_bytes()).await?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n") {
        answer.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
