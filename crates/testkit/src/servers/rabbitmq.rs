//! RabbitMQ: one broker for all tests, a virtual host for each, or a broker of a test's own.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;

use super::installation::Installation;
use super::process::{Process, bound};
use super::{AMQP, AMQP_MANAGEMENT, LOOK, free_port, shared, until_ready};

/// `guest:guest`, RabbitMQ's user for loopback connections, as HTTP's basic authentication writes it.
const BASIC: &str = "Basic Z3Vlc3Q6Z3Vlc3Q=";

/// How far the list of connections may be behind on a busy machine.
const BEHIND: Duration = Duration::from_secs(30);

/// A private broker with the management plugin. Dropped, it is killed.
#[derive(Debug)]
pub struct Broker {
    installation: Installation,
    folder: TempDir,
    amqp: u16,
    distribution: u16,
    epmd_port: u16,
    management: Management,
    node: Option<Process>,
    /// The name server of Erlang; ours alone.
    epmd: Process,
}

/// The management API of a broker, <https://rawcdn.githack.com/rabbitmq/rabbitmq-server/v3.10.8/deps/rabbitmq_management/priv/www/api/index.html>.
#[derive(Debug, Clone)]
pub struct Management {
    port: u16,
}

/// The URL of a fresh virtual host on the shared broker.
///
/// # Panics
/// When the test does not run beside the private servers, or the broker refuses.
pub async fn vhost() -> String {
    let url = management_of_all().vhost().await.map(|name| format!("{}/{name}", shared(AMQP)));
    url.unwrap_or_else(|error| panic!("no virtual host on the shared broker: {error}"))
}

/// The management API of the shared broker.
///
/// # Panics
/// When the test does not run beside the private servers.
pub fn management_of_all() -> Management {
    let url = shared(AMQP_MANAGEMENT);
    let port = url.rsplit(':').next().and_then(|port| port.parse().ok());
    Management { port: port.unwrap_or_else(|| panic!("{AMQP_MANAGEMENT} has no port: {url}")) }
}

/// The version that brokers started here have.
///
/// # Panics
/// When no RabbitMQ is installed where the environment, or else this system, says.
pub fn version() -> String {
    Installation::chosen().version().unwrap_or_else(|error| panic!("which RabbitMQ is installed: {error}"))
}

impl Broker {
    /// Starts a broker over empty storage and waits until it answers.
    pub async fn start() -> io::Result<Self> {
        let folder = TempDir::with_prefix("postrider-rabbitmq-")?;
        let (amqp, distribution, epmd_port) = (free_port()?, free_port()?, free_port()?);
        let management = Management { port: free_port()? };
        let mut epmd = bound(&["epmd"]);
        epmd.args(["-port", &epmd_port.to_string(), "-address", "127.0.0.1"]);
        let epmd = Process::start("epmd", &mut epmd, folder.path())?;
        fs::write(folder.path().join("plugins"), "[rabbitmq_management].")?;
        fs::write(folder.path().join("env"), "")?;
        let settings = format!(
            "listeners.tcp.1 = 127.0.0.1:{amqp}\nmanagement.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {}\n\
             log.console = true\nlog.console.level = warning\nlog.file = false\nraft.wal_max_size_bytes = 67108864\n",
            management.port
        );
        fs::write(folder.path().join("rabbitmq.conf"), settings)?;
        let installation = Installation::chosen();
        let mut broker =
            Self { installation, folder, amqp, distribution, epmd_port, management, node: None, epmd };
        broker.start_again().await?;
        Ok(broker)
    }

    /// Starts the broker after [`Broker::stop`] or [`Broker::kill`], at the same ports over the same storage, and waits
    /// until it answers.
    pub async fn start_again(&mut self) -> io::Result<()> {
        let folder = self.folder.path();
        let file = |name: &str| self.seen().join(name);
        let mut command = self.at_node(bound(&self.installation.command("rabbitmq-server", folder)?));
        command
            .env("RABBITMQ_NODE_PORT", self.amqp.to_string())
            .env("RABBITMQ_DIST_PORT", self.distribution.to_string())
            .env("RABBITMQ_MNESIA_BASE", file("data"))
            .env("RABBITMQ_LOG_BASE", file("log"))
            .env("RABBITMQ_CONF_ENV_FILE", file("env"))
            .env("RABBITMQ_CONFIG_FILE", file("rabbitmq.conf"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", file("plugins"))
            // Only loopback, and idle schedulers leave the processor to the tests.
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none",
            );
        let mut node = Process::start("rabbitmq", &mut command, folder)?;
        let management = self.management.clone();
        until_ready("RabbitMQ", &mut node, async || {
            matches!(management.request("GET", "/api/health/checks/virtual-hosts", "").await, Ok((200, _)))
        })
        .await?;
        self.node = Some(node);
        Ok(())
    }

    /// Lets the broker believe that it has no memory left, or enough again. Without memory it takes no publishes.
    pub async fn set_memory_alarm(&self, on: bool) -> io::Result<()> {
        // The share of the machine's memory that it may use.
        let share = if on { "0" } else { "0.4" };
        self.control(&["set_vm_memory_high_watermark", share]).await.map(drop)
    }

    /// How many messages each channel has in hand, asked of the channels themselves and so exact while the clients stand
    /// still. Channels are named by their connection: `127.0.0.1:51234 -> 127.0.0.1:5672 (1)`.
    pub async fn unacknowledged(&self) -> io::Result<Vec<(String, u64)>> {
        let asked = ["--quiet", "list_channels", "--no-table-headers", "name", "messages_unacknowledged"];
        let said = self.control(&asked).await?;
        let read = |line: &str| {
            let (name, count) = line.rsplit_once('\t')?;
            Some((name.to_owned(), count.trim().parse().ok()?))
        };
        let channels = said.lines().filter(|line| !line.trim().is_empty());
        let odd = |line: &str| io::Error::other(format!("rabbitmqctl: not a channel: {line:?}"));
        channels.map(|line| read(line).ok_or_else(|| odd(line))).collect()
    }

    /// What `rabbitmqctl` prints.
    async fn control(&self, arguments: &[&str]) -> io::Result<String> {
        let words = self.installation.command("rabbitmqctl", self.folder.path())?;
        let output = self.at_node(bound(&words)).args(arguments).output().await?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(io::Error::other(format!("rabbitmqctl: {}", String::from_utf8_lossy(&output.stderr))))
    }

    /// The command with what names this node.
    fn at_node(&self, mut command: Command) -> Command {
        command
            .env("HOME", self.seen())
            .env("ERL_EPMD_PORT", self.epmd_port.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODENAME", format!("postrider-{}@localhost", self.amqp));
        command
    }

    /// Its folder, as its programs see it.
    fn seen(&self) -> &Path {
        self.installation.seen(self.folder.path())
    }

    /// Stops the broker as an operator does; its storage stays.
    pub async fn stop(&mut self) {
        if let Some(node) = self.node.take() {
            node.stop("TERM").await;
        }
    }

    /// Kills the broker as a power cut does; its storage stays.
    pub async fn kill(&mut self) {
        if let Some(node) = self.node.take() {
            node.kill().await;
        }
    }

    /// Stops the broker and the name server.
    pub async fn end(mut self) {
        self.stop().await;
        self.epmd.stop("TERM").await;
    }

    /// Its AMQP URL without a virtual host.
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}", self.amqp)
    }

    /// Its management API.
    pub fn management(&self) -> &Management {
        &self.management
    }
}

impl Management {
    /// Its URL, with user and password.
    pub fn url(&self) -> String {
        format!("http://guest:guest@127.0.0.1:{}", self.port)
    }

    /// Makes a virtual host of a new name.
    pub async fn vhost(&self) -> io::Result<String> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("test-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        self.expect("PUT", &format!("/api/vhosts/{name}"), "").await?;
        Ok(name)
    }

    /// Closes the connections of a virtual host, once at least one is known: the list is up to five seconds behind. Answers
    /// how many.
    pub async fn close_connections(&self, vhost: &str) -> io::Result<usize> {
        let close = async {
            loop {
                match self.close_known(vhost).await? {
                    0 => tokio::time::sleep(LOOK).await,
                    closed => return Ok(closed),
                }
            }
        };
        let closed = tokio::time::timeout(BEHIND, close).await;
        closed.map_err(|_| io::Error::other(format!("no connection of virtual host {vhost} is known")))?
    }

    async fn close_known(&self, vhost: &str) -> io::Result<usize> {
        let body = self.expect("GET", &format!("/api/vhosts/{vhost}/connections"), "").await?;
        let connections: Vec<Value> = serde_json::from_str(&body)?;
        let mut closed = 0;
        for name in connections.iter().filter_map(|one| one["name"].as_str()) {
            // The names look like `127.0.0.1:51234 -> 127.0.0.1:5672`.
            let name = name.replace(' ', "%20").replace('>', "%3E");
            let (status, _) = self.request("DELETE", &format!("/api/connections/{name}"), "").await?;
            closed += usize::from(status == 204);
        }
        Ok(closed)
    }

    /// One request that must succeed; answers the body.
    pub async fn expect(&self, method: &str, path: &str, body: &str) -> io::Result<String> {
        match self.request(method, path, body).await? {
            (200..300, body) => Ok(body),
            (status, body) => Err(io::Error::other(format!("{method} {path}: {status} {body}"))),
        }
    }

    /// One request: status and body.
    pub async fn request(&self, method: &str, path: &str, body: &str) -> io::Result<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        // HTTP/1.0: the body ends with the connection, and is never chunked.
        let request = format!(
            "{method} {path} HTTP/1.0\r\nhost: localhost\r\nauthorization: {BASIC}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("no HTTP answer: {answer:?}")))?;
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        Ok((status, body.to_owned()))
    }
}
