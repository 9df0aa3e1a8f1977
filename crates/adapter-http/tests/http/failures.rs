//! Calls that get no answer: each in its class, saying what and where and nothing secret.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use postrider_adapter_http::resolver::{Lookup, Unresolved};
use postrider_adapter_http::{GuardedClient, Settings};
use postrider_domain::call::Failure;
use postrider_domain::outcome::FailureKind;
use postrider_domain::webhook::PlainHttp;
use postrider_ports::sender::{Request, Sender};
use postrider_testkit::untrusted::UntrustedReceiver;
use tokio::net::TcpListener;

use crate::server::{Answer, Server, client, local, post, reply};

const SECRET: &str = "/services/s3cret?token=s3cret";

async fn failure(client: &dyn Sender, request: Request) -> Failure {
    let failure = client.send(request).await.result.expect_err("it fails");
    assert!(!failure.message.contains("s3cret"), "{}", failure.message);
    assert!(!failure.message.contains('\n'), "{}", failure.message);
    failure
}

/// The failure of a call that gets this answer.
async fn after(answer: Answer) -> Failure {
    let server = Server::start(answer).await;
    let failure = failure(&local(), post(server.url(SECRET), "{}")).await;
    assert!(failure.message.contains(&format!("127.0.0.1:{}", server.port)), "{}", failure.message);
    failure
}

#[tokio::test]
async fn a_blocked_literal_or_name_names_address_and_rule_and_is_never_connected_to() {
    let server = Server::saying("200 OK", "", "").await;
    let client = client(PlainHttp::Always, &[]);
    for url in [server.url(SECRET), format!("http://inside.example:{}{SECRET}", server.port)] {
        let failure = failure(&client, post(url, "{}")).await;
        assert_eq!(failure.kind, FailureKind::AddressBlocked);
        for part in ["127.0.0.1", "loopback", "outbound.allow"] {
            assert!(failure.message.contains(part), "{}", failure.message);
        }
    }
    let failure = failure(&client, post("https://both.example/", "{}")).await;
    assert_eq!(failure.kind, FailureKind::AddressBlocked);
    assert!(failure.message.contains("both.example:443") && failure.message.contains("10.0.0.1"));
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn plain_http_leaves_this_machine_only_when_allowed() {
    let failure_of = async |plain, url: &str| failure(&client(plain, &[]), post(url, "{}")).await;
    let never = failure_of(PlainHttp::Never, "http://inside.example/").await;
    assert_eq!(never.kind, FailureKind::Request);
    assert!(never.message.contains("outbound.plain_http"), "{}", never.message);
    let loopback = failure_of(PlainHttp::Loopback, "http://both.example/").await;
    assert_eq!(loopback.kind, FailureKind::AddressBlocked);
    assert!(loopback.message.contains("outbound.plain_http"), "{}", loopback.message);
    let secure = failure_of(PlainHttp::Loopback, "https://inside.example/").await;
    assert_eq!(secure.kind, FailureKind::AddressBlocked);
}

#[tokio::test]
async fn a_name_without_address_is_a_dns_failure() {
    let failure = failure(&local(), post(format!("http://nowhere.example{SECRET}"), "{}")).await;
    assert_eq!(failure.kind, FailureKind::Dns);
    assert!(failure.message.contains("nowhere.example:80"), "{}", failure.message);
}

#[tokio::test]
async fn a_refused_connection_is_a_connect_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    drop(listener);
    let secure = client(PlainHttp::Never, &["127.0.0.0/8"]);
    for (client, scheme) in [(local(), "http"), (secure, "https")] {
        let failure = failure(&client, post(format!("{scheme}://127.0.0.1:{port}{SECRET}"), "{}")).await;
        assert_eq!(failure.kind, FailureKind::Connect);
        assert!(failure.message.contains(&format!("127.0.0.1:{port}")), "{}", failure.message);
        assert!(failure.message.to_lowercase().contains("refused"), "{}", failure.message);
    }
}

#[tokio::test]
async fn a_handshake_that_fails_is_a_tls_failure() {
    for answer in [Answer::Last(reply("400 Bad Request", "", "")), Answer::Last(Vec::new())] {
        let server = Server::start(answer).await;
        let client = client(PlainHttp::Never, &["127.0.0.0/8"]);
        let failure =
            failure(&client, post(format!("https://127.0.0.1:{}{SECRET}", server.port), "{}")).await;
        assert_eq!(failure.kind, FailureKind::Tls, "{}", failure.message);
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_trusts_is_a_tls_failure_and_nothing_is_sent() {
    let receiver = UntrustedReceiver::start().await;
    let client = client(PlainHttp::Never, &["127.0.0.0/8"]);
    let failure = failure(&client, post(receiver.url(SECRET), "{}")).await;
    assert_eq!(failure.kind, FailureKind::Tls, "{}", failure.message);
    assert!(failure.message.contains("certificate"), "{}", failure.message);
    assert_eq!((receiver.connections(), receiver.requests()), (1, 0));
}

#[tokio::test]
async fn one_deadline_holds_for_headers_and_body() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf".to_vec();
    for (stalled, phase) in [(Vec::new(), "no answer had begun"), (head, "body had not ended")] {
        let server = Server::start(Answer::Stall(stalled)).await;
        let timeout = Duration::from_millis(150);
        let sent = local().send(Request { timeout, ..post(server.url(SECRET), "{}") }).await;
        let failure = sent.result.expect_err("too slow");
        assert_eq!(failure.kind, FailureKind::Timeout);
        for part in ["150ms", phase, "127.0.0.1:"] {
            assert!(failure.message.contains(part), "{}", failure.message);
        }
        assert!(!failure.message.contains("s3cret"));
        assert!(sent.timings.total >= timeout && sent.timings.total < Duration::from_secs(10));
    }
}

/// Never says which addresses a name has.
struct Silent;

#[async_trait]
impl Lookup for Silent {
    async fn addresses(&self, _: &str) -> Result<Vec<IpAddr>, Unresolved> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_connection_that_does_not_stand_in_time_is_a_timeout() {
    let connect = Some(Duration::from_millis(150));
    // The system takes the connection; nobody speaks TLS over it.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let shy = client(PlainHttp::Never, &["127.0.0.0/8"]);
    let silent = GuardedClient::with_lookup(&Settings::default(), Arc::new(Silent)).expect("a client");
    for (client, place, phase) in [
        (shy, format!("127.0.0.1:{port}"), "the connection was being opened"),
        (silent, "receiver.example:443".to_owned(), "the name was being resolved"),
    ] {
        let request = Request { connect, ..post(format!("https://{place}{SECRET}"), "{}") };
        let failure = failure(&client, request).await;
        assert_eq!(failure.kind, FailureKind::Timeout, "{}", failure.message);
        for part in [place.as_str(), "no connection within 150ms", phase] {
            assert!(failure.message.contains(part), "{}", failure.message);
        }
    }
}

#[tokio::test]
async fn the_deadline_of_the_connection_is_not_that_of_the_answer() {
    let server = Server::start(Answer::Stall(Vec::new())).await;
    let (timeout, connect) = (Duration::from_secs(3), Some(Duration::from_secs(1)));
    let sent = local().send(Request { timeout, connect, ..post(server.url(SECRET), "{}") }).await;
    let failure = sent.result.expect_err("too slow");
    assert!(failure.message.contains("no complete answer within 3s"), "{}", failure.message);
}

#[tokio::test]
async fn what_is_no_http_is_a_protocol_failure() {
    for garbage in
        ["SSH-2.0-OpenSSH_9.6\r\n\r\n", "HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 200 OK\r\nno colon here\r\n\r\n"]
    {
        let failure = after(Answer::Last(garbage.into())).await;
        assert_eq!(failure.kind, FailureKind::Protocol, "{garbage:?}: {}", failure.message);
    }
    let endless_head = Answer::Endless(b"HTTP/1.1 200 OK\r\n".to_vec(), b"X-More: and more\r\n".to_vec());
    assert_eq!(after(endless_head).await.kind, FailureKind::Protocol);
}

#[tokio::test]
async fn a_connection_that_closes_too_early_is_a_connect_failure() {
    for answer in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nfew"] {
        let failure = after(Answer::Last(answer.into())).await;
        assert_eq!(failure.kind, FailureKind::Connect, "{answer:?}: {}", failure.message);
    }
}

#[tokio::test]
async fn a_request_that_cannot_be_made_says_why_without_its_secrets() {
    let server = Server::saying("200 OK", "", "").await;
    for (name, value) in [("X-Key", "s3cret\r\nX-More: 1"), ("X Key", "s3cret"), ("", "s3cret")] {
        let mut request = post(server.url(SECRET), "{}");
        request.headers.push((name.to_owned(), value.to_owned()));
        let failure = failure(&local(), request).await;
        assert_eq!(failure.kind, FailureKind::Request);
        assert!(failure.message.contains(&format!("{name:?}")), "{}", failure.message);
    }
    let request = Request { method: "PO ST".to_owned(), ..post(server.url(SECRET), "{}") };
    assert_eq!(failure(&local(), request).await.kind, FailureKind::Request);
    for url in ["ftp://example.com/s3cret", "s3cret", "https://user:s3cret@example.com/"] {
        assert_eq!(failure(&local(), post(url, "{}")).await.kind, FailureKind::Request, "{url}");
    }
    assert_eq!(server.connections(), 0);
}
