//! Whatever is written reads back, and whatever is read, nothing panics.

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
use postrider_domain::gathering::{Coalesced, CoalescedEvent};
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
use postrider_wire::Wire;
use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use uuid::Uuid;

// The strategies are boxed where they are large: unboxed, their values overflow a test's stack.

fn text() -> BoxedStrategy<String> {
    prop_oneof!["[a-z]{0,8}", any::<String>()].boxed()
}

fn at() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_unix_ms)
}

/// One JSON value as a text, with white space inside and numbers that no machine type holds.
fn json() -> BoxedStrategy<Json> {
    let leaf = prop_oneof![
        select(vec!["null", "true", "0", "-0.0", "1e400", "123456789012345678901234567890", "[]", "{ }"])
            .prop_map(str::to_owned),
        text().prop_map(|text| serde_json::to_string(&text).expect("a string")),
    ];
    let nested = leaf.prop_recursive(3, 16, 4, |inner| {
        let field = (select(vec!["\"a\":", "\"a\" :\n", "\"\\u00e4\": "]), inner.clone());
        prop_oneof![
            vec(inner, 1..4).prop_map(|items| format!("[{}]", items.join(" ,\t"))),
            vec(field.prop_map(|(name, value)| format!("{name}{value}")), 1..4)
                .prop_map(|fields| format!("{{\r\n{} }}", fields.join(","))),
        ]
    });
    nested.prop_map(Json::from_checked).boxed()
}

fn webhook_id() -> impl Strategy<Value = WebhookId> {
    "[A-Za-z0-9._-]{1,64}".prop_map(|id| WebhookId::new(&id).expect("id"))
}

fn event_id() -> impl Strategy<Value = EventId> {
    "[A-Za-z0-9._:-]{1,128}".prop_map(|id| EventId::new(&id).expect("id"))
}

fn space_id() -> impl Strategy<Value = SpaceId> {
    "[A-Za-z0-9_-]{1,64}".prop_map(|id| SpaceId::new(&id).expect("id"))
}

fn event_type() -> impl Strategy<Value = EventType> {
    "[A-Za-z0-9_-]{1,48}".prop_map(|text| EventType::new(&text).expect("type"))
}

fn action_text() -> impl Strategy<Value = String> {
    "[A-Za-z0-9_-]{1,20}(\\.[A-Za-z0-9_-]{1,20}){0,2}"
}

prop_compose! {
    fn resource()(
        (id, content_type, slug, locale) in (text(), of(text()), of(text()), of(text())),
        (version, title, state, url) in (of(any::<i64>()), of(text()), of(text()), of(text())),
    ) -> Resource {
        Resource { id, content_type, slug, locale, version, title, state, url }
    }
}

prop_compose! {
    fn head()(
        (id, space, environment) in (event_id(), space_id(), "[a-z0-9_-]{1,64}"),
        (event_type, action, occurred_at, accepted_at) in (event_type(), action_text(), at(), at()),
        resource in resource().boxed(),
        actor in of((text(), of(text())).prop_map(|(id, kind)| Actor { id, kind })),
        workflow in of((of(text()), of(text())).prop_map(|(from, to)| Workflow { from, to })),
        branch in of(text()),
        cause in of((text(), of(text()), of(text())).prop_map(|(kind, id, title)| Cause { kind, id, title })),
    ) -> EventHead {
        EventHead {
            id,
            scope: Scope { space, environment: EnvironmentId::new(&environment).expect("id") },
            event_type,
            action: Action::new(&action).expect("action"),
            occurred_at, accepted_at, resource, actor, workflow, branch, cause,
        }
    }
}

prop_compose! {
    fn source()(
        dialect in text(),
        headers in headers(),
        (before, body, after) in (select(vec!["", "\n", " \t"]), json(), select(vec!["", "\r\n"])),
    ) -> Source {
        Source { dialect, headers, body: Json::from_checked(format!("{before}{}{after}", body.as_str())) }
    }
}

prop_compose! {
    fn content()(data in json(), previous in of(json()), related in of(json()), source in of(source().boxed()))
        -> Content {
        Content { data, previous, related, source }
    }
}

fn carried() -> impl Strategy<Value = Carried> {
    let inline = content().boxed().prop_map(|content| Carriage::Inline(Arc::new(content)));
    let stored = (any::<i32>(), any::<[u8; 32]>(), any::<u32>())
        .prop_map(|(day, sha256, length)| Carriage::Stored(BodyRef { day: Day(day), sha256, length }));
    (head().boxed(), prop_oneof![inline, stored])
        .prop_map(|(head, content)| Carried { head: Arc::new(head), content })
}

prop_compose! {
    fn window()(key in text(), ends_at in at(), version in of(any::<i64>()), occurred_at in at(), event in event_id())
        -> Window {
        Window { key, ends_at, rank: Rank { version, occurred_at, event } }
    }
}

fn deliver() -> impl Strategy<Value = DeliverMessage> {
    let events = vec(head().prop_map(|head| CoalescedEvent::of(&head)), 0..3);
    let coalesced = (any::<u64>(), events).prop_map(|(count, events)| Arc::new(Coalesced { count, events }));
    let target = (webhook_id(), any::<u32>(), any::<u32>(), of(window()), of(coalesced)).prop_map(
        |(webhook, generation, attempt, window, coalesced)| Target {
            webhook,
            generation,
            attempt,
            window,
            coalesced,
        },
    );
    (carried().boxed(), select(Lane::ALL.to_vec()), vec(target, 0..4))
        .prop_map(|(event, lane, targets)| DeliverMessage { event, lane, targets })
}

prop_compose! {
    fn decision()(
        webhook in webhook_id(),
        (matched, rule, detail) in (any::<bool>(), select(Rule::ALL.to_vec()), text()),
        due_at in of(at()),
    ) -> Decision {
        Decision { webhook, verdict: Verdict { matched, rule, detail }, due_at }
    }
}

fn headers() -> impl Strategy<Value = Vec<(String, String)>> {
    vec((text(), text()), 0..3)
}

fn body() -> impl Strategy<Value = Bytes> {
    prop_oneof![vec(any::<u8>(), 0..40).prop_map(Bytes::from), text().prop_map(Bytes::from)]
}

fn micros() -> impl Strategy<Value = Duration> {
    any::<u64>().prop_map(Duration::from_micros)
}

fn millis() -> impl Strategy<Value = Duration> {
    any::<u64>().prop_map(Duration::from_millis)
}

fn state() -> impl Strategy<Value = DeliveryState> {
    select(DeliveryState::ALL.to_vec())
}

fn delivery() -> impl Strategy<Value = DeliveryRef> {
    (head().boxed(), webhook_id(), any::<u32>()).prop_map(|(event, webhook, generation)| DeliveryRef {
        event: Arc::new(event),
        webhook,
        generation,
    })
}

fn response() -> impl Strategy<Value = RecordedResponse> {
    (any::<u16>(), headers(), body(), any::<bool>())
        .prop_map(|(status, headers, body, truncated)| RecordedResponse { status, headers, body, truncated })
}

prop_compose! {
    fn call()(
        (id, delivery, attempt, started_at) in (any::<u128>(), delivery().boxed(), any::<u32>(), at()),
        (resolve, connect, first_byte, total) in (of(micros()), of(micros()), of(micros()), micros()),
        (method, url, headers, body, timeout) in (text(), text(), headers(), body(), millis()),
        response in of(response().boxed()),
        failure in of((select(FailureKind::ALL.to_vec()), text())
            .prop_map(|(kind, message)| Failure { kind, message })),
        (state, next_at, webhook_version) in (state(), of(at()), any::<u64>()),
    ) -> CallRecord {
        CallRecord {
            id: CallId(Uuid::from_u128(id)),
            timings: Timings { resolve, connect, first_byte, total },
            request: RecordedRequest { method, url, headers, body, timeout },
            delivery, attempt, started_at, response, failure, state, next_at, webhook_version,
        }
    }
}

fn record() -> impl Strategy<Value = Record> {
    let matched = (carried().boxed(), vec(decision(), 0..3), any::<u32>(), 0_u32..3, at()).prop_map(
        |(event, decisions, unlisted, part, at)| {
            Record::Matched(MatchRecord { event, decisions, unlisted, part, at })
        },
    );
    let by = of(any::<u128>().prop_map(|id| DeliveryId(Uuid::from_u128(id))));
    let settled = (delivery().boxed(), state(), any::<u32>(), text(), by, at()).prop_map(
        |(delivery, state, attempt, reason, by, at)| {
            Record::Settled(SettledRecord { delivery, state, attempt, reason, by, at })
        },
    );
    prop_oneof![
        matched.boxed(),
        call().boxed().prop_map(|call| Record::Call(Box::new(call))),
        settled.boxed()
    ]
}

fn limits() -> impl Strategy<Value = Limits> {
    (vec(text(), 0..3), vec(text(), 0..3))
        .prop_map(|(content_types, entities)| Limits { content_types, entities })
}

fn trigger() -> impl Strategy<Value = Trigger> {
    let pattern =
        prop_oneof![Just("*".to_owned()), action_text(), "[a-z]{1,8}".prop_map(|stem| format!("{stem}.*")),];
    let pattern = pattern.prop_map(|text| ActionPattern::parse(&text).expect("pattern"));
    let in_words = (of(text()), vec(text(), 0..3))
        .prop_map(|(event_type, actions)| Written::InWords { event_type, actions });
    let written = prop_oneof![Just(Written::Plainly), in_words, Just(Written::Continued)];
    (of(event_type()), vec(pattern, 0..3), limits(), written)
        .prop_map(|(event_type, actions, limits, written)| Trigger { event_type, actions, limits, written })
}

fn filter() -> impl Strategy<Value = Filter> {
    let condition = prop_oneof![
        text().prop_map(Condition::Equals),
        vec(text(), 0..3).prop_map(Condition::In),
        "[a-z]{0,4}(\\.\\*)?".prop_map(|pattern| Condition::matches(&pattern).expect("regex")),
    ];
    (select(FilterPath::ALL.to_vec()), condition, any::<bool>())
        .prop_map(|(path, condition, negated)| Filter { path, condition, negated })
}

prop_compose! {
    fn wants()(
        topics in vec((text(), select(vec!["*.*", "Entry.publish", "Asset.*", "*.publish.*"])), 0..3),
        triggers in vec(trigger(), 0..3),
        limits in limits(),
        filters in vec(filter(), 0..3),
        (changed_fields, states) in (vec(text(), 0..3), vec(text(), 0..3)),
    ) -> Wants {
        let topic = |(given, means): (String, &str)| {
            Topic { given, pattern: TopicPattern::parse(means).expect("topic") }
        };
        Wants { topics: topics.into_iter().map(topic).collect(), triggers, limits, filters, changed_fields, states }
    }
}

/// Decimals as people write them. Their binary form survives the text; 17 digits might be off by the last bit.
fn decimal() -> impl Strategy<Value = f64> {
    (0..100_000_u32).prop_map(|thousandths| f64::from(thousandths) / 1000.0)
}

fn retry() -> impl Strategy<Value = RetryPolicy> {
    let exponential = (millis(), decimal(), millis(), any::<u32>(), decimal()).prop_map(
        |(initial, factor, max_delay, max_attempts, jitter)| Schedule::Exponential {
            initial,
            factor,
            max_delay,
            max_attempts,
            jitter,
        },
    );
    let explicit =
        (vec(millis(), 0..4), decimal()).prop_map(|(delays, jitter)| Schedule::Explicit { delays, jitter });
    let on = (vec(any::<u16>(), 0..3), any::<bool>(), any::<bool>())
        .prop_map(|(statuses, any_failure, transport)| RetryOn { statuses, any_failure, transport });
    (prop_oneof![exponential, explicit], on).prop_map(|(schedule, on)| RetryPolicy { schedule, on })
}

fn sealed() -> impl Strategy<Value = Sealed> {
    text().prop_map(Sealed::new)
}

fn render() -> impl Strategy<Value = Render> {
    let json = select(vec!["null", r#"{"b":1.0,"a":"{ /payload }"}"#, "1e400"]).prop_map(Json::from_checked);
    let transformation =
        (of(text()), of(any::<bool>()), of(json)).prop_map(|(content_type, include_content_length, body)| {
            Render::Transformation(Transformation { content_type, include_content_length, body })
        });
    let mustache = (of(text()), of(select(Escape::ALL.to_vec())))
        .prop_map(|(body, escape)| Render::Mustache(MustacheTemplate { body, escape }));
    prop_oneof![Just(Render::Dialect), transformation, mustache]
}

fn target() -> impl Strategy<Value = HttpTarget> {
    let value = prop_oneof![
        text().prop_map(HeaderValue::Plain),
        text().prop_map(HeaderValue::Open),
        sealed().prop_map(HeaderValue::Secret)
    ];
    let header = (text(), value).prop_map(|(name, value)| CustomHeader { name, value });
    let auth = (text(), sealed()).prop_map(|(username, password)| BasicAuth { username, password });
    (text(), select(Method::ALL.to_vec()), vec(header, 0..3), of(auth), render()).prop_map(
        |(url, method, headers, basic_auth, render)| HttpTarget { url, method, headers, basic_auth, render },
    )
}

fn status() -> impl Strategy<Value = Status> {
    let by = select(vec![DisabledBy::User, DisabledBy::Gone, DisabledBy::Failing]);
    let disabled = (at(), by, text()).prop_map(|(at, by, reason)| Disabled { at, by, reason });
    prop_oneof![Just(Status::Active), disabled.prop_map(Status::Disabled)]
}

fn coalesce() -> impl Strategy<Value = CoalesceSetting> {
    let all = (millis(), select(vec![CoalesceKey::Webhook, CoalesceKey::Resource]))
        .prop_map(|(window, key)| CoalesceSetting::All(CoalesceRule { window, key }));
    prop_oneof![Just(CoalesceSetting::AutoSaveOnly), Just(CoalesceSetting::Off), all]
}

fn action() -> impl Strategy<Value = WebhookAction> {
    let template = of((of(text()), of(select(Escape::ALL.to_vec())))
        .prop_map(|(body, escape)| MustacheTemplate { body, escape }));
    prop_oneof![
        target().prop_map(WebhookAction::Http),
        (text(), of(text()), template).prop_map(|(connection, channel, template)| {
            WebhookAction::Slack(SlackTarget { connection, channel, template })
        }),
    ]
}

prop_compose! {
    fn webhook()(
        (id, space, name, status) in (webhook_id(), space_id(), text(), status()),
        (wants, action, dialect) in (wants().boxed(), action().boxed(), text()),
        options in btree_map(text(), text(), 0..3),
        signing in vec((sealed(), at(), of(at())).prop_map(|(secret, created_at, expires_at)| {
            SigningSecret { secret, created_at, expires_at }
        }), 0..3),
        (retry, timeout, coalesce) in (of(retry().boxed()), of(millis()), coalesce()),
        rate_limit in of((any::<u32>(), millis()).prop_map(|(calls, per)| RateLimit { calls, per })),
        version in any::<u64>(),
        (created_at, created_by, updated_at, updated_by) in (at(), text(), at(), text()),
    ) -> Webhook {
        Webhook {
            action,
            audit: Audit { created_at, created_by, updated_at, updated_by },
            id, space, name, status, wants, dialect, options, signing, retry, timeout, coalesce, rate_limit, version,
        }
    }
}

prop_compose! {
    fn slack()(
        (id, name, created_by) in (text(), text(), text()),
        created_at in at(),
        access in prop_oneof![
            (sealed(), text()).prop_map(|(token, team)| SlackAccess::Bot { token, team }),
            sealed().prop_map(|url| SlackAccess::Incoming { url }),
        ],
    ) -> SlackConnection {
        SlackConnection { id, name, access, created_at, created_by }
    }
}

prop_compose! {
    fn settings()(
        (version, max_retries) in (any::<u64>(), of(any::<u32>())),
        signing in of((sealed(), text(), at(), text()).prop_map(|(secret, last_four, created_at, created_by)| {
            SpaceSigning { secret, last_four, created_at, created_by }
        })),
        rsa in of((sealed(), text(), at()).prop_map(|(secret, public_pem, created_at)| {
            SpaceKey { secret, public_pem, created_at }
        })),
        (api_key, site_id, project) in (of(text()), of(text()), of(text())),
        slack in vec(slack(), 0..3),
    ) -> SpaceSettings {
        let constants = SpaceConstants { api_key, site_id, project };
        SpaceSettings { version, signing, rsa, max_retries, constants, slack }
    }
}

fn reads_back<T: Wire + PartialEq + Debug>(value: &T) {
    assert_eq!(&T::decode(&value.encode()).expect("what was written can be read"), value);
}

fn read_everything(bytes: &[u8]) -> usize {
    [
        EventMessage::decode(bytes).is_ok(),
        DeliverMessage::decode(bytes).is_ok(),
        RecordsMessage::decode(bytes).is_ok(),
        Webhook::decode(bytes).is_ok(),
        SpaceSettings::decode(bytes).is_ok(),
        Content::decode(bytes).is_ok(),
        EventHead::decode(bytes).is_ok(),
        CoalescedEvent::decode(bytes).is_ok(),
        Vec::<Decision>::decode(bytes).is_ok(),
        CallRecord::decode(bytes).is_ok(),
    ]
    .into_iter()
    .filter(|read| *read)
    .count()
}

proptest! {
    #[test]
    fn messages_read_back(event in carried().boxed(), deliver in deliver().boxed(), records in vec(record().boxed(), 0..3)) {
        reads_back(&EventMessage { event });
        reads_back(&deliver);
        reads_back(&RecordsMessage { records });
    }

    #[test]
    fn what_is_kept_reads_back(
        webhook in webhook().boxed(), settings in settings().boxed(), content in content().boxed(), head in head().boxed(),
        decisions in vec(decision(), 0..3), call in call().boxed(),
    ) {
        reads_back(&webhook);
        reads_back(&settings);
        reads_back(&content);
        reads_back(&CoalescedEvent::of(&head));
        reads_back(&head);
        reads_back(&decisions);
        reads_back(&call);
    }

    #[test]
    fn arbitrary_bytes_are_refused_without_a_panic(bytes in vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(read_everything(&bytes), 0);
    }

    #[test]
    fn a_damaged_message_never_panics(deliver in deliver().boxed(), cut in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = deliver.encode();
        let place = cut.index(bytes.len());
        prop_assert_eq!(read_everything(&bytes[..place]), 0, "a part of a message is none");
        bytes[place] = byte;
        read_everything(&bytes);
    }
}
