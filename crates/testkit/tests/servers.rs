//! The private servers do what their tests rely on: they stop and come back at the same place.

use postrider_testkit::servers::{postgres, rabbitmq, redis};
use tokio::net::TcpStream;

/// Whether somebody listens at a URL's host and port.
async fn answers(url: &str) -> bool {
    let authority = url.rsplit(['/', '@']).next().expect("a URL has an authority");
    TcpStream::connect(authority).await.is_ok()
}

#[tokio::test]
async fn a_server_that_was_stopped_or_killed_comes_back_at_the_same_place() {
    let mut server = redis::Server::start().await.expect("it starts");
    let url = server.url();
    server.stop().await;
    assert!(!answers(&url).await, "it is stopped");
    server.start_again().await.expect("it starts again");
    assert_eq!(server.url(), url);
    server.kill().await;
    assert!(!answers(&url).await, "it is killed");
    server.start_again().await.expect("it starts again");
    assert!(answers(&url).await);
}

#[tokio::test]
async fn each_database_of_postgres_is_another() {
    let mut server = postgres::Server::start().await.expect("it starts");
    let first = server.database().await.expect("a database");
    server.kill().await;
    server.start_again().await.expect("it starts again over what a kill left");
    assert_ne!(server.database().await.expect("a database"), first);
}

#[tokio::test]
async fn a_cluster_keeps_each_queue_on_three_nodes_and_another_leads_when_the_leader_is_killed() {
    let mut cluster = rabbitmq::Cluster::start().await.expect("three nodes");
    let vhost = cluster.node(0).management().vhost().await.expect("a virtual host");
    let declared = r#"{"durable":true,"arguments":{"x-queue-type":"quorum"}}"#;
    let path = format!("/api/queues/{vhost}/one");
    cluster.node(1).management().expect("PUT", &path, declared).await.expect("a queue");
    let place = cluster.place(&vhost, "one").await.expect("it is known");
    assert_eq!(place.members, 3, "without a word about it a quorum queue is on three nodes");
    let leader = place.leader.expect("it is led");
    cluster.node_mut(leader).kill().await;
    let next = cluster.until_led(&vhost, "one").await.expect("a majority is left");
    assert_ne!(next, leader);
    cluster.node_mut(leader).start_again().await.expect("it comes back to the others");
}
