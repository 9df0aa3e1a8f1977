//! The stand-in of Slack answers as Slack's documents say.

use postrider_testkit::slack::{FakeSlack, Reply};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const TOKEN: &str = "xoxb-1";

/// One request with a body, and the whole answer: head and body.
async fn ask(url: &str, token: &str, body: &Value) -> (String, String) {
    let (_, rest) = url.split_once("://").expect("a URL");
    let (host, path) = rest.split_once('/').expect("a path");
    let body = body.to_string();
    let request = format!(
        "POST /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(host).await.expect("it listens");
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("it answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    (head.to_owned(), body.to_owned())
}

/// What a method says to a token: `ok`, or the code.
async fn said(slack: &FakeSlack, method: &str, token: &str, body: &Value) -> String {
    let (head, body) = ask(&format!("{}{method}", slack.base_url()), token, body).await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let body: Value = serde_json::from_str(&body).expect("JSON");
    if body["ok"] == true { "ok".to_owned() } else { body["error"].as_str().expect("a code").to_owned() }
}

#[tokio::test]
async fn a_token_counts_until_it_is_revoked() {
    let slack = FakeSlack::start("Acme").await;
    assert_eq!(said(&slack, "auth.test", TOKEN, &json!({})).await, "invalid_auth");
    slack.issue(TOKEN);
    assert_eq!(said(&slack, "auth.test", TOKEN, &json!({})).await, "ok");
    slack.revoke(TOKEN);
    assert_eq!(said(&slack, "auth.test", TOKEN, &json!({})).await, "token_revoked");
    assert!(slack.messages().is_empty());
}

#[tokio::test]
async fn a_message_is_taken_where_the_bot_may_post_and_refused_elsewhere() {
    let slack = FakeSlack::start("Acme").await;
    slack.issue(TOKEN);
    let (open, closed) = (slack.channel("open"), slack.private("closed"));
    let (theirs, old) = (slack.foreign("theirs"), slack.channel("old"));
    slack.archive(&old);
    for (channel, code) in [
        (open.as_str(), "ok"),
        (&closed, "channel_not_found"),
        ("C_NOWHERE", "channel_not_found"),
        (&theirs, "not_in_channel"),
        (&old, "is_archived"),
    ] {
        let message = json!({"channel": channel, "text": "hello"});
        assert_eq!(said(&slack, "chat.postMessage", TOKEN, &message).await, code, "{channel}");
    }
    assert_eq!(said(&slack, "chat.postMessage", TOKEN, &json!({"channel": open})).await, "no_text");
    let messages = slack.posted(6).await;
    assert_eq!((messages[0].channel.as_str(), &messages[0].body["text"]), (&*open, &json!("hello")));
    assert_eq!(messages[4].said, "is_archived");
}

#[tokio::test]
async fn channels_come_in_pages_without_the_private_ones_of_others() {
    let slack = FakeSlack::start("Acme").await;
    slack.issue(TOKEN);
    slack.private("closed");
    for name in ["a", "b", "c"] {
        slack.channel(name);
    }
    let (mut names, mut query) = (Vec::new(), "limit=2".to_owned());
    loop {
        let url = format!("{}conversations.list?{query}", slack.base_url());
        let page: Value = serde_json::from_str(&ask(&url, TOKEN, &json!({})).await.1).expect("JSON");
        names.push(page["channels"].as_array().expect("channels").len());
        match page["response_metadata"]["next_cursor"].as_str() {
            Some("") | None => break,
            Some(cursor) => query = format!("limit=2&cursor={cursor}"),
        }
    }
    assert_eq!(names, [2, 1]);
}

#[tokio::test]
async fn an_incoming_webhook_has_answers_of_its_own() {
    let slack = FakeSlack::start("Acme").await;
    let news = slack.channel("news");
    let url = slack.incoming("key", &news);
    let hello = json!({"text": "hello"});
    let answer = async |body: &Value| {
        let (head, body) = ask(&url, "", body).await;
        (head["HTTP/1.1 ".len()..][..3].to_owned(), body)
    };
    let pair = |status: &str, body: &str| (status.to_owned(), body.to_owned());
    assert_eq!(answer(&hello).await, pair("200", "ok"));
    assert_eq!(answer(&json!({})).await, pair("400", "no_text"));
    slack.archive(&news);
    assert_eq!(answer(&hello).await, pair("410", "channel_is_archived"));
    slack.remove_incoming("key");
    assert_eq!(answer(&hello).await, pair("404", "no_service"));
}

#[tokio::test]
async fn what_is_scripted_comes_first_and_once() {
    let slack = FakeSlack::start("Acme").await;
    slack.issue(TOKEN);
    let message = json!({"channel": slack.channel("news"), "text": "hello"});
    let replies = [Reply::Code("fatal_error"), Reply::Limited(30), Reply::Other(404, "<html>")];
    slack.script("chat.postMessage", replies);
    assert_eq!(said(&slack, "chat.postMessage", TOKEN, &message).await, "fatal_error");
    let url = format!("{}chat.postMessage", slack.base_url());
    let (head, body) = ask(&url, TOKEN, &message).await;
    assert!(head.starts_with("HTTP/1.1 429") && head.contains("retry-after: 30"), "{head}");
    assert!(body.contains("ratelimited"), "{body}");
    assert_eq!(ask(&url, TOKEN, &message).await.1, "<html>");
    assert_eq!(said(&slack, "chat.postMessage", TOKEN, &message).await, "ok");
    let named: Vec<String> = slack.messages().into_iter().map(|one| one.said).collect();
    assert_eq!(named, ["fatal_error", "ratelimited", "http_404", "ok"]);
}
