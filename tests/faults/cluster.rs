//! A cluster of three brokers loses the node that leads its queues.

use postrider_testkit::servers::full;
use serde_json::json;

use crate::broker::note;
use crate::stage::{FLOWING, Stage};

/// Any of the queues that must have a member on each node.
const QUEUE: &str = concat!("postrider", ".v1.deliver.fresh");

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_loses_its_leader_loses_nothing() {
    let mut stage = Stage::on_cluster("rabbitmq-cluster-leader").await;
    stage.load(FLOWING).await;
    for round in 0..if full() { 2 } else { 1 } {
        let cluster = stage.own.cluster();
        let place = cluster.place(&stage.vhost, QUEUE).await.expect("the queue is there");
        assert_eq!(place.members, 3, "the queue is on each node without a word about it in the topology");
        let leader = cluster.until_led(&stage.vhost, QUEUE).await.expect("it is led");
        let in_hand = stage.freeze("dispatcher").await;
        note(&mut stage, "the leading node of RabbitMQ killed", in_hand);
        stage.own.kill_node(leader).await;
        stage.thaw("dispatcher");
        // Two of three are enough: nobody waits for the third.
        stage.recover().await;
        let next = stage.own.cluster().until_led(&stage.vhost, QUEUE).await.expect("it is led again");
        assert_ne!(next, leader, "round {round}");
        stage.own.start_node(leader).await;
        stage.flow(FLOWING).await;
    }
    stage.also.insert("nodes", json!(3));
    stage.audit().await;
}
