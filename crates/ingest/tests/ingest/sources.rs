//! The door where a CMS sends its own webhooks.

use axum::body::Body;
use axum::http::{Method, Request};
use postrider_domain::event::Carriage;
use postrider_domain::id::{SourceId, SpaceId};
use postrider_domain::source::Source;
use postrider_domain::webhook::Audit;
use postrider_ingest::Settings;
use postrider_ports::secrets::{Place, SOURCE, Secrets};
use postrider_ports::sources::Sources;
use postrider_testkit::START;
use std::time::Duration;

use crate::fakes::PlainSecrets;
use crate::world::{Answer, World};

const KEY: &str = "the secret of the source";
/// `seeds/cometcms-webhooks.txt`, "Payload format".
const PAYLOAD: &str = r#"{"event":"content.published","occurred_at":"2025-05-03T12:00:00Z","data":{"type":"posts","id":"7K4p9xQ2mR","slug":"my-first-post"}}"#;
/// openssl dgst -sha256 -hmac 'the secret of the source'
const SIGNATURE: &str = "sha256=e649adb8847990134d421d0290c57b7e9195538c25c968eaf202587da40d492b";
const EVENT: &str = r#"{"id":"e1","type":"Entry","action":"publish","resource":{"id":"1"}}"#;

/// A world with the sources `comet` and `own` in `blog`.
async fn world() -> World {
    let world = World::with(Settings { max_event_bytes: 1024, ..Settings::default() });
    put(&world, "comet", "cometcms").await;
    put(&world, "own", "native").await;
    world
}

async fn put(world: &World, id: &str, dialect: &str) {
    let space = SpaceId::new("blog").expect("an id");
    let secret = PlainSecrets.seal(Place { space: &space, owner: id, field: SOURCE }, KEY).expect("sealed");
    let by = || "test".to_owned();
    let audit = Audit { created_at: START, created_by: by(), updated_at: START, updated_by: by() };
    let id = SourceId::new(id).expect("an id");
    let source = Source { id, space, name: "CMS".into(), dialect: dialect.into(), secret, audit };
    world.sources.put_source(&source).await.expect("stored");
}

async fn send(world: &World, path: &str, header: Option<(&str, &str)>, body: impl Into<Body>) -> Answer {
    let request = Request::builder().method(Method::POST).uri(format!("/spaces/{path}"));
    let request = header.into_iter().fold(request, |request, (name, value)| request.header(name, value));
    world.send(request.body(body.into())).await
}

const COMET: &str = "blog/environments/master/sources/comet";
const OWN: &str = "blog/environments/master/sources/own";
const SIGNED: Option<(&str, &str)> = Some(("x-cometcms-signature", SIGNATURE));

#[tokio::test]
async fn a_signed_webhook_needs_no_token_and_is_kept_as_it_came() {
    let world = world().await;
    let accepted = send(&world, COMET, SIGNED, PAYLOAD).await.assert_accepted();
    assert_eq!(accepted[0].1, "accepted");
    let published = world.published();
    let event = &published[0].message.event;
    assert_eq!(
        (event.head.id.as_str(), event.head.topic()),
        (accepted[0].0.as_str(), "Entry.publish".into())
    );
    let Carriage::Inline(content) = &event.content else { panic!("small") };
    assert_eq!(content.source.as_ref().expect("kept").body.as_str(), PAYLOAD);
}

#[tokio::test]
async fn the_retry_of_a_cms_is_not_a_second_event_even_with_other_words() {
    let world = world().await;
    let first = send(&world, COMET, SIGNED, PAYLOAD).await.assert_accepted();
    let again = send(&world, COMET, SIGNED, PAYLOAD).await.assert_accepted();
    assert_eq!(again, [(first[0].0.clone(), "duplicate".to_owned())]);
    // openssl dgst -sha256 -hmac 'the secret of the source', of the renamed one
    let signed = Some((
        "x-cometcms-signature",
        "sha256=ef4e632efe9b4aea389e86663b836f680a8daa6b6ae829765b6fbf20c448150c",
    ));
    let renamed = PAYLOAD.replace("my-first-post", "renamed");
    assert_eq!(send(&world, COMET, signed, renamed).await.assert_accepted(), again);
    assert_eq!(world.published().len(), 1);
}

#[tokio::test]
async fn without_its_signature_a_webhook_is_401_and_nothing_is_published() {
    let world = world().await;
    let zeros = format!("sha256={}", "0".repeat(64));
    let bearer = format!("Bearer {KEY}");
    for header in
        [None, Some(("x-cometcms-signature", zeros.as_str())), Some(("authorization", bearer.as_str()))]
    {
        let text = send(&world, COMET, header, PAYLOAD).await.assert_refused(401, "unauthenticated");
        assert!(text.contains("X-CometCMS-Signature"), "{text}");
    }
    let other = PAYLOAD.replace("posts", "pages");
    send(&world, COMET, SIGNED, other).await.assert_refused(401, "unauthenticated");
    assert!(world.published().is_empty());
}

#[tokio::test]
async fn a_dialect_that_may_sign_takes_its_key_too_but_never_beside_a_wrong_signature() {
    const BODY: &str = r#"{"event":"Entry Published","model":"posts","entry":{"id":"1"}}"#;
    // openssl dgst -sha256 -hmac 'the secret of the source'
    const GOOD: &str = "sha256=65939a4ccf3f85e9a9dc3ff4bc44b14351636ac0b904150788ea416682c303ef";
    let world = world().await;
    put(&world, "hooks", "contismo").await;
    let path = "blog/environments/master/sources/hooks";
    let with_key = format!("{path}?key=the%20secret%20of%20the%20source");
    let signed = |value| Some(("x-eventhook-signature", value));
    send(&world, path, signed(GOOD), BODY).await.assert_accepted();
    assert_eq!(send(&world, &with_key, None, BODY).await.assert_accepted()[0].1, "duplicate");
    let text = send(&world, path, None, BODY).await.assert_refused(401, "unauthenticated");
    assert!(text.contains("?key="), "{text}");
    let wrong = GOOD.replace("sha256=", "sha256=0");
    for path in [path, &with_key] {
        let text = send(&world, path, signed(&wrong), BODY).await.assert_refused(401, "unauthenticated");
        assert!(text.contains("X-EventHook-Signature"), "{text}");
    }
    let comet = send(&world, &with_key, None, PAYLOAD).await;
    let text = comet.assert_refused(422, "invalid_event");
    assert!(text.contains("contismo") && text.contains("looks like one of cometcms"), "{text}");
    assert_eq!(world.published().len(), 1);
}

#[tokio::test]
async fn a_dialect_that_does_not_sign_needs_the_key() {
    let world = world().await;
    let bearer = format!("Bearer {KEY}");
    send(&world, OWN, Some(("authorization", &bearer)), EVENT).await.assert_accepted();
    let in_address = format!("{OWN}?key=the%20secret%20of%20the%20source");
    assert_eq!(send(&world, &in_address, None, EVENT).await.assert_accepted()[0].1, "duplicate");
    send(&world, OWN, None, EVENT).await.assert_refused(401, "unauthenticated");
    send(&world, OWN, Some(("authorization", "Bearer wrong")), EVENT)
        .await
        .assert_refused(401, "unauthenticated");
    send(&world, &format!("{OWN}?key=wrong"), None, EVENT).await.assert_refused(401, "unauthenticated");
    let changed = EVENT.replace("publish", "delete");
    send(&world, OWN, Some(("authorization", &bearer)), changed).await.assert_refused(409, "id_taken");
    let nameless = EVENT.replace(r#""id":"e1","#, "");
    for _ in 0..2 {
        let accepted = send(&world, OWN, Some(("authorization", &bearer)), nameless.clone()).await;
        assert_eq!(accepted.assert_accepted()[0].1, "accepted", "without an id, each is an event of its own");
    }
    assert_eq!(world.published().len(), 3);
}

#[tokio::test]
async fn an_unknown_source_and_one_of_another_space_are_answered_alike() {
    let world = world().await;
    let mut answers = Vec::new();
    for path in [
        "blog/environments/master/sources/nobody",
        "other/environments/master/sources/comet",
        "b%20/environments/master/sources/comet",
    ] {
        let answer = send(&world, path, SIGNED, PAYLOAD).await;
        answer.assert_refused(404, "not_found");
        answers.push(answer.body["error"].clone());
    }
    assert!(answers.iter().all(|one| *one == answers[0]), "{answers:?}");
    let text = send(&world, "blog/environments/nowhere/sources/comet", SIGNED, PAYLOAD).await;
    assert!(text.assert_refused(404, "not_found").contains("nowhere"));
}

#[tokio::test]
async fn what_another_cms_sends_is_refused_with_what_was_expected() {
    let world = world().await;
    // openssl dgst -sha256 -hmac 'the secret of the source'
    for (body, signature, status, code, words) in [
        (
            r#"{"sys":{"type":"Entry"}}"#,
            "41e7984089b8696f9f6d635e996b71a322ed35e2450d804f738bbaad6627dd1f",
            422,
            "invalid_event",
            "dialect cometcms",
        ),
        (
            "not json",
            "ecd355322a1f726ee57b7bd053523d97855a986477c11ea71d4c7749b956487e",
            400,
            "malformed_json",
            "line 1",
        ),
    ] {
        let signature = format!("sha256={signature}");
        let answer = send(&world, COMET, Some(("x-cometcms-signature", &signature)), body).await;
        let text = answer.assert_refused(status, code);
        assert!(text.contains(words), "{text}");
    }
    let large = send(&world, COMET, SIGNED, " ".repeat(1025)).await;
    large.assert_refused(413, "too_large");
    assert!(world.published().is_empty());
}

#[tokio::test]
async fn a_deleted_source_works_no_longer_than_it_is_believed() {
    let world = world().await;
    send(&world, COMET, SIGNED, PAYLOAD).await.assert_accepted();
    let (space, id) = (SpaceId::new("blog").expect("an id"), SourceId::new("comet").expect("an id"));
    world.sources.delete_source(&space, &id).await.expect("deleted");
    send(&world, COMET, SIGNED, PAYLOAD).await.assert_accepted();
    world.clock.advance(Duration::from_secs(5));
    send(&world, COMET, SIGNED, PAYLOAD).await.assert_refused(404, "not_found");
}

#[tokio::test]
async fn a_secret_that_does_not_open_is_our_fault_and_says_nothing_of_it() {
    let world = world().await;
    let (space, id) = (SpaceId::new("blog").expect("an id"), SourceId::new("comet").expect("an id"));
    let comet = world.sources.source(&space, &id).await.expect("read").expect("there");
    let moved = Source { id: SourceId::new("moved").expect("an id"), ..comet };
    world.sources.put_source(&moved).await.expect("stored");
    let path = "blog/environments/master/sources/moved";
    send(&world, path, SIGNED, PAYLOAD).await.assert_refused(500, "internal");
}
