//! RabbitMQ: one broker for all tests, a virtual host for each, a broker of a test's own, or a cluster of three.

mod cluster;
mod management;

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;
use tokio::process::Command;

pub use self::cluster::Cluster;
pub use self::management::Management;
use super::installation::Installation;
use super::process::{Process, bound};
use super::{AMQP, AMQP_MANAGEMENT, free_port, shared, until_ready};

/// A private broker with the management plugin. Dropped, it is killed.
#[derive(Debug)]
pub struct Broker {
    installation: Installation,
    folder: TempDir,
    amqp: u16,
    distribution: u16,
    management: Management,
    node: Option<Process>,
    names: Arc<Names>,
}

/// The name server of Erlang: a broker's own, or that of a cluster.
#[derive(Debug)]
struct Names {
    port: u16,
    process: Process,
    /// Where it writes what it says.
    _folder: TempDir,
}

/// What the nodes of a cluster tell each other to be let in. These listen on loopback only.
const COOKIE: &str = "POSTRIDER";

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
        let mut broker = Self::prepare(Arc::new(Names::start()?))?;
        broker.start_again().await?;
        Ok(broker)
    }

    /// A broker over empty storage that does not run yet.
    fn prepare(names: Arc<Names>) -> io::Result<Self> {
        let folder = TempDir::with_prefix("postrider-rabbitmq-")?;
        let (amqp, distribution) = (free_port()?, free_port()?);
        let management = Management { port: free_port()? };
        fs::write(folder.path().join("plugins"), "[rabbitmq_management].")?;
        fs::write(folder.path().join("env"), "")?;
        let cookie = folder.path().join(".erlang.cookie");
        fs::write(&cookie, COOKIE)?;
        // Erlang takes no cookie that others may read.
        fs::set_permissions(&cookie, fs::Permissions::from_mode(0o400))?;
        let installation = Installation::chosen();
        let broker = Self { installation, folder, amqp, distribution, management, node: None, names };
        broker.configure(&[])?;
        Ok(broker)
    }

    /// Writes its configuration. Started over empty storage it joins these nodes; without any it is alone.
    fn configure(&self, cluster: &[String]) -> io::Result<()> {
        let alone = format!(
            "listeners.tcp.1 = 127.0.0.1:{}\nmanagement.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {}\n\
             log.console = true\nlog.console.level = warning\nlog.file = false\nraft.wal_max_size_bytes = 67108864\n",
            self.amqp, self.management.port
        );
        // <https://www.rabbitmq.com/docs/cluster-formation#peer-discovery-classic-config>
        let others = (1..).zip(cluster);
        let others = others
            .map(|(number, node)| format!("cluster_formation.classic_config.nodes.{number} = {node}\n"));
        let settings: String = std::iter::once(alone).chain(others).collect();
        fs::write(self.folder.path().join("rabbitmq.conf"), settings)
    }

    /// Its name among the nodes of a cluster.
    fn name(&self) -> String {
        format!("postrider-{}@localhost", self.amqp)
    }

    /// Whether it was started and neither stopped nor killed.
    pub fn runs(&self) -> bool {
        self.node.is_some()
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
            .env("ERL_EPMD_PORT", self.names.port.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODENAME", self.name());
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

    /// Kills the broker and takes its disk away: started again it knows nothing, not even its virtual hosts.
    pub async fn wipe(&mut self) -> io::Result<()> {
        self.kill().await;
        fs::remove_dir_all(self.folder.path().join("data"))
    }

    /// Stops the broker and the name server.
    pub async fn end(mut self) {
        self.stop().await;
        // The last node of a cluster ends it.
        if let Some(names) = Arc::into_inner(self.names) {
            names.process.stop("TERM").await;
        }
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

impl Names {
    fn start() -> io::Result<Self> {
        let folder = TempDir::with_prefix("postrider-epmd-")?;
        let port = free_port()?;
        let mut epmd = bound(&["epmd"]);
        epmd.args(["-port", &port.to_string(), "-address", "127.0.0.1"]);
        let process = Process::start("epmd", &mut epmd, folder.path())?;
        Ok(Self { port, process, _folder: folder })
    }
}
