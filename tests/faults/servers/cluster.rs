//! A cluster instead of the one broker.

use postrider_testkit::servers::rabbitmq::{Broker, Cluster};

use super::{Own, kept};

impl Own {
    /// From now on the broker of this story is a cluster of three.
    pub(crate) async fn rabbitmq_as_cluster(&mut self) {
        self.cluster = Some(kept(Cluster::start).await.expect("three nodes"));
    }

    /// Whether it is one.
    pub(crate) fn is_cluster(&self) -> bool {
        self.cluster.is_some()
    }

    /// The cluster.
    pub(crate) fn cluster(&self) -> &Cluster {
        self.cluster.as_ref().expect("this story has one")
    }

    /// The broker, or the nodes of the cluster.
    pub(crate) fn nodes(&self) -> &[Broker] {
        self.cluster.as_ref().map_or(std::slice::from_ref(self.rabbitmq()), Cluster::nodes)
    }

    /// The broker, or a node of the cluster that runs, to ask it something.
    pub(crate) fn broker(&self) -> &Broker {
        self.nodes().iter().find(|node| node.runs()).expect("a node runs")
    }

    /// SIGKILL to one node.
    pub(crate) async fn kill_node(&mut self, number: usize) {
        self.cluster.as_mut().expect("this story has one").node_mut(number).kill().await;
    }

    /// Starts a node again on the same data, and waits until it answers.
    pub(crate) async fn start_node(&mut self, number: usize) {
        let mut cluster = self.cluster.take().expect("this story has one");
        let start = move || async move { cluster.node_mut(number).start_again().await.map(|()| cluster) };
        self.cluster = Some(kept(start).await.expect("the node starts"));
    }
}
