//! Bad input gets an answer that says what, where and how to mend it, and nothing of it is published.

use axum::body::Body;
use axum::http::{Method, Request};
use futures::FutureExt;
use postrider_domain::id::TokenId;
use postrider_domain::token::Role;
use postrider_ingest::Settings;
use postrider_ports::access::Tokens;
use postrider_testkit::START;
use std::time::Duration;

use crate::world::{EVENTS, World, event, publish_to};

/// Asserts that a body is refused so, and that the answer contains these words.
async fn refused(world: &World, body: impl Into<Body>, status: u16, code: &str, words: &[&str]) {
    let text = world.post(body).await.assert_refused(status, code);
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {text}");
    }
    assert!(world.published().is_empty());
}

#[tokio::test]
async fn what_is_no_json_is_answered_400_with_its_place() {
    let world = World::new();
    refused(&world, "{\n \"type\": }", 400, "malformed_json", &["line 2 column 10"]).await;
    refused(&world, "", 400, "malformed_json", &["line 1"]).await;
    refused(&world, format!("{} x", event("e1")), 400, "malformed_json", &["trailing"]).await;
    refused(&world, format!("[{}", event("e1")), 400, "malformed_json", &["EOF"]).await;
    refused(&world, format!("[{}] 1", event("e1")), 400, "malformed_json", &["trailing"]).await;
    refused(&world, b"{\"a\":\"\xFF\"}".to_vec(), 400, "invalid_utf8", &["byte 6"]).await;
}

#[tokio::test]
async fn an_event_that_breaks_a_rule_is_answered_422_with_place_problem_and_fix() {
    let world = World::new();
    let invalid = "invalid_event";
    refused(&world, "{}", 422, invalid, &["/type", "/action", "/resource", "is missing"]).await;
    refused(&world, "7", 422, invalid, &["must be an object"]).await;
    refused(&world, event("e 1"), 422, invalid, &["/id", "event id"]).await;
    refused(
        &world,
        event("e1").replace("\"action\"", "\"acton\""),
        422,
        invalid,
        &["/acton", "did you mean"],
    )
    .await;
    refused(&world, "[]", 422, invalid, &["no events"]).await;
    let elsewhere = event("e1").replace("\"type\"", "\"space\":\"other\",\"type\"");
    refused(&world, elsewhere, 422, invalid, &["/space"]).await;
}

#[tokio::test]
async fn one_bad_event_refuses_its_array_and_every_fault_is_listed() {
    let world = World::new();
    let batch = format!("[{},{{\"type\":1}},{},[]]", event("a"), event("b"));
    let answer = world.post(batch).await;
    answer.assert_refused(422, "invalid_event");
    let details = answer.body["error"]["details"].as_array().expect("a list");
    let places = details.iter().map(|one| (one["index"].as_u64(), one["path"].as_str())).collect::<Vec<_>>();
    for place in [
        (Some(1), Some("/type")),
        (Some(1), Some("/action")),
        (Some(1), Some("/resource")),
        (Some(3), Some("")),
    ] {
        assert!(places.contains(&place), "{place:?} is not in {places:?}");
    }
    assert!(details.iter().all(|one| one["problem"].is_string() && one["fix"].is_string()), "{details:?}");
    assert!(
        answer.body["error"]["message"].as_str().is_some_and(|text| text.contains("2 of 4")),
        "{answer:?}"
    );
    assert!(world.published().is_empty());
    world.post(event("a")).await.assert_accepted();
    assert!(!world.published()[0].suspect, "nothing was claimed either");
}

#[tokio::test]
async fn a_long_list_of_faults_is_cut() {
    let world = World::new();
    let batch = format!("[{}]", vec!["{}"; 400].join(","));
    let answer = world.post(batch).await;
    answer.assert_refused(422, "invalid_event");
    assert_eq!(answer.body["error"]["details"].as_array().expect("a list").len(), 100);
}

#[tokio::test]
async fn what_is_nested_too_deeply_is_answered_422_however_deep() {
    let world = World::new();
    let nested = |levels: usize| {
        event("e1").replace("{ \"a\": 1.0 }", &format!("{}{}", "[".repeat(levels), "]".repeat(levels)))
    };
    refused(&world, nested(64), 422, "invalid_event", &["nested deeper than 64"]).await;
    refused(&world, nested(100_000), 422, "invalid_event", &["nested deeper than 64"]).await;
    refused(&world, "[".repeat(200_000), 400, "malformed_json", &["EOF"]).await;
    world.post(nested(63)).await.assert_accepted();
}

#[tokio::test]
async fn another_media_type_or_encoding_is_answered_415() {
    let world = World::new();
    for bad in ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16"] {
        let text = world.post_as(bad, event("e1")).await.assert_refused(415, "unsupported_media_type");
        assert!(text.contains("application/cloudevents+json") && text.contains(bad), "{text}");
    }
    let untyped = publish_to(EVENTS).body(Body::from(event("e1")));
    world.send(untyped).await.assert_refused(415, "unsupported_media_type");
    let packed =
        publish_to(EVENTS).header("content-type", "application/json").header("content-encoding", "gzip");
    let text =
        world.send(packed.body(Body::from(event("e1")))).await.assert_refused(415, "unsupported_media_type");
    assert!(text.contains("gzip"), "{text}");
    let batch = world.post_as("application/cloudevents-batch+json", "{}").await;
    batch.assert_refused(422, "invalid_event");
    assert!(world.published().is_empty());
}

#[tokio::test]
async fn a_cloud_event_header_that_is_no_utf8_is_answered_400() {
    let world = World::new();
    let request = publish_to(EVENTS).header("ce-specversion", "1.0").header("ce-id", &b"\xFF"[..]);
    let text = world.send(request.body(Body::empty())).await.assert_refused(400, "invalid_utf8");
    assert!(text.contains("ce-id"), "{text}");
}

#[tokio::test]
async fn who_does_not_say_who_he_is_is_answered_401() {
    let world = World::new();
    world.token("expired", Some("blog"), Role::Publisher, Some(START));
    for authorization in
        [None, Some("Basic eDp5"), Some("Bearer"), Some("Bearer unknown"), Some("Bearer expired")]
    {
        let mut request =
            Request::builder().method(Method::POST).uri(EVENTS).header("content-type", "application/json");
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        let answer = world.send(request.body(Body::from(event("e1")))).await;
        let text = answer.assert_refused(401, "unauthenticated");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{authorization:?}");
        assert!(!text.contains("unknown") && !text.contains("eDp5"), "a token is a secret: {text}");
    }
    assert!(world.published().is_empty());
}

#[tokio::test]
async fn a_revoked_token_works_no_longer_than_five_seconds() {
    let world = World::new();
    world.post(event("a")).await.assert_accepted();
    let id = TokenId::new(crate::world::PUBLISHER).expect("id");
    assert!(world.tokens.revoke(&id, world.deps.clock.now()).await.expect("no fault"));
    world.clock.advance(Duration::from_millis(4_999));
    world.post(event("b")).await.assert_accepted();
    assert_eq!(
        world.tokens.lookups.load(std::sync::atomic::Ordering::Relaxed),
        1,
        "it is not asked each time"
    );
    world.clock.advance(Duration::from_millis(1));
    world.post(event("c")).await.assert_refused(401, "unauthenticated");
}

#[tokio::test]
async fn a_token_of_another_space_or_role_is_answered_403_and_learns_nothing() {
    let world = World::new();
    world.token("viewer", Some("blog"), Role::Viewer, None);
    world.token("admin", None, Role::Admin, None);
    let send = |token: &'static str, path: &'static str| {
        let request =
            Request::builder().method(Method::POST).uri(path).header("content-type", "application/json");
        world.send(request.header("authorization", format!("Bearer {token}")).body(Body::from(event("e1"))))
    };
    let publisher = crate::world::PUBLISHER;
    let text =
        send(publisher, "/spaces/other/environments/master/events").await.assert_refused(403, "forbidden");
    assert!(text.contains("does not reach") && !text.contains("blog"), "{text}");
    let missing = send(publisher, "/spaces/nowhere/environments/master/events").await;
    assert_eq!(
        missing
            .assert_refused(403, "forbidden")
            .split("requestId")
            .next()
            .map(|text| text.replace("nowhere", "other")),
        text.split("requestId").next().map(str::to_owned),
        "a space that is not there looks like one that belongs to another"
    );
    let text = send("viewer", EVENTS).await.assert_refused(403, "forbidden");
    assert!(text.contains("viewer") && text.contains("publisher"), "{text}");
    let text =
        send("admin", "/spaces/nowhere/environments/master/events").await.assert_refused(404, "not_found");
    assert!(text.contains("nowhere"), "{text}");
    send("admin", "/spaces/other/environments/staging/events").await.assert_accepted();
}

#[tokio::test]
async fn an_address_that_leads_nowhere_is_answered_404_naming_it() {
    let world = World::new();
    for (path, word) in [
        ("/spaces/blog/environments/nowhere/events", "nowhere"),
        ("/spaces/blog/environments/ma%20ster/events", "ma ster"),
        ("/spaces/blog/environments/%FF/events", "UTF-8"),
    ] {
        let request =
            publish_to(path).header("content-type", "application/json").body(Body::from(event("e1")));
        let text = world.send(request).await.assert_refused(404, "not_found");
        assert!(text.contains(word), "{text}");
    }
}

#[tokio::test]
async fn another_method_is_answered_405_with_the_right_one() {
    let world = World::new();
    let answer = world.send(publish_to(EVENTS).method(Method::GET).body(Body::empty())).await;
    answer.assert_refused(405, "wrong_method");
    assert_eq!(answer.header("allow"), Some("POST"));
}

#[tokio::test]
async fn a_body_that_breaks_off_or_dawdles_is_given_up() {
    let world = World::with(Settings { body_timeout: Duration::from_secs(30), ..Settings::default() });
    let broken = futures::stream::iter([Ok("{"), Err(std::io::Error::other("reset"))]);
    world.post(Body::from_stream(broken)).await.assert_refused(400, "broken_body");
    let never = Body::from_stream(futures::stream::pending::<Result<&str, std::io::Error>>());
    let mut slow = Box::pin(world.post(never));
    assert!((&mut slow).now_or_never().is_none());
    world.clock.advance(Duration::from_secs(30));
    let text = slow.await.assert_refused(408, "too_slow");
    assert!(text.contains("30 s"), "{text}");
}

#[tokio::test]
async fn a_part_that_is_away_is_answered_503_and_a_defect_500() {
    for is_transient in [true, false] {
        let world = World::new();
        let set =
            |fault: &crate::fakes::Fault| if is_transient { fault.transient() } else { fault.permanent() };
        let (status, code) = if is_transient { (503, "unavailable") } else { (500, "internal") };
        set(&world.tokens.fault);
        let answer = world.post(event("e1")).await;
        answer.assert_refused(status, code);
        assert_eq!(answer.header("retry-after").is_some(), is_transient);
        world.tokens.fault.heal();
        set(&world.queue.fault);
        world.post(event("e1")).await.assert_refused(status, code);
        world.queue.fault.heal();
        set(&world.bodies.fault);
        let large = event("e2").replace("1.0", &format!("\"{}\"", "x".repeat(40_000)));
        world.post(large).await.assert_refused(status, code);
        assert!(world.published().is_empty());
    }
}

#[tokio::test]
async fn a_token_that_cannot_be_verified_works_for_a_minute_and_not_beyond_its_own_end() {
    let world = World::new();
    world.token("ends", Some("blog"), Role::Publisher, Some(START.plus(Duration::from_secs(30))));
    let as_one_that_ends = |id: &str| {
        let request = Request::post(EVENTS).header("authorization", "Bearer ends");
        request.header("content-type", "application/json").body(Body::from(event(id)))
    };
    world.post(event("e1")).await.assert_accepted();
    world.send(as_one_that_ends("e2")).await.assert_accepted();
    world.tokens.fault.transient();
    world.clock.advance(Duration::from_secs(29));
    world.post(event("e3")).await.assert_accepted();
    world.send(as_one_that_ends("e4")).await.assert_accepted();
    world.clock.advance(Duration::from_secs(30));
    world.post(event("e5")).await.assert_accepted();
    world.send(as_one_that_ends("e6")).await.assert_refused(401, "unauthenticated");
    world.clock.advance(Duration::from_secs(1));
    world.post(event("e7")).await.assert_refused(503, "unavailable");
}
