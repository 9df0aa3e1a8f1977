//! Three brokers that are one: each quorum queue has a member on every node, and outlives any one of them.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::super::LOOK;
use super::{Broker, Names};

/// As many as it takes to lose one and still have a majority.
const NODES: usize = 3;

/// How long a queue may be without a leader: an election takes a second or two on an idle machine.
const ELECTION: Duration = Duration::from_secs(60);

/// Three nodes on this machine. Dropped, they are killed.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<Broker>,
}

/// Where a queue lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The number of the node that leads it; none while it has no leader.
    pub leader: Option<usize>,
    /// How many nodes keep its messages.
    pub members: usize,
}

impl Cluster {
    /// Starts three nodes over empty storage and waits until they are a cluster.
    pub async fn start() -> io::Result<Self> {
        let names = Arc::new(Names::start()?);
        let nodes = (0..NODES).map(|_| Broker::prepare(Arc::clone(&names)));
        let mut cluster = Self { nodes: nodes.collect::<io::Result<_>>()? };
        let all: Vec<String> = cluster.nodes.iter().map(Broker::name).collect();
        // Who comes first has nobody to join, and the others join him one by one: no node waits for another.
        for node in &mut cluster.nodes {
            node.configure(&all)?;
            node.start_again().await?;
        }
        let running = cluster.nodes[0].control(&["--quiet", "cluster_status", "--formatter", "json"]).await?;
        let running: serde_json::Value = serde_json::from_str(&running)?;
        let running = running["running_nodes"].as_array().map_or(0, Vec::len);
        if running == NODES {
            return Ok(cluster);
        }
        Err(io::Error::other(format!("only {running} nodes found each other")))
    }

    /// A node.
    pub fn node(&self, number: usize) -> &Broker {
        &self.nodes[number]
    }

    /// A node, to kill it and to start it again.
    pub fn node_mut(&mut self, number: usize) -> &mut Broker {
        &mut self.nodes[number]
    }

    /// All nodes.
    pub fn nodes(&self) -> &[Broker] {
        &self.nodes
    }

    /// Waits until a node that runs leads a queue of this virtual host; its number.
    pub async fn until_led(&self, vhost: &str, queue: &str) -> io::Result<usize> {
        let led = async {
            loop {
                let leader = self.place(vhost, queue).await?.leader;
                match leader.filter(|leader| self.nodes[*leader].runs()) {
                    Some(leader) => return Ok(leader),
                    None => tokio::time::sleep(LOOK).await,
                }
            }
        };
        let led = tokio::time::timeout(ELECTION, led).await;
        led.map_err(|_| io::Error::other(format!("queue {queue} has no leader")))?
    }

    /// Where a queue of this virtual host lives, as a node that runs knows it.
    pub async fn place(&self, vhost: &str, queue: &str) -> io::Result<Place> {
        let none = || io::Error::other("no node runs");
        let asked = self.nodes.iter().find(|node| node.runs()).ok_or_else(none)?;
        let columns = ["list_queues", "--formatter", "json", "-p", vhost, "name", "leader", "members"];
        let said = asked.control(&["--quiet"].iter().chain(&columns).copied().collect::<Vec<_>>()).await?;
        let queues: Vec<serde_json::Value> = serde_json::from_str(&said)?;
        let missing = || io::Error::other(format!("no queue {queue} in {vhost}"));
        let found = queues.iter().find(|one| one["name"] == queue).ok_or_else(missing)?;
        let leader = found["leader"].as_str();
        Ok(Place {
            leader: self.nodes.iter().position(|node| leader == Some(node.name().as_str())),
            members: found["members"].as_array().map_or(0, Vec::len),
        })
    }
}
