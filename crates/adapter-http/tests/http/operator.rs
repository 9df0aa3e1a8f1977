//! The command line's own connection.

use postrider_adapter_http::OperatorClient;
use postrider_adapter_http::operator::{OperatorError, OperatorRequest};
use postrider_domain::webhook::Method;
use tokio::net::TcpListener;

use crate::server::{Answer, Server};

fn client(server: &Server) -> OperatorClient {
    OperatorClient::new(&server.url("/base/"), Some("pst_s3cret")).expect("a client")
}

#[tokio::test]
async fn a_call_carries_the_token_and_returns_whatever_is_answered() {
    let mut server = Server::saying("409 Conflict", "X-Id: 7\r\n", "{\"sys\":1}").await;
    let request =
        OperatorRequest::send(Method::Put, "/spaces/default?x=1", "{}").with("X-Contentful-Version", "3");
    let reply = client(&server).call(request).await.expect("a reply");
    assert_eq!((reply.status, &reply.body[..]), (409, b"{\"sys\":1}".as_slice()));
    assert!(reply.headers.contains(&("x-id".to_owned(), "7".to_owned())));
    let got = server.request().await;
    assert!(got.starts_with("PUT /base/spaces/default?x=1 HTTP/1.1\r\n"), "{got}");
    for line in
        ["authorization: Bearer pst_s3cret", "content-type: application/json", "x-contentful-version: 3"]
    {
        assert!(got.contains(&format!("{line}\r\n")), "{got}");
    }
}

#[tokio::test]
async fn the_token_does_not_follow_a_redirect() {
    let elsewhere = Server::saying("200 OK", "", "").await;
    let server = Server::saying("302 Found", &format!("Location: {}\r\n", elsewhere.url("/")), "").await;
    assert_eq!(client(&server).call(OperatorRequest::get("/")).await.expect("a reply").status, 302);
    assert_eq!(elsewhere.requests_waiting(), 0);
}

#[tokio::test]
async fn lines_come_one_by_one_whatever_the_chunks() {
    let body = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n8\r\n\ntwo\r\n\nl\r\n3\r\nast\r\n0\r\n\r\n";
    let server = Server::start(Answer::Bytes(body.into())).await;
    let mut lines =
        client(&server).follow(OperatorRequest::get("/tail")).await.expect("an answer").expect("lines");
    for expected in [Some("one"), Some("two"), Some(""), Some("last"), None, None] {
        assert_eq!(lines.next().await.expect("no fault").as_deref(), expected);
    }
}

#[tokio::test]
async fn what_cannot_be_followed_is_a_reply() {
    let server = Server::saying("403 Forbidden", "", "{\"message\":\"no\"}").await;
    let reply = client(&server)
        .follow(OperatorRequest::get("/tail"))
        .await
        .expect("an answer")
        .err()
        .expect("a reply");
    assert_eq!((reply.status, &reply.body[..]), (403, b"{\"message\":\"no\"}".as_slice()));
}

#[tokio::test]
async fn nobody_there_names_the_address_and_the_next_step() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    drop(listener);
    let client = OperatorClient::new(&format!("http://127.0.0.1:{port}"), None).expect("a client");
    let error = client.call(OperatorRequest::get("/")).await.expect_err("nobody there");
    assert!(matches!(error, OperatorError::Connect { .. }), "{error}");
    for part in [format!("127.0.0.1:{port}"), "postrider serve".to_owned(), "refused".to_owned()] {
        assert!(error.to_string().contains(&part), "{error}");
    }
}

#[tokio::test]
async fn what_answers_without_http_is_told_apart() {
    let server = Server::start(Answer::Last(b"SSH-2.0-OpenSSH\r\n".to_vec())).await;
    let error = client(&server).call(OperatorRequest::get("/")).await.expect_err("no HTTP");
    assert!(matches!(error, OperatorError::Broken { .. }), "{error}");
}

#[test]
fn an_address_or_token_that_cannot_be_used_is_refused_at_once() {
    for bad in ["", "localhost:8080", "127.0.0.1:8080", "ftp://localhost"] {
        let error = OperatorClient::new(bad, None).expect_err(bad);
        assert!(error.to_string().contains("http://127.0.0.1:8080"), "{error}");
    }
    let error = OperatorClient::new("http://localhost", Some("s3cret\n")).expect_err("a line break");
    assert!(!error.to_string().contains("s3cret"), "{error}");
}

#[test]
fn the_token_is_not_in_the_debug_form() {
    let client = OperatorClient::new("http://localhost:8080", Some("pst_s3cret")).expect("a client");
    assert!(!format!("{client:?}").contains("s3cret"));
}
