//! Binding and serving, seen from a client's socket.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use postrider_runtime::http::{Limits, bind, serve};
use postrider_runtime::shutdown::Shutdown;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

const SETTING: &str = "http.listen (flag --listen)";

/// A served router, its address, and the task to wait for.
async fn start(router: Router, limits: Limits) -> (SocketAddr, Shutdown, JoinHandle<()>) {
    let shutdown = Shutdown::new();
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let bound = bind(loopback, SETTING).await.expect("a free port").with_limits(limits);
    let addr = bound.addr();
    let server = tokio::spawn(serve(bound, router, shutdown.clone()));
    (addr, shutdown, server)
}

async fn connect_and_send(addr: SocketAddr, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(addr).await.expect("somebody listens");
    stream.write_all(request.as_bytes()).await.expect("the request can be sent");
    stream
}

/// Everything until the server closes the connection; a connection that is cut counts as closed.
async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let _cut = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// A route that says it was reached, and answers when it is told to.
fn gated() -> (Router, Arc<Notify>, Arc<Notify>) {
    let (reached, answer) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (say, wait) = (Arc::clone(&reached), Arc::clone(&answer));
    let handler = move || async move {
        say.notify_one();
        wait.notified().await;
        "at last"
    };
    (Router::new().route("/", get(handler)), reached, answer)
}

#[tokio::test]
async fn a_port_in_use_names_the_port_the_setting_and_how_to_find_the_holder() {
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let holder = bind(loopback, SETTING).await.expect("a free port");
    let port = holder.addr().port();
    let message = bind(holder.addr(), SETTING).await.expect_err("the port is taken").to_string();
    for needed in [format!("port {port} is already in use"), SETTING.to_owned(), format!("sport = :{port}")] {
        assert!(message.contains(&needed), "{needed} is missing in: {message}");
    }
}

#[tokio::test]
async fn an_address_this_machine_does_not_have_is_said_in_words() {
    let elsewhere = SocketAddr::from(([192, 0, 2, 1], 8080));
    let message = bind(elsewhere, SETTING).await.expect_err("a documentation address").to_string();
    assert!(message.contains("this machine has no address 192.0.2.1"), "{message}");
    assert!(message.contains(SETTING), "{message}");
}

#[tokio::test]
async fn handlers_learn_who_called() {
    let handler = |ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() };
    let (addr, _shutdown, _server) = start(Router::new().route("/", get(handler)), Limits::default()).await;
    let mut client = connect_and_send(addr, "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    let me = client.local_addr().expect("connected").to_string();
    assert!(read_to_end(&mut client).await.ends_with(&me));
}

#[tokio::test]
async fn soft_takes_no_new_connection_and_answers_what_is_under_way() {
    let (router, reached, answer) = gated();
    let (addr, shutdown, server) = start(router, Limits::default()).await;
    let mut client = connect_and_send(addr, "GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    reached.notified().await;
    let silent = TcpStream::connect(addr).await.expect("somebody listens");
    shutdown.begin();
    answer.notify_one();
    assert!(read_to_end(&mut client).await.ends_with("at last"));
    drop(silent);
    server.await.expect("serving ends by itself");
    assert!(TcpStream::connect(addr).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn hard_cuts_connections_that_are_still_open() {
    let (router, reached, _never) = gated();
    let (addr, shutdown, server) = start(router, Limits::default()).await;
    let mut client = connect_and_send(addr, "GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    reached.notified().await;
    shutdown.force();
    server.await.expect("serving ends");
    assert_eq!(read_to_end(&mut client).await, "");
}

#[tokio::test]
async fn a_client_that_dawdles_over_its_request_head_is_cut_off() {
    let limits = Limits { head_timeout: Duration::from_millis(50), ..Limits::default() };
    let (addr, _shutdown, _server) = start(Router::new(), limits).await;
    let mut client = connect_and_send(addr, "GET / HTTP/1.1\r\nhost:").await;
    assert_eq!(read_to_end(&mut client).await.lines().next().unwrap_or_default(), "");
}

#[tokio::test]
async fn a_request_head_over_the_limit_is_answered_431() {
    let limits = Limits { head_bytes: 8192, ..Limits::default() };
    let (addr, _shutdown, _server) = start(Router::new(), limits).await;
    let request = format!("GET / HTTP/1.1\r\nhost: a\r\nx-long: {}\r\n\r\n", "a".repeat(9000));
    let mut client = connect_and_send(addr, &request).await;
    let answer = read_to_end(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer:?}");
}

#[tokio::test]
async fn a_connection_over_the_limit_waits_for_a_place() {
    let limits = Limits { connections: 1, ..Limits::default() };
    let (router, reached, answer) = gated();
    let (addr, _shutdown, _server) = start(router, limits).await;
    let request = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let mut first = connect_and_send(addr, request).await;
    reached.notified().await;
    let mut second = connect_and_send(addr, request).await;
    let overtaking = tokio::time::timeout(Duration::from_millis(100), reached.notified()).await;
    assert!(overtaking.is_err(), "the second request was served while the only place was taken");
    answer.notify_one();
    assert!(read_to_end(&mut first).await.ends_with("at last"));
    reached.notified().await;
    answer.notify_one();
    assert!(read_to_end(&mut second).await.ends_with("at last"));
}
