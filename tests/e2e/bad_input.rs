//! Bad input gets an answer that says what, where and how to mend it, and changes nothing.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::system::{System, event, webhook};

const EVENTS: &str = "/spaces/default/environments/master/events";
const WEBHOOKS: &str = "/spaces/default/webhook_definitions";

async fn refused(
    system: &System,
    body: impl Into<reqwest::Body>,
    content_type: &str,
) -> (StatusCode, String) {
    let request = system.request(Method::POST, EVENTS).header("content-type", content_type).body(body);
    let answer = request.send().await.expect("an answer");
    (answer.status(), answer.text().await.expect("text"))
}

#[tokio::test]
async fn a_faulty_event_is_refused_with_its_place_and_its_cure() {
    let system = System::start(&[]).await;
    let deep = format!(
        "{}1{}",
        r#"{"id":"x","type":"Entry","action":"a","resource":{"id":"1"},"data":"#.to_owned()
            + &"[".repeat(200),
        "]".repeat(200) + "}"
    );
    let large = format!(
        r#"{{"type":"Entry","action":"a","resource":{{"id":"1"}},"data":"{}"}}"#,
        "x".repeat(300_000)
    );
    let cases: Vec<(Vec<u8>, &str, StatusCode, &[&str])> = vec![
        (b"{\"type\": ".to_vec(), "application/json", StatusCode::BAD_REQUEST, &["line", "column"]),
        (
            br#"{"type": 7, "action": "a", "resource": {"id": "1"}}"#.to_vec(),
            "application/json",
            StatusCode::UNPROCESSABLE_ENTITY,
            &["/type"],
        ),
        (
            br#"{"type": "Entry", "action": "a"}"#.to_vec(),
            "application/json",
            StatusCode::UNPROCESSABLE_ENTITY,
            &["resource"],
        ),
        (
            br#"{"type": "Entry", "acton": "a", "resource": {"id": "1"}}"#.to_vec(),
            "application/json",
            StatusCode::UNPROCESSABLE_ENTITY,
            &["acton", "action"],
        ),
        (
            br#"{"type": "Entry", "action": "", "resource": {"id": "1"}}"#.to_vec(),
            "application/json",
            StatusCode::UNPROCESSABLE_ENTITY,
            &["/action"],
        ),
        (b"{\"type\": \"\xff\"}".to_vec(), "application/json", StatusCode::BAD_REQUEST, &["UTF-8"]),
        (deep.into_bytes(), "application/json", StatusCode::UNPROCESSABLE_ENTITY, &["nest"]),
        (large.into_bytes(), "application/json", StatusCode::PAYLOAD_TOO_LARGE, &["262144"]),
        (
            b"a=b".to_vec(),
            "application/x-www-form-urlencoded",
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            &["application/json"],
        ),
    ];
    for (body, content_type, status, words) in cases {
        let shown = String::from_utf8_lossy(&body).chars().take(60).collect::<String>();
        let (got, text) = refused(&system, body, content_type).await;
        assert_eq!(got, status, "{shown}: {text}");
        let error: Value = serde_json::from_str(&text).expect("JSON");
        assert!(error["error"]["fix"].as_str().is_some_and(|fix| !fix.is_empty()), "{shown}: {text}");
        for word in words {
            assert!(text.contains(word), "{shown} should name {word:?}: {text}");
        }
    }
    assert_eq!(system.balance().await.total(), 0);
}

#[tokio::test]
async fn one_faulty_event_in_an_array_refuses_the_array_and_names_each_fault() {
    let system = System::start(&[]).await;
    let batch = json!([event("a", "Entry.publish"), { "type": "Entry" }, { "action": "x", "resource": {} }]);
    let (status, body) = system.publish(&batch).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let indexes =
        body["error"]["details"].as_array().expect("details").iter().map(|one| one["index"].clone());
    let indexes = indexes.collect::<std::collections::HashSet<_>>();
    assert_eq!(indexes, [json!(1), json!(2)].into(), "{body}");
    let many = json!((0..501).map(|n| event(&format!("m{n}"), "Entry.publish")).collect::<Vec<_>>());
    let (status, body) = system.publish(&many).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{body}");
    assert!(body.to_string().contains("500"), "{body}");
}

#[tokio::test]
async fn who_may_not_is_told_so_and_nothing_else() {
    let system = System::start(&[]).await;
    let answer =
        system.bare(Method::POST, EVENTS).json(&event("a", "Entry.x")).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    let answer =
        system.bare(Method::POST, EVENTS).bearer_auth("prt_wrong").json(&event("a", "Entry.x")).send().await;
    assert_eq!(answer.expect("an answer").status(), StatusCode::UNAUTHORIZED);
    system.call(Method::PUT, "/spaces/other", Some(&json!({ "name": "Other" }))).await;
    let made = json!({ "name": "cms", "role": "publisher", "space": "other" });
    let token = system.call(Method::POST, "/tokens", Some(&made)).await;
    let token = token["token"].as_str().expect("shown once");
    let answer =
        system.bare(Method::POST, EVENTS).bearer_auth(token).json(&event("a", "Entry.x")).send().await;
    assert_eq!(answer.expect("an answer").status(), StatusCode::FORBIDDEN);
    let own = "/spaces/other/environments/master/events";
    let answer = system.bare(Method::POST, own).bearer_auth(token).json(&event("a", "Entry.x")).send().await;
    assert_eq!(answer.expect("an answer").status(), StatusCode::ACCEPTED);
    let unknown = "/spaces/default/environments/nowhere/events";
    let answer =
        system.request(Method::POST, unknown).json(&event("a", "Entry.x")).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    assert!(answer.text().await.expect("text").contains("nowhere"));
}

#[tokio::test]
async fn a_faulty_webhook_is_refused_with_every_fault_at_once() {
    let system = System::start(&[]).await;
    let faulty = json!({
        "name": "", "url": "ftp://example.com/", "topics": [], "dialect": "klingon",
        "headers": [{ "key": "X-Split", "value": "a\r\nb" }, { "key": "bad name", "value": "x" }],
    });
    let answer = system.request(Method::POST, WEBHOOKS).json(&faulty).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let body: Value = answer.json().await.expect("JSON");
    assert_eq!(body["sys"]["id"], "ValidationFailed");
    let text = body["details"]["errors"].to_string();
    for word in ["name", "url", "topics", "dialect", "headers[0].value", "bad name", "standard-webhooks"] {
        assert!(text.contains(word), "{word} is not named: {text}");
    }
    let plain = webhook("http://example.com/", &["*.*"]);
    let answer = system.request(Method::POST, WEBHOOKS).json(&plain).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        answer.text().await.expect("text").contains("outbound.plain_http"),
        "the error names the setting"
    );
}

#[tokio::test]
async fn a_blocked_address_is_named_with_its_rule_in_the_record() {
    let system = System::start(&["outbound.plain_http=always"]).await;
    let mut hook = webhook("http://169.254.169.254/latest/meta-data", &["*.*"]);
    hook["retryPolicy"] = json!({ "name": "none" });
    system.webhook(&hook).await;
    system.accept(&event("one", "Entry.publish")).await;
    system.until("it is given up", |balance| balance.of("given_up") == 1).await;
    let calls = system.call(Method::GET, "/spaces/default/calls", None).await.to_string();
    assert!(calls.contains("address_blocked") && calls.contains("169.254.169.254"), "{calls}");
}
