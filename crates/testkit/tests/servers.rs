//! The private servers do what their tests rely on: they stop and come back at the same place.

use postrider_testkit::servers::{postgres, redis};
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
