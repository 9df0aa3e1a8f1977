//! Contentful's own webhook, in; and through, in and out again.

use postrider_dialects::contentful::signature::{Request, sign};
use postrider_dialects::contentful::{KEPT, STAMPED};
use postrider_dialects::matching::{Changed, decide_all_but_content, judge_changes};
use postrider_dialects::{Dialect, Proof, ReadErrors, Received, dialect};
use postrider_domain::event::{Actor, Event};
use postrider_domain::filter::{Condition, Filter, FilterPath};
use postrider_domain::id::EventId;
use postrider_domain::matching::{Rule, needs_content};
use postrider_domain::topic::TopicPattern;
use postrider_domain::webhook::Topic;
use proptest::prelude::*;

use crate::samples::{body, events, header, noon, published, scope, secrets, webhook, write};

const PATH: &str = "/spaces/blog/environments/master/sources/cf";
const KEY: &str = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";

/// The shape of a real call (a capture of 22 June 2026), its content made up.
const BODY: &str = r#"{"metadata":{"tags":[],"concepts":[]},"fields":{"title":{"de":"Hallo","en-US":"Hello"},"slug":{"en-US":"hello"}},"sys":{"type":"Entry","id":"5KsD","space":{"sys":{"type":"Link","linkType":"Space","id":"theirs"}},"environment":{"sys":{"id":"master","type":"Link","linkType":"Environment"}},"contentType":{"sys":{"type":"Link","linkType":"ContentType","id":"blogPost"}},"createdBy":{"sys":{"type":"Link","linkType":"User","id":"u0"}},"updatedBy":{"sys":{"type":"Link","linkType":"User","id":"u1"}},"revision":35,"createdAt":"2026-01-01T00:00:00.000Z","updatedAt":"2026-06-22T18:42:22.500Z","publishedVersion":75}}"#;
const TOMBSTONE: &str = r#"{ "sys": { "type": "DeletedEntry", "id": "5KsD", "space": {"sys": {"id": "theirs"}},
  "environment": {"sys": {"id": "staging"}}, "contentType": {"sys": {"id": "blogPost"}}, "revision": 36,
  "deletedBy": {"sys": {"type": "Link", "linkType": "AppDefinition", "id": "app"}},
  "createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-06-22T18:42:22Z", "deletedAt": "2026-06-23T00:00:00.5Z" } }"#;

fn contentful() -> &'static dyn Dialect {
    dialect("contentful").expect("known")
}

fn headers(given: &[(&str, &str)]) -> Vec<(String, String)> {
    given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn call(topic: &str) -> Vec<(String, String)> {
    headers(&[
        ("host", "postrider.example"),
        ("x-contentful-topic", topic),
        ("x-contentful-webhook-name", "aws lambda"),
        ("x-contentful-webhook-request-attempt", "2"),
        ("x-contentful-event-datetime", "2026-06-22T18:42:22.587Z"),
        ("x-contentful-crn", "crn:contentful:::content:spaces/theirs/environments/master/entries/5KsD"),
        ("x-contentful-idempotency-key", KEY),
        ("x-contentful-release-id", "rel1"),
        ("x-contentful-release-version", "4"),
        ("content-type", "application/vnd.contentful.management.v1+json"),
        ("x-forwarded-for", "192.0.2.1"),
    ])
}

fn with<T>(headers: &[(String, String)], body: &str, ask: impl FnOnce(&Received<'_>) -> T) -> T {
    let (scope, drawn, secret) = (scope(), EventId::new("drawn").expect("an id"), "s".repeat(64));
    ask(&Received {
        method: "POST",
        path: PATH,
        headers,
        body,
        scope: &scope,
        now: noon(),
        secret: &secret,
        fallback_id: &drawn,
    })
}

fn read(headers: &[(String, String)], body: &str) -> Result<Event, ReadErrors> {
    with(headers, body, |received| contentful().read(received))
}

#[test]
fn a_real_call_becomes_an_event_with_all_that_it_tells() {
    let event = read(&call("ContentManagement.Entry.publish"), BODY).expect("an event");
    let head = &event.head;
    assert_eq!(head.id.as_str(), format!("cf-{KEY}"));
    assert_eq!((head.topic().as_str(), &head.scope), ("Entry.publish", &scope()));
    assert_eq!(head.occurred_at.to_string(), "2026-06-22T18:42:22.587Z");
    assert_eq!(head.accepted_at, noon());
    let resource = &head.resource;
    assert_eq!((resource.id.as_str(), resource.version), ("5KsD", Some(75)));
    assert_eq!(resource.content_type.as_deref(), Some("blogPost"));
    assert_eq!((resource.title.as_deref(), resource.slug.as_deref()), (Some("Hallo"), Some("hello")));
    assert_eq!((resource.state.as_deref(), resource.locale.as_deref()), (Some("published"), None));
    assert_eq!(head.actor, Some(Actor { id: "u1".into(), kind: Some("User".into()) }));
    let cause = head.cause.as_ref().expect("a cause");
    assert_eq!((cause.kind.as_str(), cause.id.as_deref()), ("release", Some("rel1")));
    assert_eq!(head.branch, None);
    assert_eq!(event.content.data.as_str(), BODY);
    let source = event.content.source.expect("kept");
    assert_eq!((source.dialect.as_str(), source.body.as_str()), ("contentful", BODY));
    let names: Vec<_> = source.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "x-contentful-topic",
            "x-contentful-event-datetime",
            "x-contentful-crn",
            "x-contentful-release-id",
            "x-contentful-release-version",
            "content-type"
        ]
    );
}

#[test]
fn a_tombstone_is_read_too_and_another_environment_is_a_branch() {
    let mut given = call("ContentManagement.Entry.unpublish");
    given.retain(|(name, _)| name != "x-contentful-event-datetime");
    let head = read(&given, TOMBSTONE).expect("an event").head;
    assert_eq!(head.topic(), "Entry.unpublish");
    assert_eq!(head.occurred_at.to_string(), "2026-06-23T00:00:00.500Z");
    assert_eq!(head.actor, Some(Actor { id: "app".into(), kind: Some("AppDefinition".into()) }));
    assert_eq!((head.resource.version, head.resource.state.as_deref()), (None, Some("draft")));
    assert_eq!(head.branch.as_deref(), Some("staging"));
    assert_eq!(head.scope, scope(), "the address decides");
}

#[test]
fn contentfuls_own_retry_is_no_second_event_with_a_key_and_without() {
    let id = |headers: &[(String, String)], body: &str| read(headers, body).expect("an event").head.id;
    let topic = "ContentManagement.Entry.save";
    let mut again = call(topic);
    again.iter_mut().filter(|(name, _)| name.ends_with("attempt")).for_each(|(_, value)| *value = "3".into());
    assert_eq!(id(&call(topic), BODY), id(&again, BODY));
    let keyless = |topic: &str| {
        let mut given = call(topic);
        given.retain(|(name, _)| name != "x-contentful-idempotency-key");
        given
    };
    assert_eq!(id(&keyless(topic), BODY), id(&keyless(topic), BODY));
    assert_ne!(id(&keyless(topic), BODY), id(&keyless("ContentManagement.Entry.publish"), BODY));
    assert_ne!(id(&keyless(topic), BODY), id(&keyless(topic), &BODY.replace("5KsD", "other")));
    let mut odd = call(topic);
    odd.iter_mut().filter(|(name, _)| name.ends_with("key")).for_each(|(_, value)| *value = "../x".into());
    assert_eq!(id(&odd, BODY), id(&keyless(topic), BODY), "what is no key counts as none");
}

#[test]
fn the_state_is_what_was_done_or_what_sys_says() {
    let state = |topic: &str, sys: &str| {
        let body = format!(r#"{{"sys":{{"id":"1"{sys}}}}}"#);
        let given = headers(&[("x-contentful-topic", &format!("ContentManagement.{topic}"))]);
        read(&given, &body).expect("an event").head.resource.state
    };
    for (topic, sys, expected) in [
        ("Entry.publish", "", Some("published")),
        ("Asset.delete", "", Some("deleted")),
        ("Entry.archive", "", Some("archived")),
        ("ContentType.unpublish", "", Some("draft")),
        ("Entry.save", r#","version":3"#, Some("draft")),
        ("Entry.save", r#","version":4,"publishedVersion":3"#, Some("published")),
        ("Entry.auto_save", r#","version":5,"publishedVersion":3"#, Some("changed")),
        ("Entry.save", r#","version":5,"archivedVersion":4"#, Some("archived")),
        ("Task.save", "", None),
    ] {
        assert_eq!(state(topic, sys).as_deref(), expected, "{topic} {sys}");
    }
}

#[test]
fn types_and_actions_that_do_not_exist_yet_are_taken() {
    let topic = |topic: &str| {
        read(&headers(&[("x-contentful-topic", topic)]), r#"{"sys":{"id":"1"}}"#)
            .expect("an event")
            .head
            .topic()
    };
    assert_eq!(topic("ContentManagement.Hologram.levitate"), "Hologram.levitate");
    assert_eq!(topic("ContentManagement.Task.Create"), "Task.create");
}

#[test]
fn what_contentful_does_not_send_is_refused_naming_what_was_expected() {
    let paths = |headers: &[(String, String)], body: &str| -> Vec<String> {
        read(headers, body).expect_err("faults").into_iter().map(|fault| fault.path).collect()
    };
    let comet = r#"{"event":"content.published","occurred_at":"2025-05-03T12:00:00Z","data":{"type":"posts","id":"7"}}"#;
    assert_eq!(paths(&[], comet), ["X-Contentful-Topic", "/sys"]);
    let topic = |given: &str| headers(&[("x-contentful-topic", given)]);
    assert_eq!(paths(&topic("Entry.publish"), BODY), ["X-Contentful-Topic"]);
    assert_eq!(paths(&topic("ContentManagement.Entry"), "[1]"), ["X-Contentful-Topic", ""]);
    let good = topic("ContentManagement.Entry.save");
    assert_eq!(paths(&good, r#"{"sys":{}}"#), ["/sys/id"]);
    assert_eq!(paths(&good, r#"{"sys":{"id":7}}"#), ["/sys/id"]);
    assert_eq!(paths(&good, "{"), [""]);
    let fault = &read(&[], comet).expect_err("faults")[0];
    assert!(fault.to_string().contains("Contentful's own webhook"), "{fault}");
}

#[test]
fn it_proves_itself_by_the_signature_of_the_whole_request() {
    assert_eq!(contentful().proof(), Some(Proof::Signature { header: "X-Contentful-Signature" }));
    let unsigned = call("ContentManagement.Entry.publish");
    let request = Request { method: "POST", path: PATH, headers: &unsigned[1..], body: BODY.as_bytes() };
    let mut signed = unsigned.clone();
    let signature = sign(&"s".repeat(64), &request, noon());
    signed.extend(signature.map(|(name, value)| (name.to_ascii_lowercase(), value)));
    let genuine = |headers: &[(String, String)], body: &str| {
        with(headers, body, |received| contentful().is_genuine(received))
    };
    assert!(genuine(&signed, BODY));
    assert!(!genuine(&signed, TOMBSTONE));
    assert!(!genuine(&unsigned, BODY));
    let elsewhere = with(&signed, BODY, |received| {
        contentful()
            .is_genuine(&Received { path: "/spaces/blog/environments/staging/sources/cf", ..*received })
    });
    assert!(!elsewhere, "a call to one address does not count at another");
}

/// Sent on as Contentful would send it: everything but what is stamped per send is as it came.
fn assert_through(given: &[(String, String)], text: &str) {
    let event = read(given, text).expect("an event");
    let rendered = write(&event, &webhook("contentful"), &secrets(&["s"])).expect("a request");
    assert_eq!(body(&rendered), text);
    for (name, value) in
        given.iter().filter(|(name, _)| KEPT.iter().any(|kept| kept.eq_ignore_ascii_case(name)))
    {
        assert_eq!(header(&rendered, name), Some(value.as_str()), "{name}");
    }
    for (name, _) in &rendered.headers {
        let known =
            STAMPED.iter().chain(&KEPT).chain(&["Accept"]).any(|known| known.eq_ignore_ascii_case(name));
        assert!(known, "{name} is neither kept nor stamped");
    }
    let key = header(&rendered, "X-Contentful-Idempotency-Key").expect("a key");
    assert_ne!(key, KEY, "it is this webhook's own");
}

#[test]
fn what_comes_in_from_contentful_leaves_as_it_came_but_for_what_is_stamped() {
    assert_through(&call("ContentManagement.Entry.publish"), BODY);
    assert_through(&call("ContentManagement.Entry.unpublish"), TOMBSTONE);
    assert_through(&call("ContentManagement.Task.Create"), "{ \"sys\" : {\"id\":\"1\", \"n\":1.0e5} }");
}

#[test]
fn a_filter_on_who_made_it_looks_into_what_contentful_sent() {
    let head =
        |topic: &str, body: &str| read(&call(&format!("ContentManagement.{topic}")), body).expect("an event");
    let event = head("Entry.publish", BODY);
    let verdict = |id: &str, negated: bool, event: &Event| {
        let mut webhook = webhook("contentful");
        let pattern = TopicPattern::parse("*.*").expect("a topic");
        webhook.wants.topics = vec![Topic { given: "*.*".into(), pattern }];
        let (path, condition) = (FilterPath::CreatedBy, Condition::Equals(id.into()));
        webhook.wants.filters = vec![Filter { path, condition, negated }];
        let verdict = decide_all_but_content(&webhook, Some(contentful()), &event.head);
        assert!(verdict.matched && needs_content(&webhook));
        judge_changes(verdict, &webhook, &event.head, &Changed::new(&event.content))
    };
    assert!(verdict("u0", false, &event).matched);
    assert!(!verdict("u0", true, &event).matched);
    assert!(verdict("u1", true, &event).matched);
    let no = verdict("u1", false, &event);
    assert_eq!((no.rule, no.detail.as_str()), (Rule::Filter, "filters[0] on sys.createdBy.sys.id is false"));
    let gone = head("Entry.unpublish", TOMBSTONE);
    assert!(!verdict("u0", false, &gone).matched && !verdict("u0", true, &gone).matched, "absent is false");
}

#[test]
fn another_dialect_says_what_came_in_from_contentful_too() {
    let event = read(&call("ContentManagement.Entry.publish"), BODY).expect("an event");
    let rendered = write(&event, &webhook("cometcms"), &secrets(&["s"])).expect("a request");
    assert!(body(&rendered).contains(r#""data":{"type":"blogPost","id":"5KsD","slug":"hello"}"#));
}

proptest! {
    #[test]
    fn what_we_write_reads_back_to_the_same_event(event in events()) {
        if contentful().expressible(&event.head).is_err() {
            return Ok(());
        }
        let rendered = write(&event, &webhook("contentful"), &secrets(&["s"])).expect("a request");
        let given: Vec<_> = rendered.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
        let again = read(&given, body(&rendered)).expect("an event");
        prop_assert_eq!(&again.head.resource.id, &event.head.resource.id);
        prop_assert_eq!(&again.head.event_type, &event.head.event_type);
        prop_assert_eq!(again.head.occurred_at, event.head.occurred_at);
        let once_more = write(&again, &webhook("contentful"), &secrets(&["s"])).expect("a request");
        prop_assert_eq!(body(&once_more), body(&rendered));
        assert_through(&given_with_another_key(&given), body(&rendered));
    }

    #[test]
    fn nothing_makes_the_reader_panic(body in any::<String>(), topic in any::<String>(), key in any::<String>()) {
        let given = headers(&[("x-contentful-topic", &topic), ("x-contentful-idempotency-key", &key)]);
        let _ = read(&given, &body);
        let _ = read(&headers(&[("x-contentful-topic", "ContentManagement.Entry.save")]), &body);
        let _ = read(&given, &format!(r#"{{"sys":{body}}}"#));
    }
}

fn given_with_another_key(given: &[(String, String)]) -> Vec<(String, String)> {
    let mut given = given.to_vec();
    given
        .iter_mut()
        .filter(|(name, _)| name == "x-contentful-idempotency-key")
        .for_each(|(_, key)| *key = KEY.into());
    given
}

#[test]
fn an_event_of_ours_is_not_taken_for_one_of_contentful() {
    let rendered = write(&published(), &webhook("contentful"), &secrets(&[])).expect("a request");
    assert!(body(&rendered).starts_with(r#"{"metadata":"#));
}
