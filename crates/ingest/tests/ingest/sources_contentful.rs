//! The door where Contentful sends its own webhooks: the signature is of the whole request, its address included.

use axum::body::Body;
use axum::http::{HeaderValue, Method, Request};
use postrider_dialects::contentful::signature::{self, sign};
use postrider_domain::event::Carriage;
use postrider_domain::id::{SourceId, SpaceId};
use postrider_domain::source::Source;
use postrider_domain::timestamp::Timestamp;
use postrider_domain::webhook::Audit;
use postrider_ingest::Settings;
use postrider_ports::secrets::{Place, SOURCE, Secrets};
use postrider_ports::sources::Sources;
use postrider_testkit::START;

use crate::fakes::PlainSecrets;
use crate::world::{Answer, World};

const PATH: &str = "/spaces/blog/environments/master/sources/cf?from=contentful&a=%20";
const BODY: &str = r#"{"fields":{"title":{"en-US":"Grüße"}},"sys":{"type":"Entry","id":"5KsD"}}"#;

fn secret() -> String {
    "0aZ+/=_-".repeat(8)
}

async fn world() -> World {
    let world = World::with(Settings { max_event_bytes: 1024, ..Settings::default() });
    let space = SpaceId::new("blog").expect("an id");
    let place = Place { space: &space, owner: "cf", field: SOURCE };
    let secret = PlainSecrets.seal(place, &secret()).expect("sealed");
    let by = || "test".to_owned();
    let audit = Audit { created_at: START, created_by: by(), updated_at: START, updated_by: by() };
    let id = SourceId::new("cf").expect("an id");
    let source = Source { id, space, name: "CMS".into(), dialect: "contentful".into(), secret, audit };
    world.sources.put_source(&source).await.expect("stored");
    world
}

/// What Contentful sends, signed at an instant for an address; the webhook's name is not ASCII.
fn headers(path: &str, attempt: u32, at: Timestamp) -> Vec<(String, String)> {
    let mut headers: Vec<(String, String)> = [
        ("x-contentful-topic", "ContentManagement.Entry.publish"),
        ("x-contentful-webhook-name", "größe"),
        ("x-contentful-webhook-request-attempt", &attempt.to_string()),
        ("x-contentful-idempotency-key", &"ab".repeat(32)),
        ("content-type", "application/vnd.contentful.management.v1+json"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let request = signature::Request { method: "POST", path, headers: &headers, body: BODY.as_bytes() };
    let signed = sign(&secret(), &request, at);
    headers.extend(signed);
    headers
}

async fn send(world: &World, headers: &[(String, String)], body: &'static str) -> Answer {
    let mut request =
        Request::builder().method(Method::POST).uri(PATH).header("x-forwarded-for", "192.0.2.1");
    for (name, value) in headers {
        // As Node writes them: ISO 8859-1.
        let bytes: Vec<u8> = value.chars().map(|one| u8::try_from(one).expect("Latin")).collect();
        request = request.header(name, HeaderValue::from_bytes(&bytes).expect("a header"));
    }
    world.send(request.body(Body::from(body))).await
}

#[tokio::test]
async fn a_signed_call_of_contentful_comes_in_once_however_often_it_retries() {
    let world = world().await;
    let accepted = send(&world, &headers(PATH, 1, START), BODY).await.assert_accepted();
    assert_eq!(accepted, [(format!("cf-{}", "ab".repeat(32)), "accepted".to_owned())]);
    let again = send(&world, &headers(PATH, 2, START), BODY).await.assert_accepted();
    assert_eq!(again, [(accepted[0].0.clone(), "duplicate".to_owned())]);
    let published = world.published();
    assert_eq!(published.len(), 1);
    let event = &published[0].message.event;
    assert_eq!((event.head.topic().as_str(), event.head.resource.id.as_str()), ("Entry.publish", "5KsD"));
    let Carriage::Inline(content) = &event.content else { panic!("small") };
    assert_eq!(content.source.as_ref().expect("kept").body.as_str(), BODY);
}

#[tokio::test]
async fn a_signature_of_another_address_body_or_hour_is_401_and_nothing_is_published() {
    let world = world().await;
    let elsewhere = PATH.replace("master", "staging");
    let other_query = PATH.replace("from=contentful", "from=me");
    let old = START.minus(signature::TOLERANCE + std::time::Duration::from_secs(60));
    for headers in [
        headers(&elsewhere, 1, START),
        headers(&other_query, 1, START),
        headers(PATH, 1, old),
        headers(PATH, 1, START)[..5].to_vec(),
    ] {
        let text = send(&world, &headers, BODY).await.assert_refused(401, "unauthenticated");
        assert!(text.contains("X-Contentful-Signature"), "{text}");
    }
    send(&world, &headers(PATH, 1, START), r#"{"sys":{"id":"other"}}"#)
        .await
        .assert_refused(401, "unauthenticated");
    assert!(world.published().is_empty());
}
