//! The suite for outbound calls, against the scripted [`Receiver`]. It runs in real time: deadlines are short.

use std::time::Duration;

use bytes::Bytes;
use postrider_domain::call::{Failure, RESPONSE_LIMIT, RecordedResponse};
use postrider_domain::outcome::FailureKind;
use postrider_ports::sender::{Request, Sender, Sent};
use tokio::net::TcpListener;

use super::{Bench, Checked, Fault, ensure, same, suite};
use crate::receiver::{Answer, Receiver};

suite!(
    "outbound calls",
    dyn Sender,
    [
        a_request_arrives_as_it_was_made,
        nothing_is_added_but_what_the_connection_needs,
        a_request_without_a_body_sends_none,
        every_status_is_an_answer,
        a_redirect_is_an_answer_and_never_followed,
        answer_headers_come_in_the_order_received,
        a_body_of_the_limit_is_whole_and_one_byte_more_is_cut,
        a_body_that_never_ends_is_cut,
        nothing_is_decoded,
        the_deadline_holds_for_the_head,
        the_deadline_holds_for_the_body,
        a_refused_connection_is_a_connect_failure,
        a_reset_connection_is_a_connect_failure,
        what_is_no_http_is_a_protocol_failure,
        a_slow_call_holds_up_no_other,
        nothing_is_sent_twice,
    ]
);

type SenderBench<'h> = Bench<'h, dyn Sender>;

/// How much longer than its deadline a call may take.
const GRACE: Duration = Duration::from_secs(3);

fn post(url: String) -> Request {
    Request {
        method: "POST".to_owned(),
        url,
        headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
        body: Some(Bytes::from_static(b"{}")),
        timeout: Duration::from_secs(5),
        connect: None,
    }
}

async fn send(bench: &SenderBench<'_>, request: Request) -> Result<Sent, Fault> {
    let limit = request.timeout + GRACE;
    let sent = tokio::time::timeout(limit, bench.on.send(request)).await;
    sent.map_err(|_| Fault::new("the call outlives its deadline by seconds"))
}

async fn answer(bench: &SenderBench<'_>, request: Request) -> Result<RecordedResponse, Fault> {
    let sent = send(bench, request).await?;
    sent.result.map_err(|failure| Fault::new(format!("expected an answer, got {failure:?}")))
}

async fn failure(bench: &SenderBench<'_>, request: Request) -> Result<Failure, Fault> {
    match send(bench, request).await?.result {
        Ok(answer) => Err(Fault::new(format!("expected a failure, got status {}", answer.status))),
        Err(failure) => Ok(failure),
    }
}

async fn a_request_arrives_as_it_was_made(bench: &SenderBench<'_>) -> Checked {
    let receiver = Receiver::start().await;
    let body = Bytes::from_static(b"{ \"a\" : 1.0,\n\"\xc3\xa4\": [] }\0");
    let own = [("X-Second", "2"), ("Content-Type", "application/json"), ("X-First", "a b"), ("X-Empty", "")];
    for method in ["POST", "PUT", "PATCH"] {
        let request = Request {
            method: method.to_owned(),
            headers: own.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            body: Some(body.clone()),
            ..post(receiver.url("/a%20b?c=d&e"))
        };
        answer(bench, request).await?;
    }
    let received = receiver.seen(3).await;
    let methods: Vec<_> = received.iter().map(|one| one.method.as_str()).collect();
    same!(methods, ["POST", "PUT", "PATCH"], "the methods");
    same!(received[0].path, "/a%20b?c=d&e", "path and query");
    same!(received[0].body, body, "the body, byte for byte");
    let is_own = |name: &str| own.iter().any(|(one, _)| one.eq_ignore_ascii_case(name));
    let found: Vec<_> = received[0]
        .headers
        .iter()
        .filter(|(name, _)| is_own(name))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.as_str()))
        .collect();
    let expected: Vec<_> = own.iter().map(|(name, value)| (name.to_ascii_lowercase(), *value)).collect();
    same!(found, expected, "the headers in their order");
    Ok(())
}

async fn nothing_is_added_but_what_the_connection_needs(bench: &SenderBench<'_>) -> Checked {
    let receiver = Receiver::start().await;
    answer(bench, post(receiver.url("/"))).await?;
    let received = receiver.seen(1).await;
    let needed = ["host", "content-length", "content-type", "connection"];
    let added: Vec<_> = received[0]
        .headers
        .iter()
        .map(|(name, _)| name.to_ascii_lowercase())
        .filter(|name| !needed.contains(&name.as_str()))
        .collect();
    ensure!(!added.contains(&"accept-encoding".to_owned()), "Accept-Encoding invites answers nobody decodes");
    // `Accept: */*` says nothing (RFC 9110 §12.5.1), and HTTP libraries insist on it.
    ensure!(added.iter().all(|name| name == "accept"), "headers were added: {added:?}");
    Ok(())
}

async fn a_request_without_a_body_sends_none(bench: &SenderBench<'_>) -> Checked {
    let receiver = Receiver::start().await;
    for method in ["GET", "DELETE"] {
        let request = Request { method: method.to_owned(), body: None, ..post(receiver.url("/")) };
        answer(bench, request).await?;
    }
    for request in receiver.seen(2).await {
        ensure!(request.body.is_empty(), "{} sent a body", request.method);
        let length = request.header("content-length");
        ensure!(length.is_none_or(|length| length == "0"), "{} promised a body", request.method);
        ensure!(request.header("transfer-encoding").is_none(), "{} promised a body", request.method);
    }
    Ok(())
}

async fn every_status_is_an_answer(bench: &SenderBench<'_>) -> Checked {
    let receiver = Receiver::start().await;
    for status in [200, 201, 204, 304, 400, 404, 410, 429, 500, 503, 599] {
        receiver.script("/", [Answer::status(status)]);
        let answer = answer(bench, post(receiver.url("/"))).await?;
        same!((answer.status, answer.truncated), (status, false), "status, and whether it was cut");
    }
    Ok(())
}

async fn a_redirect_is_an_answer_and_never_followed(bench: &SenderBench<'_>) -> Checked {
    let receiver = Receiver::start().await;
    for status in [301, 302, 303, 307, 308] {
        receiver.script("/", [Answer::status(status).header("Location", "/elsewhere")]);
        same!(answer(bench, post(receiver.url("/"))).await?.status, status, "the status");
    }
    let paths: Vec<_> = receiver.seen(5).await.into_iter().map(|one| one.path).collect();
    same!(paths, ["/"; 5], "what was called");
    Ok(())
}

async fn answer_headers_come_in_the_order_received(bench: &SenderBench<'_>) -> Checked {
    let receiver = Receiver::start().await;
    let answered = Answer::status(200).header("X-B", "1").header("Retry-After", "7").header("X-A", "2");
    receiver.script("/", [answered.body("Grüße")]);
    let answer = answer(bench, post(receiver.url("/"))).await?;
    let lower = |(name, value): &(String, String)| (name.to_ascii_lowercase(), value.clone());
    let headers: Vec<_> = answer.headers.iter().map(lower).collect();
    let expected = [("x-b", "1"), ("retry-after", "7"), ("x-a", "2"), ("content-length", "7")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    same!(headers, expected, "the headers");
    same!(answer.body, Bytes::from("Grüße"), "the body");
    Ok(())
}

async fn a_body_of_the_limit_is_whole_and_one_byte_more_is_cut(bench: &SenderBench<'_>) -> Checked {
    let receiver = Receiver::start().await;
    for (length, truncated) in [(RESPONSE_LIMIT, false), (RESPONSE_LIMIT + 1, true)] {
        receiver.script("/", [Answer::status(200).body(vec![b'x'; length])]);
        let answer = answer(bench, post(receiver.url("/"))).await?;
        same!(answer.body.len(), RESPONSE_LIMIT, "what is kept of {length} bytes");
        same!(answer.truncated, truncated, "whether {length} bytes were cut");
    }
    Ok(())
}

async fn a_body_that_never_ends_is_cut(bench: &SenderBench<'_>) -> Checked {
    let receiver = Receiver::start().await;
    receiver.script("/", [Answer::status(200).body(vec![b'x'; 4096]).endless()]);
    let answer = answer(bench, post(receiver.url("/"))).await?;
    same!((answer.body.len(), answer.truncated), (RESPONSE_LIMIT, true), "what is kept, and that it was cut");
    Ok(())
}

async fn nothing_is_decoded(bench: &SenderBench<'_>) -> Checked {
    let receiver = Receiver::start().await;
    let gzip_magic = vec![0x1f, 0x8b, 8, 0, 1, 2, 3];
    receiver.script("/", [Answer::status(200).header("Content-Encoding", "gzip").body(gzip_magic.clone())]);
    let answer = answer(bench, post(receiver.url("/"))).await?;
    same!(answer.body, Bytes::from(gzip_magic), "the body");
    Ok(())
}

async fn times_out(bench: &SenderBench<'_>, answered: Answer) -> Checked {
    let receiver = Receiver::start().await;
    receiver.script("/", [answered]);
    let timeout = Duration::from_millis(200);
    let sent = send(bench, Request { timeout, ..post(receiver.url("/")) }).await?;
    let Err(failure) = &sent.result else { return Err(Fault::new("an answer came that was never given")) };
    same!(failure.kind, FailureKind::Timeout, "the kind of failure ({})", failure.message);
    ensure!(sent.timings.total >= timeout, "it gave up after {:?}, before its deadline", sent.timings.total);
    Ok(())
}

async fn the_deadline_holds_for_the_head(bench: &SenderBench<'_>) -> Checked {
    times_out(bench, Answer::hang()).await
}

async fn the_deadline_holds_for_the_body(bench: &SenderBench<'_>) -> Checked {
    times_out(bench, Answer::status(200).body("half").stalled()).await
}

async fn a_refused_connection_is_a_connect_failure(bench: &SenderBench<'_>) -> Checked {
    // A port that was free a moment ago.
    let free = TcpListener::bind("127.0.0.1:0").await.and_then(|listener| listener.local_addr());
    let address = free.map_err(|error| Fault::new(error.to_string()))?;
    let failure = failure(bench, post(format!("http://{address}/?token=s3cret"))).await?;
    same!(failure.kind, FailureKind::Connect, "the kind of failure ({})", failure.message);
    ensure!(!failure.message.contains("s3cret"), "the message shows the query: {}", failure.message);
    Ok(())
}

async fn a_reset_connection_is_a_connect_failure(bench: &SenderBench<'_>) -> Checked {
    let receiver = Receiver::start().await;
    receiver.script("/", [Answer::reset()]);
    let failure = failure(bench, post(receiver.url("/"))).await?;
    same!(failure.kind, FailureKind::Connect, "the kind of failure ({})", failure.message);
    Ok(())
}

async fn what_is_no_http_is_a_protocol_failure(bench: &SenderBench<'_>) -> Checked {
    let receiver = Receiver::start().await;
    receiver.script("/", [Answer::raw("SSH-2.0-OpenSSH_9.2\r\n\r\n")]);
    let failure = failure(bench, post(receiver.url("/"))).await?;
    same!(failure.kind, FailureKind::Protocol, "the kind of failure ({})", failure.message);
    Ok(())
}

async fn a_slow_call_holds_up_no_other(bench: &SenderBench<'_>) -> Checked {
    let receiver = Receiver::start().await;
    receiver.script("/slow", [Answer::status(200).held()]);
    let slow = answer(bench, post(receiver.url("/slow")));
    let quick = async {
        receiver.seen_at("/slow", 1).await;
        let quick = answer(bench, post(receiver.url("/quick"))).await;
        receiver.release();
        quick
    };
    let (slow, quick) = tokio::join!(slow, quick);
    same!((slow?.status, quick?.status), (200, 200), "both statuses");
    Ok(())
}

async fn nothing_is_sent_twice(bench: &SenderBench<'_>) -> Checked {
    let receiver = Receiver::start().await;
    receiver.script("/", [Answer::status(200), Answer::reset(), Answer::status(503), Answer::status(200)]);
    answer(bench, post(receiver.url("/"))).await?;
    // The second call may go out over the connection of the first; its reset must not send it again.
    failure(bench, post(receiver.url("/"))).await?;
    same!(answer(bench, post(receiver.url("/"))).await?.status, 503, "the third answer");
    same!(receiver.received().len(), 3, "requests after three calls");
    Ok(())
}
