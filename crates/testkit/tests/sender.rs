//! A sender on bare sockets passes the suite, and broken ones are rejected by the case that is about what they break.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use postrider_domain::call::{Failure, RESPONSE_LIMIT, RecordedResponse, Timings};
use postrider_domain::outcome::FailureKind;
use postrider_ports::sender::{Request, Sender, Sent};
use postrider_testkit::conformance;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// What is wrong with a sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    SortsHeaders,
    AsksForGzip,
    AlwaysSendsABody,
    FailsOnServerErrors,
    FollowsRedirects,
    SortsAnswerHeaders,
    NeverSaysTruncated,
    Decodes,
    NoDeadline,
    GivesUpEarly,
    ShowsTheUrl,
    CallsEverythingProtocol,
    CallsEverythingConnect,
    OneAtATime,
    Retries,
}

struct BareSender(Flaw, tokio::sync::Mutex<()>);

#[async_trait]
impl Sender for BareSender {
    async fn send(&self, mut request: Request) -> Sent {
        let flaw = self.0;
        let _alone = if flaw == Flaw::OneAtATime { Some(self.1.lock().await) } else { None };
        match flaw {
            Flaw::SortsHeaders => request.headers.sort(),
            Flaw::AsksForGzip => request.headers.push(("Accept-Encoding".to_owned(), "gzip".to_owned())),
            Flaw::AlwaysSendsABody => request.body = Some(Bytes::from_static(b"{}")),
            _ => {}
        }
        let begun = Instant::now();
        let deadline = match flaw {
            Flaw::NoDeadline => Duration::from_secs(100),
            Flaw::GivesUpEarly => request.timeout / 2,
            _ => request.timeout,
        };
        let mut result = tokio::time::timeout(deadline, call(&request)).await;
        if flaw == Flaw::Retries && !matches!(&result, Ok(Ok(_))) {
            result = tokio::time::timeout(deadline, call(&request)).await;
        }
        if let (Flaw::FollowsRedirects, Ok(Ok(answer))) = (flaw, &result)
            && answer.headers.iter().any(|(name, _)| name == "Location")
        {
            let origin = request.url.rsplit_once('/').expect("a path").0;
            request.url = format!("{origin}/elsewhere");
            result = tokio::time::timeout(deadline, call(&request)).await;
        }
        let result = match result {
            Err(_) => Err(failed(FailureKind::Timeout, &"no complete answer in time")),
            Ok(Err(error)) => Err(self.judge(&error, &request)),
            Ok(Ok(answer)) => self.answer(answer),
        };
        Sent { result, timings: Timings { total: begun.elapsed(), ..Timings::default() } }
    }
}

fn failed(kind: FailureKind, why: &dyn std::fmt::Display) -> Failure {
    Failure { kind, message: why.to_string() }
}

impl BareSender {
    fn judge(&self, error: &io::Error, request: &Request) -> Failure {
        let kind = match (self.0, error.kind()) {
            (Flaw::CallsEverythingProtocol, _) | (_, io::ErrorKind::InvalidData) => FailureKind::Protocol,
            _ => FailureKind::Connect,
        };
        let kind = if self.0 == Flaw::CallsEverythingConnect { FailureKind::Connect } else { kind };
        match self.0 {
            Flaw::ShowsTheUrl => failed(kind, &request.url),
            _ => failed(kind, error),
        }
    }

    fn answer(&self, mut answer: RecordedResponse) -> Result<RecordedResponse, Failure> {
        match self.0 {
            Flaw::FailsOnServerErrors if answer.status >= 500 => {
                return Err(failed(FailureKind::Protocol, &"a server error"));
            }
            Flaw::SortsAnswerHeaders => answer.headers.sort(),
            Flaw::NeverSaysTruncated => answer.truncated = false,
            Flaw::Decodes if answer.body.starts_with(&[0x1f, 0x8b]) => answer.body = Bytes::new(),
            _ => {}
        }
        Ok(answer)
    }
}

/// One HTTP/1.1 exchange over a connection of its own.
async fn call(request: &Request) -> io::Result<RecordedResponse> {
    let invalid = || io::Error::from(io::ErrorKind::InvalidData);
    let rest = request.url.strip_prefix("http://").ok_or_else(invalid)?;
    let (host, path) = rest.split_once('/').ok_or_else(invalid)?;
    let mut stream = TcpStream::connect(host).await?;
    let mut head = format!("{} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n", request.method);
    for (name, value) in &request.headers {
        head.push_str(&[name.as_str(), ": ", value.as_str(), "\r\n"].concat());
    }
    if let Some(body) = &request.body {
        head.push_str(&["Content-Length: ", body.len().to_string().as_str(), "\r\n"].concat());
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(request.body.as_deref().unwrap_or_default()).await?;
    let mut got = Vec::new();
    let end = loop {
        if let Some(end) = got.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut got).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    let head = String::from_utf8_lossy(&got[..end]).into_owned();
    let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    let status: u16 = status.ok_or_else(invalid)?;
    let headers: Vec<(String, String)> = head
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "Content-Length");
    let length = length.and_then(|(_, value)| value.parse().ok());
    let length: usize = if matches!(status, 204 | 304) { 0 } else { length.unwrap_or(usize::MAX) };
    let mut body = got.split_off(end + 4);
    while body.len() < length.min(RESPONSE_LIMIT + 1) && stream.read_buf(&mut body).await? > 0 {}
    let truncated = body.len() > RESPONSE_LIMIT;
    body.truncate(RESPONSE_LIMIT);
    Ok(RecordedResponse { status, headers, body: Bytes::from(body), truncated })
}

fn sender(flaw: Flaw) -> Arc<dyn Sender> {
    Arc::new(BareSender(flaw, tokio::sync::Mutex::default()))
}

#[tokio::test]
async fn a_bare_sender_passes() {
    conformance::sender::run(&|_| sender(Flaw::None)).await;
}

#[tokio::test]
async fn the_suite_for_outbound_calls_rejects_what_is_broken() {
    let rejected = [
        (Flaw::SortsHeaders, "a_request_arrives_as_it_was_made"),
        (Flaw::AsksForGzip, "nothing_is_added_but_what_the_connection_needs"),
        (Flaw::AlwaysSendsABody, "a_request_without_a_body_sends_none"),
        (Flaw::FailsOnServerErrors, "every_status_is_an_answer"),
        (Flaw::FollowsRedirects, "a_redirect_is_an_answer_and_never_followed"),
        (Flaw::SortsAnswerHeaders, "answer_headers_come_in_the_order_received"),
        (Flaw::NeverSaysTruncated, "a_body_of_the_limit_is_whole_and_one_byte_more_is_cut"),
        (Flaw::NeverSaysTruncated, "a_body_that_never_ends_is_cut"),
        (Flaw::Decodes, "nothing_is_decoded"),
        (Flaw::NoDeadline, "the_deadline_holds_for_the_head"),
        (Flaw::NoDeadline, "the_deadline_holds_for_the_body"),
        (Flaw::GivesUpEarly, "the_deadline_holds_for_the_head"),
        (Flaw::ShowsTheUrl, "a_refused_connection_is_a_connect_failure"),
        (Flaw::CallsEverythingProtocol, "a_refused_connection_is_a_connect_failure"),
        (Flaw::CallsEverythingProtocol, "a_reset_connection_is_a_connect_failure"),
        (Flaw::CallsEverythingConnect, "what_is_no_http_is_a_protocol_failure"),
        (Flaw::OneAtATime, "a_slow_call_holds_up_no_other"),
        (Flaw::Retries, "nothing_is_sent_twice"),
    ];
    let checks = rejected.map(|(flaw, case)| async move {
        conformance::sender::check(&|_| sender(flaw)).await.assert_rejected(case);
    });
    futures::future::join_all(checks).await;
}
