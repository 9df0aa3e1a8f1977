//! Previews and pings: what is decided and written, and that a preview neither sends nor tells secrets.

use postrider_control::draft::{HeaderDraft, SigningDraft, WebhookDraft};
use postrider_control::preview::{Preview, PreviewOf};
use postrider_control::trial::PING_TITLE;
use postrider_domain::id::EventId;
use postrider_domain::matching::Rule;
use postrider_domain::token::Role;
use postrider_ports::log::LogWrite;
use postrider_testkit::builders::{event, matched};

use crate::instance::{Instance, default_space, draft, says, webhook_id};

const EVENT: &str = r#"{"id":"given","type":"Entry","action":"publish","resource":{"id":"e","contentType":"post"},"data":{"a":1}}"#;

fn given(event: &str) -> PreviewOf {
    PreviewOf::Given { event: event.to_owned(), environment: None }
}

async fn preview(instance: &Instance, draft: &WebhookDraft) -> Preview {
    let viewer = instance.as_role(Role::Viewer);
    let previewed = instance.control.preview_draft(&viewer, &default_space(), draft, given(EVENT)).await;
    previewed.expect("it can be previewed")
}

#[tokio::test]
async fn a_preview_decides_and_writes_and_sends_nothing() {
    let instance = Instance::start().await;
    instance.save("w", draft(&["Asset.*"])).await;
    let Instance { control, admin, .. } = &instance;
    let previewed =
        control.preview_webhook(admin, &default_space(), &webhook_id("w"), given(EVENT)).await.expect("fine");
    assert!(!previewed.decision.matched);
    assert_eq!(previewed.decision.rule, Rule::Topic);
    assert_eq!(previewed.when_enabled, None);
    let request = previewed.request.expect("written although it does not match");
    assert_eq!((request.method.as_str(), request.url.as_str()), ("POST", "https://receiver.example/hook"));
    assert!(String::from_utf8_lossy(&request.body).contains(r#""data":{"a":1}"#));
    assert!(instance.sender.sent().is_empty());
}

#[tokio::test]
async fn a_webhook_that_is_off_says_so_and_what_it_would_do() {
    let instance = Instance::start().await;
    instance.save("w", draft(&["Entry.*"])).await;
    let Instance { control, admin, .. } = &instance;
    let (space, id) = (default_space(), webhook_id("w"));
    control.switch_webhook(admin, &space, &id, false, None).await.expect("off");
    let previewed = control.preview_webhook(admin, &space, &id, given(EVENT)).await.expect("fine");
    assert_eq!((previewed.decision.matched, previewed.decision.rule), (false, Rule::Disabled));
    let when_enabled = previewed.when_enabled.expect("said");
    assert_eq!((when_enabled.matched, when_enabled.rule), (true, Rule::Topic));
    assert!(previewed.request.is_some());
}

#[tokio::test]
async fn a_stored_event_is_previewed_by_who_may_read_calls() {
    let instance = Instance::start().await;
    instance.save("w", draft(&["Entry.publish"])).await;
    let stored = event("Entry.publish").id("stored").data(r#"{"kept": 1.50}"#).carried();
    assert_eq!(instance.log.write(&[matched(&stored, &["w"], &[])]).await.expect("written"), []);
    let of = || PreviewOf::Stored(EventId::new("stored").expect("an id"));
    let (viewer, space) = (instance.as_role(Role::Viewer), default_space());
    let previewed = instance.control.preview_webhook(&viewer, &space, &webhook_id("w"), of()).await;
    let request = previewed.expect("a viewer may").request.expect("written");
    assert!(String::from_utf8_lossy(&request.body).contains(r#"{"kept": 1.50}"#));
}

#[tokio::test]
async fn fields_that_did_not_change_decide_too() {
    let instance = Instance::start().await;
    let wants_b = WebhookDraft { changed_fields: vec!["b".to_owned()], ..draft(&["Entry.*"]) };
    let previewed = preview(&instance, &wants_b).await;
    assert_eq!((previewed.decision.matched, previewed.decision.rule), (false, Rule::ChangedFields));
}

/// Whoever may look could otherwise have any event signed.
#[tokio::test]
async fn no_preview_depends_on_a_secret() {
    let instance = Instance::start().await;
    for dialect in postrider_dialects::names() {
        let with = |signing: &str, header: &str| WebhookDraft {
            dialect: Some((*dialect).to_owned()),
            signing: SigningDraft::With(signing.to_owned()),
            headers: vec![HeaderDraft {
                name: "X-Key".to_owned(),
                value: Some(header.to_owned()),
                secret: Some(true),
            }],
            ..draft(&["Entry.*"])
        };
        let one = preview(&instance, &with(&"a".repeat(64), "first secret")).await;
        let other = preview(&instance, &with(&"b".repeat(64), "other secret")).await;
        assert_eq!(one.request, other.request, "{dialect}");
        assert!(one.request.is_some(), "{dialect}: {:?}", one.error);
    }
}

#[tokio::test]
async fn faults_of_the_event_and_of_the_draft_are_named() {
    let instance = Instance::start().await;
    let Instance { control, admin, .. } = &instance;
    let event = given(r#"{"type":"Entry","action":"publish","resource":{"id":"e","slag":1}}"#);
    let refused = control.preview_draft(admin, &default_space(), &draft(&["*.*"]), event).await;
    assert!(says(refused, "event.resource.slag"));
    let refused = control.preview_draft(admin, &default_space(), &draft(&[]), given(EVENT)).await;
    assert!(says(refused, "Topics cannot be empty"));
    let missing = PreviewOf::Stored(EventId::new("none").expect("an id"));
    let refused = control.preview_draft(admin, &default_space(), &draft(&["*.*"]), missing).await;
    assert!(says(refused, "there is no event none here"));
    let odd = control.preview_draft(admin, &default_space(), &draft(&["Entri.*"]), PreviewOf::Sample).await;
    assert_eq!(odd.expect("taken").warnings.len(), 1);
}

#[tokio::test]
async fn a_ping_calls_whatever_the_topics_and_even_when_off() {
    let instance = Instance::start().await;
    instance.save("w", WebhookDraft { active: Some(false), ..draft(&["Asset.*"]) }).await;
    let (space, id) = (default_space(), webhook_id("w"));
    let Instance { control, admin, .. } = &instance;
    let call = control.ping_webhook(admin, &space, &id).await.expect("called");
    assert_eq!(call.response.expect("answered").status, 200);
    let sent = instance.sender.sent();
    let body = String::from_utf8_lossy(sent[0].body.as_ref().expect("a body")).into_owned();
    assert!(body.contains(r#""type":"Webhook","action":"ping""#) && body.contains(PING_TITLE), "{body}");
    let viewer = instance.as_role(Role::Viewer);
    assert!(says(control.ping_webhook(&viewer, &space, &id).await, "webhooks:update"));
}
