//! Calls that get an answer.

use std::time::Duration;

use postrider_adapter_http::client::RESPONSE_HEADERS_LIMIT;
use postrider_domain::call::RESPONSE_LIMIT;
use postrider_domain::webhook::PlainHttp;
use postrider_ports::sender::{Request, Sender};

use crate::server::{Answer, Server, client, local, post};

#[tokio::test]
async fn a_request_arrives_as_it_was_made_and_the_answer_is_kept() {
    let mut server = Server::saying("201 Created", "X-One: 1\r\nX-Two: a\r\nX-Two: b\r\n", "thanks").await;
    let mut request = post(server.url("/hook?a=1&b=%20"), "{\"a\":1}");
    request.headers.extend([("X-Twice".to_owned(), "1".to_owned()), ("x-twice".to_owned(), "2".to_owned())]);
    let answer = local().send(request).await.result.expect("an answer");
    assert_eq!(answer.status, 201);
    assert_eq!(answer.body, "thanks");
    assert!(!answer.truncated);
    let names: Vec<_> = answer.headers.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(names, ["x-one=1", "x-two=a", "x-two=b", "content-length=6"]);
    let expected = format!(
        "POST /hook?a=1&b=%20 HTTP/1.1\r\ncontent-type: application/json\r\nx-twice: 1\r\nx-twice: 2\r\naccept: */*\r\n\
         host: 127.0.0.1:{}\r\ncontent-length: 7\r\n\r\n{{\"a\":1}}",
        server.port
    );
    assert_eq!(server.request().await, expected, "and nothing else: no User-Agent, no Accept-Encoding");
}

#[tokio::test]
async fn a_request_without_body_has_no_length() {
    let mut server = Server::saying("204 No Content", "", "").await;
    let request =
        Request { method: "GET".to_owned(), headers: Vec::new(), body: None, ..post(server.url("/"), "") };
    let answer = local().send(request).await.result.expect("an answer");
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    let got = server.request().await;
    assert!(got.starts_with("GET / HTTP/1.1\r\n"), "{got}");
    assert!(!got.to_lowercase().contains("content-length"), "{got}");
}

#[tokio::test]
async fn a_body_in_chunks_has_no_length() {
    let mut server = Server::saying("204 No Content", "", "").await;
    let mut request = post(server.url("/"), "{\"a\":1}");
    request.headers.push(("Transfer-Encoding".to_owned(), "chunked".to_owned()));
    let answer = local().send(request).await.result.expect("an answer");
    assert_eq!(answer.status, 204);
    let got = server.request().await.to_lowercase();
    assert_eq!(got.matches("transfer-encoding: chunked\r\n").count(), 1, "{got}");
    assert!(!got.contains("content-length"), "{got}");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    let elsewhere = Server::saying("200 OK", "", "").await;
    let location = format!("Location: {}\r\n", elsewhere.url("/"));
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"] {
        let server = Server::saying(status, &location, "").await;
        let answer = local().send(post(server.url("/"), "{}")).await.result.expect("an answer");
        assert_eq!(answer.status.to_string(), status[..3]);
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn nothing_is_decompressed() {
    let server = Server::saying("200 OK", "Content-Encoding: gzip\r\n", "not really gzip").await;
    let answer = local().send(post(server.url("/"), "{}")).await.result.expect("an answer");
    assert_eq!(answer.body, "not really gzip");
}

#[tokio::test]
async fn a_body_of_the_limit_is_whole_and_one_byte_more_is_cut() {
    for (size, cut) in [(RESPONSE_LIMIT, false), (RESPONSE_LIMIT + 1, true)] {
        let server = Server::saying("200 OK", "", &"x".repeat(size)).await;
        let answer = local().send(post(server.url("/"), "{}")).await.result.expect("an answer");
        assert_eq!((answer.body.len(), answer.truncated), (RESPONSE_LIMIT, cut));
    }
}

#[tokio::test]
async fn a_body_that_never_ends_is_cut_and_the_connection_dropped() {
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    let block = [b"1000\r\n".as_slice(), &[b'x'; 0x1000], b"\r\n"].concat();
    let server = Server::start(Answer::Endless(head, block)).await;
    let client = local();
    for calls in 1..=2 {
        let answer = client.send(post(server.url("/"), "{}")).await.result.expect("an answer");
        assert_eq!((answer.body.len(), answer.truncated), (RESPONSE_LIMIT, true));
        assert_eq!(server.connections(), calls);
    }
}

#[tokio::test]
async fn header_values_that_are_no_utf8_are_shown_with_replacements_and_too_many_are_cut() {
    let answer = [b"HTTP/1.1 200 OK\r\nX-Raw: a\xffb\r\n".as_slice(), b"Content-Length: 0\r\n\r\n"].concat();
    let server = Server::start(Answer::Bytes(answer)).await;
    let answer = local().send(post(server.url("/"), "{}")).await.result.expect("an answer");
    assert_eq!(answer.headers[0].1, "a\u{fffd}b");
    let lines = format!("X-Long: {}\r\n", "x".repeat(RESPONSE_HEADERS_LIMIT / 10)).repeat(12);
    let server = Server::saying("200 OK", &lines, "body").await;
    let answer = local().send(post(server.url("/"), "{}")).await.result.expect("an answer");
    assert_eq!(answer.headers.len(), 9);
    assert!(answer.truncated);
    assert_eq!(answer.body, "body");
}

#[tokio::test]
async fn connections_are_kept_and_each_part_is_timed_where_it_happens() {
    let server = Server::saying("200 OK", "", "ok").await;
    let client = client(PlainHttp::Loopback, &[]);
    let url = format!("http://inside.example:{}/", server.port);
    let first = client.send(post(&*url, "{}")).await;
    assert_eq!(first.result.expect("an answer").status, 200);
    let parts = first.timings;
    assert!(parts.resolve.is_some() && parts.connect.is_some(), "{parts:?}");
    let first_byte = parts.first_byte.expect("an answer");
    assert!(parts.resolve.expect("resolved") + parts.connect.expect("connected") <= first_byte);
    assert!(first_byte <= parts.total && parts.total < Duration::from_secs(20));
    let second = client.send(post(&*url, "{}")).await;
    assert!(second.result.is_ok());
    assert_eq!((second.timings.resolve, second.timings.connect), (None, None));
    assert!(second.timings.first_byte.is_some());
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn an_allowed_network_is_called_over_plain_http_when_that_is_allowed() {
    let server = Server::saying("200 OK", "", "").await;
    let client = client(PlainHttp::Always, &["127.0.0.0/8"]);
    assert!(client.send(post(server.url("/"), "{}")).await.result.is_ok());
}
