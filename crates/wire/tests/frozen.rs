//! The bytes of every version, frozen. They lie in queues, caches and databases of the installations out there: a
//! snapshot that has to change is a new version, and the old one stays and still decodes.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use postrider_domain::call::{CallRecord, Failure, RecordedRequest, RecordedResponse, Timings};
use postrider_domain::coalesce::{CoalesceKey, CoalesceRule, CoalesceSetting, Rank, Window};
use postrider_domain::delivery::{DeliveryId, DeliveryRef, DeliveryState};
use postrider_domain::event::{
    Actor, BodyRef, Carriage, Carried, Cause, Content, EventHead, Resource, Source, Workflow,
};
use postrider_domain::filter::{Condition, Filter, FilterPath};
use postrider_domain::id::{CallId, EnvironmentId, EventId, Scope, SpaceId, WebhookId};
use postrider_domain::json::Json;
use postrider_domain::matching::{Rule, Verdict};
use postrider_domain::message::{DeliverMessage, EventMessage, Lane, RecordsMessage, Target};
use postrider_domain::outcome::FailureKind;
use postrider_domain::record::{Decision, MatchRecord, Record, SettledRecord};
use postrider_domain::retry::{RetryOn, RetryPolicy, Schedule};
use postrider_domain::secret::Sealed;
use postrider_domain::space::{
    SlackAccess, SlackConnection, SpaceConstants, SpaceKey, SpaceSettings, SpaceSigning,
};
use postrider_domain::timestamp::{Day, Timestamp};
use postrider_domain::topic::{Action, ActionPattern, EventType, TopicPattern};
use postrider_domain::trigger::{Limits, Trigger, Written};
use postrider_domain::webhook::{
    Audit, BasicAuth, CustomHeader, Disabled, DisabledBy, Escape, HeaderValue, HttpTarget, Method,
    MustacheTemplate, RateLimit, Render, SigningSecret, SlackTarget, Status, Topic, Transformation, Wants,
    Webhook, WebhookAction,
};
use postrider_wire::{DecodeError, EMITTED, Wire};

/// Asserts both directions: what is written now is the frozen text, and the frozen text is read as the value.
fn assert_frozen<T: Wire + PartialEq + Debug>(value: &T, frozen: &str) {
    let frozen = frozen.trim_end();
    assert!(frozen.starts_with(&format!("{{\"v\":{EMITTED},")), "what is emitted has a snapshot: {frozen}");
    assert_eq!(String::from_utf8(value.encode()).expect("JSON is UTF-8"), frozen);
    assert_eq!(&T::decode(frozen.as_bytes()).expect("a frozen form still decodes"), value);
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_unix_ms(1_767_268_800_000 + ms)
}

fn full_head() -> EventHead {
    EventHead {
        resource: Resource {
            id: "5KsD".into(),
            content_type: Some("blogPost".into()),
            slug: Some("hello".into()),
            locale: Some("en-US".into()),
            version: Some(5),
            title: Some("Hello \"you\"".into()),
            state: Some("published".into()),
            url: Some("https://cms.example/5KsD".into()),
        },
        actor: Some(Actor { id: "u1".into(), kind: Some("User".into()) }),
        workflow: Some(Workflow { from: Some("draft".into()), to: Some("review".into()) }),
        branch: Some("main".into()),
        cause: Some(Cause { kind: "release".into(), id: Some("r1".into()), title: Some("Release01".into()) }),
        ..small_head()
    }
}

fn small_head() -> EventHead {
    EventHead {
        id: EventId::new("e-1").expect("id"),
        scope: Scope { space: SpaceId::new("blog").expect("space"), environment: EnvironmentId::master() },
        event_type: EventType::new("Entry").expect("type"),
        action: Action::new("publish.success").expect("action"),
        occurred_at: at(0),
        accepted_at: at(7),
        resource: Resource { id: "5KsD".into(), ..Resource::default() },
        actor: None,
        workflow: None,
        branch: None,
        cause: None,
    }
}

fn full_content() -> Content {
    Content {
        data: Json::from_checked(r#"{ "b":1.0, "a" : "\u00e4", "b":2 }"#),
        previous: Some(Json::from_checked("null")),
        related: Some(Json::from_checked("[ 1e400 ]")),
        source: Some(Source {
            dialect: "cometcms".into(),
            headers: vec![("x-signature".into(), "abc".into())],
            body: Json::from_checked(r#"{"event":  "content.published"}"#),
        }),
    }
}

fn inline() -> Carried {
    Carried { head: Arc::new(full_head()), content: Carriage::Inline(Arc::new(full_content())) }
}

fn stored() -> Carried {
    let body = BodyRef { day: Day(20_454), sha256: [0xAB; 32], length: 40_000 };
    Carried { head: Arc::new(small_head()), content: Carriage::Stored(body) }
}

fn webhook_id(id: &str) -> WebhookId {
    WebhookId::new(id).expect("id")
}

fn delivery() -> DeliveryRef {
    DeliveryRef { event: Arc::new(small_head()), webhook: webhook_id("w1"), generation: 2 }
}

fn decisions() -> Vec<Decision> {
    let decision = |webhook, matched, rule, detail: &str, due_at| Decision {
        webhook: webhook_id(webhook),
        verdict: Verdict { matched, rule, detail: detail.into() },
        due_at,
    };
    vec![
        decision("w1", true, Rule::Topic, "topics[0] Entry.*", Some(at(20_000))),
        decision("w2", false, Rule::NotExpressible, "no such event", None),
    ]
}

fn answered() -> CallRecord {
    CallRecord {
        id: CallId::new(1_767_268_800_123, [7; 10]),
        delivery: delivery(),
        attempt: 3,
        started_at: at(123),
        timings: Timings {
            resolve: Some(Duration::from_micros(1)),
            connect: Some(Duration::from_micros(2)),
            first_byte: Some(Duration::from_micros(3)),
            total: Duration::from_micros(4),
        },
        request: RecordedRequest {
            method: "POST".into(),
            url: "https://receiver.example/hook?key=•••".into(),
            headers: vec![("Content-Type".into(), "application/json".into())],
            body: Bytes::from_static(b"{\"a\":1}"),
            timeout: Duration::from_secs(30),
        },
        response: Some(RecordedResponse {
            status: 503,
            headers: vec![("Retry-After".into(), "7".into())],
            body: Bytes::from_static(&[0xFF, 0x00]),
            truncated: true,
        }),
        failure: None,
        state: DeliveryState::Pending,
        next_at: Some(at(7_123)),
        webhook_version: 9,
    }
}

fn failed() -> CallRecord {
    CallRecord {
        timings: Timings::default(),
        request: RecordedRequest { body: Bytes::new(), ..answered().request },
        response: None,
        failure: Some(Failure { kind: FailureKind::AddressBlocked, message: "10.0.0.1 is private".into() }),
        state: DeliveryState::GivenUp,
        next_at: None,
        ..answered()
    }
}

fn settled() -> SettledRecord {
    SettledRecord {
        delivery: delivery(),
        state: DeliveryState::Superseded,
        attempt: 0,
        reason: "a newer event of its window was sent".into(),
        by: Some(DeliveryId(answered().id.0)),
        at: at(9),
    }
}

fn full_webhook() -> Webhook {
    let sealed = |text: &str| Sealed::new(format!("v1.k1.{text}"));
    Webhook {
        status: Status::Disabled(Disabled { at: at(1), by: DisabledBy::Gone, reason: "410".into() }),
        wants: full_wants(),
        action: WebhookAction::Http(HttpTarget {
            url: "https://receiver.example/hook".into(),
            method: Method::Put,
            headers: vec![
                CustomHeader { name: "X-Plain".into(), value: HeaderValue::Plain("seen".into()) },
                CustomHeader { name: "X-Key".into(), value: HeaderValue::Secret(sealed("aGVhZGVy")) },
            ],
            basic_auth: Some(BasicAuth { username: "bob".into(), password: sealed("cGFzcw") }),
            render: Render::Dialect,
        }),
        signing: vec![
            SigningSecret { secret: sealed("bmV3"), created_at: at(2), expires_at: None },
            SigningSecret { secret: sealed("b2xk"), created_at: at(1), expires_at: Some(at(3)) },
        ],
        retry: Some(RetryPolicy {
            schedule: Schedule::Explicit {
                delays: vec![Duration::from_millis(1_500), Duration::from_secs(30)],
                jitter: 0.0,
            },
            on: RetryOn { statuses: vec![404], any_failure: false, transport: false },
        }),
        timeout: Some(Duration::from_secs(10)),
        coalesce: CoalesceSetting::All(CoalesceRule {
            window: Duration::from_secs(60),
            key: CoalesceKey::Resource,
        }),
        rate_limit: Some(RateLimit { calls: 10, per: Duration::from_secs(1) }),
        ..small_webhook()
    }
}

fn full_wants() -> Wants {
    let topic = |given: &str, means| Topic {
        given: given.into(),
        pattern: TopicPattern::parse(means).expect("topic"),
    };
    let limits = Limits { content_types: vec!["blogPost".into()], entities: vec!["5KsD".into()] };
    let filter = |path, negated, condition| Filter { path, condition, negated };
    let trigger = |event_type: Option<&str>, actions, limits| {
        let event_type = event_type.map(|text| EventType::new(text).expect("type"));
        Trigger { event_type, actions, limits, written: Written::Plainly }
    };
    Wants {
        topics: vec![topic("content.published", "Entry.publish"), topic("*.*", "*.*")],
        triggers: vec![
            trigger(None, vec![], Limits::default()),
            trigger(Some("Asset"), vec![ActionPattern::parse("delete").expect("action")], limits.clone()),
        ],
        limits,
        filters: vec![
            filter(FilterPath::Environment, false, Condition::Equals("master".into())),
            filter(FilterPath::ContentType, true, Condition::In(vec!["a".into(), "b".into()])),
            filter(FilterPath::Id, false, Condition::matches("^5.*$").expect("regex")),
        ],
        changed_fields: vec!["/title".into()],
        states: vec!["published".into()],
    }
}

fn rendered(render: Render) -> Webhook {
    let mut webhook = small_webhook();
    let target = webhook.action.http_mut().expect("it calls a URL");
    target.render = render;
    webhook.options = BTreeMap::from([("payloadApiVersion".into(), "2".into())]);
    webhook
}

fn full_settings() -> SpaceSettings {
    let sealed = |text: &str| Sealed::new(format!("v1.k1.{text}"));
    let slack = |id: &str, access| SlackConnection {
        id: id.into(),
        name: "Editors".into(),
        access,
        created_at: at(2),
        created_by: "t1".into(),
    };
    SpaceSettings {
        version: 3,
        signing: Some(SpaceSigning {
            secret: sealed("c3BhY2U"),
            last_four: "aaaa".into(),
            created_at: at(1),
            created_by: "t1".into(),
        }),
        rsa: None,
        max_retries: Some(7),
        constants: SpaceConstants {
            api_key: Some("blt1".into()),
            site_id: Some("205".into()),
            project: Some("shop".into()),
        },
        slack: vec![
            slack("c1", SlackAccess::Bot { token: sealed("Ym90"), team: "Acme".into() }),
            slack("c2", SlackAccess::Incoming { url: sealed("dXJs") }),
        ],
    }
}

fn small_webhook() -> Webhook {
    Webhook {
        id: webhook_id("w1"),
        space: SpaceId::new("blog").expect("space"),
        name: "Search index".into(),
        status: Status::Active,
        wants: Wants::default(),
        action: WebhookAction::Http(HttpTarget {
            url: "https://receiver.example/hook".into(),
            method: Method::Post,
            headers: vec![],
            basic_auth: None,
            render: Render::Dialect,
        }),
        dialect: "native".into(),
        options: BTreeMap::new(),
        signing: vec![],
        retry: None,
        timeout: None,
        coalesce: CoalesceSetting::AutoSaveOnly,
        rate_limit: None,
        version: 4,
        audit: Audit {
            created_at: at(0),
            created_by: "t1".into(),
            updated_at: at(5),
            updated_by: "t2".into(),
        },
    }
}

#[test]
fn an_event_message_is_written_as_version_1() {
    assert_frozen(&EventMessage { event: inline() }, include_str!("snapshots/event_v1_inline.json"));
    assert_frozen(&EventMessage { event: stored() }, include_str!("snapshots/event_v1_stored.json"));
}

#[test]
fn a_deliver_message_is_written_as_version_1() {
    let window = |version| Window {
        key: "blog/master/w2/Entry/5KsD".into(),
        ends_at: at(20_000),
        rank: Rank { version, occurred_at: at(0), event: EventId::new("e-1").expect("id") },
    };
    let target = |webhook, window| Target {
        webhook: webhook_id(webhook),
        generation: 1,
        attempt: 2,
        window,
        coalesced: None,
    };
    let targets =
        vec![target("w1", None), target("w2", Some(window(Some(5)))), target("w3", Some(window(None)))];
    let message = |lane, event, targets| DeliverMessage { event, lane, targets };
    assert_frozen(&message(Lane::Fresh, inline(), targets), include_str!("snapshots/deliver_v1_inline.json"));
    assert_frozen(&message(Lane::Late, stored(), vec![]), include_str!("snapshots/deliver_v1_stored.json"));
    let bulk = String::from_utf8(message(Lane::Bulk, stored(), vec![]).encode()).expect("UTF-8");
    assert!(bulk.starts_with(r#"{"v":1,"lane":"bulk","#), "{bulk}");
}

#[test]
fn a_records_message_is_written_as_version_1() {
    let matched = MatchRecord { event: inline(), decisions: decisions(), unlisted: 3, part: 0, at: at(8) };
    let records = vec![
        Record::Matched(matched),
        Record::Call(Box::new(answered())),
        Record::Call(Box::new(failed())),
        Record::Settled(settled()),
    ];
    assert_frozen(&RecordsMessage { records }, include_str!("snapshots/records_v1.json"));
    assert_frozen(&RecordsMessage { records: vec![] }, r#"{"v":1,"records":[]}"#);
}

#[test]
fn a_webhook_is_written_as_version_1() {
    assert_frozen(&full_webhook(), include_str!("snapshots/webhook_v1_full.json"));
    assert_frozen(&small_webhook(), include_str!("snapshots/webhook_v1_small.json"));
    let exponential = Webhook {
        retry: Some(RetryPolicy::default()),
        coalesce: CoalesceSetting::All(CoalesceRule {
            window: Duration::from_secs(5),
            key: CoalesceKey::Webhook,
        }),
        ..small_webhook()
    };
    assert_frozen(&exponential, include_str!("snapshots/webhook_v1_exponential.json"));
    let off = Webhook { coalesce: CoalesceSetting::Off, ..small_webhook() };
    assert!(String::from_utf8(off.encode()).expect("UTF-8").contains(r#""coalesce":"off""#));
}

#[test]
fn what_the_log_and_the_body_store_keep_is_written_as_version_1() {
    assert_frozen(&full_content(), include_str!("snapshots/content_v1.json"));
    assert_frozen(&full_head(), include_str!("snapshots/head_v1.json"));
    assert_frozen(&decisions(), include_str!("snapshots/decisions_v1.json"));
    assert_frozen(&answered(), include_str!("snapshots/call_v1_answered.json"));
    assert_frozen(&failed(), include_str!("snapshots/call_v1_failed.json"));
}

#[test]
fn white_space_around_a_source_body_is_kept_because_a_signature_covers_it() {
    let source = Source {
        dialect: "contentful".into(),
        headers: vec![],
        body: Json::from_checked("\n{\"a\": 1}\r\n"),
    };
    let content =
        Content { data: Json::from_checked("0"), previous: None, related: None, source: Some(source) };
    assert_frozen(
        &content,
        r#"{"v":1,"content":{"data":0,"src":{"dialect":"contentful","headers":[],"text":"\n{\"a\": 1}\r\n"}}}"#,
    );
}

#[test]
fn a_newer_version_is_told_apart_from_a_malformed_form() {
    let newer = br#"{"shape":"new","v":2,"events":[{}]}"#;
    let expected = DecodeError::Newer { found: 2, known: 1 };
    assert_eq!(EventMessage::decode(newer), Err(expected.clone()));
    assert_eq!(DeliverMessage::decode(newer), Err(expected.clone()));
    assert_eq!(RecordsMessage::decode(newer), Err(expected.clone()));
    assert_eq!(Webhook::decode(newer), Err(expected.clone()));
    assert_eq!(Content::decode(newer), Err(expected.clone()));
    assert_eq!(EventHead::decode(newer), Err(expected.clone()));
    assert_eq!(Vec::<Decision>::decode(newer), Err(expected.clone()));
    assert_eq!(CallRecord::decode(newer), Err(expected.clone()));
    assert!(expected.to_string().contains("upgrade"), "{expected}");
    for bad in ["", "{}", "[]", "{\"v\":0}", "{\"v\":1}", "{\"v\":\"2\"}", "{\"v\":2", "\u{0}"] {
        let read = RecordsMessage::decode(bad.as_bytes());
        assert!(matches!(read, Err(DecodeError::Malformed(_))), "{bad}: {read:?}");
    }
}

#[test]
fn fields_that_a_later_release_added_are_passed_over() {
    let frozen = include_str!("snapshots/event_v1_stored.json");
    let later = frozen.replacen("{\"id\"", "{\"later\":{\"deep\":[1]},\"id\"", 1).replacen(
        "{\"v\":1,",
        "{\"v\":1,\"new\":null,",
        1,
    );
    assert_ne!(later, frozen);
    assert_eq!(EventMessage::decode(later.as_bytes()), Ok(EventMessage { event: stored() }));
}

#[test]
fn a_broken_rule_of_the_domain_is_named_with_its_place() {
    let spoil = |frozen: &str, good: &str, bad: &str| {
        assert!(frozen.contains(good));
        frozen.replacen(good, bad, 1).into_bytes()
    };
    let records = spoil(include_str!("snapshots/records_v1.json"), "\"wh\":\"w2\"", "\"wh\":\"w 2\"");
    let error = RecordsMessage::decode(&records).expect_err("no webhook id").to_string();
    assert!(error.contains("records[0].match.decisions[1].wh: webhook id \"w 2\""), "{error}");
    let event = spoil(include_str!("snapshots/event_v1_stored.json"), "q6ur", "!6ur");
    let error = EventMessage::decode(&event).expect_err("no base64").to_string();
    assert!(error.contains("event.stored.sha256"), "{error}");
    let webhook = spoil(include_str!("snapshots/webhook_v1_full.json"), "^5.*$", "^5(");
    let error = Webhook::decode(&webhook).expect_err("no regular expression").to_string();
    assert!(error.contains("wants.filters[2].if.matches"), "{error}");
    let call = spoil(include_str!("snapshots/call_v1_failed.json"), "given_up", "paused");
    let error = CallRecord::decode(&call).expect_err("no state").to_string();
    assert!(error.contains("call.state: \"paused\" is not known"), "{error}");
}

#[test]
fn a_sealed_secret_travels_as_it_was_sealed() {
    let written = String::from_utf8(full_webhook().encode()).expect("UTF-8");
    for sealed in ["v1.k1.aGVhZGVy", "v1.k1.cGFzcw", "v1.k1.bmV3", "v1.k1.b2xk"] {
        assert!(written.contains(sealed), "{written}");
    }
}

#[test]
fn how_a_webhook_renders_is_written_as_version_1() {
    let transformation = Render::Transformation(Transformation {
        content_type: Some("application/x-www-form-urlencoded".into()),
        include_content_length: Some(true),
        body: Some(Json::from_checked(r#"{ "id":"{ /payload/sys/id }", "n":1.0 }"#)),
    });
    assert_frozen(&rendered(transformation), include_str!("snapshots/webhook_v1_transformation.json"));
    let template = MustacheTemplate { body: Some("{{entity.id}}".into()), escape: Some(Escape::Html) };
    assert_frozen(&rendered(Render::Mustache(template)), include_str!("snapshots/webhook_v1_mustache.json"));
}

#[test]
fn a_message_to_slack_is_written_as_version_1() {
    let template = MustacheTemplate { body: Some("{{resource.title}}".into()), escape: None };
    let slack = |channel: Option<&str>, template| {
        let mut webhook = small_webhook();
        let channel = channel.map(str::to_owned);
        webhook.action = WebhookAction::Slack(SlackTarget { connection: "c1".into(), channel, template });
        webhook
    };
    assert_frozen(&slack(Some("C0123"), Some(template)), include_str!("snapshots/webhook_v1_slack.json"));
    assert_frozen(&slack(None, None), include_str!("snapshots/webhook_v1_slack_incoming.json"));
}

#[test]
fn what_a_space_has_settled_is_written_as_version_1() {
    assert_frozen(&full_settings(), include_str!("snapshots/space_v1_full.json"));
    assert_frozen(&SpaceSettings::default(), include_str!("snapshots/space_v1_empty.json"));
    let rsa = Some(SpaceKey {
        secret: Sealed::new("v1.k1.cnNh"),
        public_pem: "-----BEGIN RSA PUBLIC KEY-----\n".into(),
        created_at: at(4),
    });
    let with_key = SpaceSettings { version: 1, rsa, ..SpaceSettings::default() };
    assert_frozen(&with_key, include_str!("snapshots/space_v1_key.json"));
}
