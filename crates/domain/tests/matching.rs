//! Which webhook gets which event, and what is said of it.

use std::collections::BTreeMap;

use postrider_domain::event::{Actor, EventHead, Resource, Workflow};
use postrider_domain::filter::{Condition, Filter, FilterPath};
use postrider_domain::id::{EnvironmentId, EventId, Scope, SpaceId, WebhookId};
use postrider_domain::matching::{Rule, Verdict, decide, needs_content};
use postrider_domain::timestamp::Timestamp;
use postrider_domain::topic::{Action, ActionPattern, EventType, TopicPattern};
use postrider_domain::trigger::{Limits, Trigger, Written};
use postrider_domain::webhook::{
    Audit, Disabled, DisabledBy, HttpTarget, Method, Render, Status, Topic, Wants, Webhook, WebhookAction,
};
use proptest::prelude::*;

fn head(topic: &str) -> EventHead {
    let (event_type, action) = topic.split_once('.').expect("a dot");
    let now = Timestamp::from_unix_ms(0);
    EventHead {
        id: EventId::new("e").expect("id"),
        scope: Scope { space: SpaceId::new("s").expect("id"), environment: EnvironmentId::master() },
        event_type: EventType::new(event_type).expect("type"),
        action: Action::new(action).expect("action"),
        occurred_at: now,
        accepted_at: now,
        resource: Resource {
            id: "42".into(),
            content_type: Some("blogPost".into()),
            state: Some("draft".into()),
            ..Resource::default()
        },
        actor: Some(Actor { id: "u1".into(), kind: None }),
        workflow: None,
        branch: None,
        cause: None,
    }
}

fn webhook(wants: Wants) -> Webhook {
    let now = Timestamp::from_unix_ms(0);
    Webhook {
        id: WebhookId::new("w").expect("id"),
        space: SpaceId::new("s").expect("id"),
        name: "w".into(),
        status: Status::Active,
        wants,
        action: WebhookAction::Http(HttpTarget {
            url: "https://example.com/".into(),
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
        coalesce: postrider_domain::coalesce::CoalesceSetting::default(),
        rate_limit: None,
        version: 0,
        audit: Audit { created_at: now, created_by: "t".into(), updated_at: now, updated_by: "t".into() },
    }
}

fn topics(given: &[&str]) -> Vec<Topic> {
    let topic =
        |text: &&str| Topic { given: (*text).into(), pattern: TopicPattern::parse(text).expect("a topic") };
    given.iter().map(topic).collect()
}

fn trigger(event_type: &str, actions: &[&str], content_types: &[&str], entities: &[&str]) -> Trigger {
    let owned = |list: &[&str]| list.iter().map(|one| (*one).to_owned()).collect();
    Trigger {
        event_type: Some(EventType::new(event_type).expect("type")),
        actions: actions.iter().map(|one| ActionPattern::parse(one).expect("action")).collect(),
        limits: Limits { content_types: owned(content_types), entities: owned(entities) },
        written: Written::Plainly,
    }
}

fn verdict(wants: Wants, topic: &str) -> Verdict {
    decide(&webhook(wants), &head(topic))
}

#[test]
fn the_list_of_the_contentful_document_takes_what_it_says() {
    let wants = || Wants { topics: topics(&["*.publish", "Asset.delete", "Entry.*"]), ..Wants::default() };
    for taken in ["Asset.publish", "Whatever.publish", "Asset.delete", "Entry.create", "Entry.auto_save"] {
        assert!(verdict(wants(), taken).matched, "{taken}");
    }
    for left in ["Asset.create", "ContentType.delete", "Asset.publish.fail"] {
        assert!(!verdict(wants(), left).matched, "{left}");
    }
}

#[test]
fn the_verdict_names_the_topic_that_decided() {
    let yes =
        verdict(Wants { topics: topics(&["Asset.*", "Entry.publish"]), ..Wants::default() }, "Entry.publish");
    assert_eq!((yes.matched, yes.rule, yes.detail.as_str()), (true, Rule::Topic, "topics[1] Entry.publish"));
    let no = verdict(Wants { topics: topics(&["Asset.*"]), ..Wants::default() }, "Entry.publish");
    assert_eq!((no.matched, no.rule), (false, Rule::Topic));
    assert!(no.detail.contains("Entry.publish"), "{}", no.detail);
}

fn about(topic: &str, id: &str, content_type: Option<&str>) -> EventHead {
    let mut head = head(topic);
    head.resource =
        Resource { id: id.into(), content_type: content_type.map(str::to_owned), ..Resource::default() };
    head
}

#[test]
fn a_limit_to_a_content_type_takes_itself_and_its_fields() {
    let limited = |content_types: &[&str], entities: &[&str]| Wants {
        triggers: vec![
            trigger("ContentType", &["*"], content_types, entities),
            trigger("Field", &["*"], content_types, entities),
        ],
        ..Wants::default()
    };
    for wants in [limited(&["post"], &[]), limited(&[], &["post"])] {
        let taken = |head: &EventHead| decide(&webhook(wants.clone()), head).matched;
        assert!(taken(&about("ContentType.save", "post", None)), "it is of itself");
        assert!(taken(&about("Field.create", "title", Some("post"))), "a field is of its type");
        assert!(!taken(&about("ContentType.save", "page", None)));
        assert!(!taken(&about("Field.create", "title", Some("page"))));
        assert!(!taken(&about("Field.create", "post-title", None)));
    }
    let entry = Wants { triggers: vec![trigger("Entry", &["*"], &[], &["post"])], ..Wants::default() };
    assert!(
        !decide(&webhook(entry), &about("Entry.save", "1", Some("post"))).matched,
        "an entry is not its type"
    );
    let one_field = Wants { triggers: vec![trigger("Field", &["*"], &[], &["title"])], ..Wants::default() };
    assert!(decide(&webhook(one_field), &about("Field.save", "title", Some("post"))).matched);
}

#[test]
fn what_is_told_of_webhooks_is_taken_only_where_its_type_is_named() {
    let any = |actions: &[&str]| Trigger { event_type: None, ..trigger("Entry", actions, &[], &[]) };
    let wants = |topic: &str, trigger: Trigger| Wants {
        topics: topics(&[topic]),
        triggers: vec![trigger],
        ..Wants::default()
    };
    for muted in [wants("*.*", any(&[])), wants("*.failing", any(&["failing"]))] {
        let verdict = verdict(muted, "Webhook.failing");
        assert_eq!((verdict.matched, verdict.rule), (false, Rule::Topic));
        assert!(verdict.detail.contains("names the type Webhook"), "{}", verdict.detail);
    }
    for named in [wants("Webhook.*", any(&[])), wants("*.*", trigger("Webhook", &["failing"], &[], &[]))] {
        assert!(verdict(named, "Webhook.failing").matched);
    }
}

#[test]
fn what_decided_is_named_as_it_was_given() {
    let words = Written::InWords { event_type: Some("item_type".into()), actions: vec!["update".into()] };
    let wants = Wants {
        topics: vec![
            Topic {
                given: "item.delete".into(),
                pattern: TopicPattern::parse("Entry.delete").expect("a topic"),
            },
            Topic {
                given: "item.delete".into(),
                pattern: TopicPattern::parse("Entry.trash").expect("a topic"),
            },
            Topic { given: "Asset.*".into(), pattern: TopicPattern::parse("Asset.*").expect("a topic") },
        ],
        triggers: vec![
            Trigger { written: words, ..trigger("ContentType", &["save"], &[], &["post"]) },
            Trigger { written: Written::Continued, ..trigger("Field", &["save"], &[], &["post"]) },
            trigger("Release", &["publish"], &[], &[]),
        ],
        ..Wants::default()
    };
    let detail = |head: EventHead| decide(&webhook(wants.clone()), &head).detail;
    assert_eq!(detail(about("Entry.trash", "1", None)), "topics[0] item.delete");
    assert_eq!(detail(about("Asset.save", "1", None)), "topics[1] Asset.*");
    assert_eq!(detail(about("Field.save", "title", Some("post"))), "triggers[0] (item_type: update)");
    assert_eq!(
        detail(about("ContentType.save", "page", None)),
        "triggers[0] (item_type: update) entities do not list page"
    );
    assert_eq!(detail(about("Release.publish", "1", None)), "triggers[1]");
}

#[test]
fn triggers_or_kinds_and_ids_or() {
    let wants = || Wants {
        triggers: vec![
            trigger("Entry", &["publish"], &["page", "blogPost"], &["41", "42"]),
            trigger("Asset", &[], &[], &[]),
        ],
        ..Wants::default()
    };
    assert!(verdict(wants(), "Entry.publish").matched);
    assert!(verdict(wants(), "Asset.anything").matched);
    assert!(!verdict(wants(), "Entry.delete").matched);
    let other_type =
        Wants { triggers: vec![trigger("Entry", &["publish"], &["page"], &["42"])], ..Wants::default() };
    let no = verdict(other_type, "Entry.publish");
    assert_eq!((no.matched, no.rule), (false, Rule::Trigger));
    assert!(no.detail.contains("blogPost"), "{}", no.detail);
    let other_id = Wants { triggers: vec![trigger("Entry", &["publish"], &[], &["7"])], ..Wants::default() };
    assert!(verdict(other_id, "Entry.publish").detail.contains("42"));
}

#[test]
fn limits_of_the_webhook_hold_for_every_topic() {
    let limits = Limits { content_types: vec!["page".into()], entities: vec![] };
    let no = verdict(Wants { topics: topics(&["*.*"]), limits, ..Wants::default() }, "Entry.publish");
    assert_eq!((no.matched, no.rule), (false, Rule::Limit));
}

#[test]
fn an_event_without_a_content_type_is_outside_every_content_type_limit() {
    let mut asset = head("Asset.publish");
    asset.resource.content_type = None;
    let limits = Limits { content_types: vec!["page".into()], entities: vec![] };
    let hook = webhook(Wants { topics: topics(&["*.*"]), limits, ..Wants::default() });
    assert!(!decide(&hook, &asset).matched);
}

#[test]
fn filters_all_hold_and_an_absent_path_is_false_negated_or_not() {
    let filter = |path, condition, negated| Filter { path, condition, negated };
    let equals = |text: &str| Condition::Equals(text.into());
    let passes = |one: &Filter| one.passes(&head("Entry.publish"));
    assert!(passes(&filter(FilterPath::Id, equals("42"), false)));
    assert!(!passes(&filter(FilterPath::Id, equals("42"), true)));
    assert!(passes(&filter(
        FilterPath::ContentType,
        Condition::In(vec!["a".into(), "blogPost".into()]),
        false
    )));
    assert!(passes(&filter(FilterPath::Environment, Condition::matches("^mas").expect("regex"), false)));
    assert!(passes(&filter(FilterPath::UpdatedBy, equals("u1"), false)));
    for negated in [false, true] {
        assert!(!passes(&filter(FilterPath::DeletedBy, equals("u1"), negated)), "absent, negated {negated}");
    }
    assert!(filter(FilterPath::DeletedBy, equals("u1"), false).passes(&head("Entry.delete")));
    let wants = Wants {
        topics: topics(&["*.*"]),
        filters: vec![
            filter(FilterPath::Id, equals("42"), false),
            filter(FilterPath::Id, equals("7"), false),
        ],
        ..Wants::default()
    };
    let no = verdict(wants, "Entry.publish");
    assert_eq!((no.rule, no.detail.as_str()), (Rule::Filter, "filters[1] on sys.id is false"));
}

#[test]
fn who_acted_is_told_by_the_action_and_who_made_it_by_the_content_later() {
    let passes = |path: &str, topic: &str| {
        let path = FilterPath::parse(path).expect("known");
        let filter = |negated| Filter { path, condition: Condition::Equals("u1".into()), negated };
        [filter(false), filter(true)].map(|filter| filter.passes(&head(topic)))
    };
    for (path, topic, there) in [
        ("sys.createdBy.sys.id", "Entry.create", true),
        ("sys.createdBy.sys.id", "Entry.publish", false),
        ("sys.updatedBy.sys.id", "Entry.create", true),
        ("sys.updatedBy.sys.id", "Entry.auto_save", true),
        ("sys.updated.sys.id", "Entry.publish", true),
        ("sys.updatedBy.sys.id", "Entry.delete", false),
        ("sys.deletedBy.sys.id", "Entry.unpublish", true),
        ("sys.deletedBy.sys.id", "Entry.delete", true),
        ("sys.deletedBy.sys.id", "Entry.save", false),
    ] {
        assert_eq!(passes(path, topic), [there, false], "{path} {topic}");
    }
    let creator =
        Filter { path: FilterPath::CreatedBy, condition: Condition::Equals("u1".into()), negated: false };
    let wants = Wants { topics: topics(&["*.*"]), filters: vec![creator.clone()], ..Wants::default() };
    assert!(verdict(wants.clone(), "Entry.publish").matched, "left to who has the content");
    assert!(needs_content(&webhook(wants)));
    assert!(creator.is_of_content(&head("Entry.publish")) && !creator.is_of_content(&head("Entry.create")));
}

#[test]
fn matching_takes_linear_time_whatever_the_pattern() {
    // A backtracking matcher would need 2^40 steps for each of these.
    for pattern in ["^(a+)+$", "^(a|a)*$", "(.*)*x"] {
        let filter = Filter {
            path: FilterPath::Id,
            condition: Condition::matches(pattern).expect("small"),
            negated: false,
        };
        let mut head = head("Entry.save");
        head.resource.id = format!("{}!", "a".repeat(1023));
        assert!(!filter.passes(&head), "{pattern}");
    }
}

#[test]
fn a_regular_expression_that_is_malformed_or_huge_is_refused_with_its_text() {
    let error = Condition::matches("(").expect_err("malformed");
    assert!(error.to_string().contains("\"(\""), "{error}");
    assert!(Condition::matches(r"\w{1000}{1000}").is_err());
    let error = FilterPath::parse("sys.nowhere").expect_err("unknown");
    assert!(error.to_string().contains("sys.contentType.sys.id"), "{error}");
    assert_eq!(FilterPath::parse("sys.updated.sys.id"), Ok(FilterPath::UpdatedBy));
}

#[test]
fn states_and_disabled_webhooks_decide_too() {
    let wants = Wants { topics: topics(&["*.*"]), states: vec!["published".into()], ..Wants::default() };
    assert_eq!(verdict(wants, "Entry.save").rule, Rule::State);
    let mut off = webhook(Wants { topics: topics(&["*.*"]), ..Wants::default() });
    let at = Timestamp::from_unix_ms(0);
    off.status = Status::Disabled(Disabled { at, by: DisabledBy::Gone, reason: "answered 410".into() });
    let no = decide(&off, &head("Entry.save"));
    assert_eq!(no.rule, Rule::Disabled);
    assert!(no.detail.contains("answered 410"), "{}", no.detail);
}

#[test]
fn only_changed_fields_need_the_content() {
    let plain = Wants { topics: topics(&["*.*"]), ..Wants::default() };
    assert!(!needs_content(&webhook(plain.clone())));
    assert!(needs_content(&webhook(Wants { changed_fields: vec!["title".into()], ..plain })));
}

#[test]
fn a_workflow_transition_is_filtered_by_where_it_comes_from_and_where_it_goes() {
    let mut event = head("Entry.workflow_transition");
    event.workflow = Some(Workflow { from: Some("draft".into()), to: Some("review".into()) });
    let passes = |path, wanted: &str, negated| {
        Filter { path, condition: Condition::Equals(wanted.into()), negated }.passes(&event)
    };
    assert!(passes(FilterPath::WorkflowFrom, "draft", false));
    assert!(!passes(FilterPath::WorkflowFrom, "review", false));
    assert!(passes(FilterPath::WorkflowTo, "review", false));
    assert!(!passes(FilterPath::WorkflowTo, "review", true));
    let elsewhere =
        Filter { path: FilterPath::WorkflowTo, condition: Condition::Equals("x".into()), negated: true };
    assert!(!elsewhere.passes(&head("Entry.publish")), "an event without a workflow passes no such filter");
}

proptest! {
    /// Otherwise webhooks that tell of each other would go on for ever.
    #[test]
    fn no_pattern_of_any_type_takes_what_is_told_of_webhooks(action in "[a-z_]{1,12}(\\.[a-z]{1,6})?", suffix in ".{0}|\\.\\*") {
        let event = about(&format!("Webhook.{action}"), "w1", None);
        for wanted in [format!("*.{action}{suffix}"), "*.*".to_owned()] {
            let pattern = TopicPattern::parse(&wanted).expect("a pattern");
            prop_assert!(!pattern.takes(&event.event_type, &event.action), "{wanted}");
            let trigger = Trigger { event_type: None, actions: vec![pattern.action.clone()], limits: Limits::default(), written: Written::Plainly };
            prop_assert!(!trigger.takes(&event), "{wanted}");
            let named = TopicPattern { event_type: Some(event.event_type.clone()), ..pattern };
            prop_assert!(named.takes(&event.event_type, &event.action), "{wanted}");
        }
    }
}
