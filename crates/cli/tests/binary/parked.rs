//! `postrider parked`: what a person does about messages that could not be processed.

use std::path::Path;
use std::sync::Arc;

use postrider_adapter_sqlite::{Database, Settings};
use postrider_cli::compose::clock::SystemClock;
use postrider_domain::event::{Carriage, Carried, Content, EventHead, Resource};
use postrider_domain::id::{EnvironmentId, EventId, Scope, SpaceId};
use postrider_domain::json::Json;
use postrider_domain::message::{EventMessage, Queue, TraceContext};
use postrider_domain::timestamp::Timestamp;
use postrider_domain::topic::{Action, EventType};
use postrider_ports::queue::{Consumers, Outgoing, Parked, Publish};
use tempfile::tempdir;

use crate::process::{Running, run};

const SERVE: [&str; 4] = ["serve", "--json", "--bind", "127.0.0.1:0"];

fn event() -> EventMessage {
    let at = Timestamp::parse("2026-01-01T12:00:00Z").expect("an instant");
    let head = EventHead {
        id: EventId::new("story-1").expect("an id"),
        scope: Scope { space: SpaceId::new("default").expect("an id"), environment: EnvironmentId::master() },
        event_type: EventType::new("Entry").expect("a type"),
        action: Action::new("publish").expect("an action"),
        occurred_at: at,
        accepted_at: at,
        resource: Resource { id: "5KsD".into(), ..Resource::default() },
        actor: None,
        workflow: None,
        branch: None,
        cause: None,
    };
    let data = Json::from_checked("{\"title\":\"Hello\"}");
    let content = Content { data, previous: None, related: None, source: None };
    EventMessage { event: Carried { head: Arc::new(head), content: Carriage::Inline(Arc::new(content)) } }
}

/// What a server met while it ran: an event that it gave up, and an input that never was one.
async fn park(dir: &Path) {
    let settings = Settings::new(dir.join("postrider-data"));
    let (database, driver) =
        Database::open(&settings, Arc::new(SystemClock::new())).await.expect("a database");
    let driving = tokio::spawn(driver.run());
    let out = Outgoing::now(event(), false, TraceContext::default());
    database.publish(vec![out]).await.expect("published");
    let mut consumer = Consumers::<EventMessage>::consumer(&database, Queue::Events);
    let received = consumer.receive(1).await.expect("received").remove(0);
    received.lease.park("its webhooks could not be read").await.expect("parked");
    database.park("inbox", "it is no JSON", &[0xff, 0x00]).await.expect("parked");
    drop(consumer);
    database.close().await;
    drop(database);
    driving.await.expect("closed");
}

#[test]
fn what_was_parked_is_listed_shown_put_back_and_delivered_or_dropped() {
    let dir = tempdir().expect("a folder");
    let dir = dir.path();
    let (server, _) = Running::start(dir, &SERVE);
    assert_eq!(run(dir, &["parked", "list"]).stdout().trim(), "Nothing is parked.");
    let (mut listener, said) = Running::start(dir, &["listen", "--json", "--calls", "1"]);
    let url = said["listening"].as_str().expect("an address");
    let made = ["webhooks", "create", "--json", "--name", "w", "--url", url, "--topic", "Entry.*"];
    run(dir, &made).json();
    assert_eq!(server.terminate(), 0);
    tokio::runtime::Runtime::new().expect("a runtime").block_on(park(dir));
    let (server, _) = Running::start(dir, &SERVE);

    let listed = run(dir, &["parked", "list"]).stdout();
    assert!(
        listed.contains("its webhooks could not be read") && listed.contains("it is no JSON"),
        "{listed}"
    );
    let list = run(dir, &["parked", "list", "--json", "--limit", "1"]).json();
    let event = list["items"][0]["sys"]["id"].as_str().expect("an id");
    let next = list["pages"]["next"].as_str().expect("another page");
    let rest = run(dir, &["parked", "list", "--json", "--cursor", next]).json();
    let input = rest["items"][0]["sys"]["id"].as_str().expect("an id");

    let shown = run(dir, &["parked", "show", event]).stdout();
    assert!(shown.contains("could not be read") && shown.contains("Hello"), "{shown}");
    assert!(run(dir, &["parked", "show", input]).stdout().contains("which are no text"));
    assert_eq!(run(dir, &["parked", "show", "--json", input]).json()["bodyBase64"], "/wA=");

    let refused = run(dir, &["parked", "redrive", input]);
    assert_eq!(refused.code(), 6, "{}", refused.stdout());
    assert!(refused.stderr().contains("never was a message"), "{}", refused.stderr());
    assert_eq!(run(dir, &["parked", "redrive", "--json", event]).json()["redriven"], event);
    assert!(listener.line()["body"].as_str().expect("a body").contains("Hello"), "it is delivered now");
    assert_eq!(listener.wait(), 0);

    assert_eq!(run(dir, &["parked", "drop", input]).stdout().trim(), format!("dropped {input}"));
    assert_eq!(run(dir, &["parked", "drop", input]).code(), 5);
    assert_eq!(run(dir, &["parked", "list"]).stdout().trim(), "Nothing is parked.");
    assert_eq!(server.terminate(), 0);
}

#[test]
fn only_a_token_that_rules_the_instance_opens_what_is_parked() {
    let dir = tempdir().expect("a folder");
    let dir = dir.path();
    let (server, _) = Running::start(dir, &SERVE);
    let made = run(dir, &["tokens", "create", "--json", "--name", "t", "--role", "admin"]).json();
    let refused = run(dir, &["parked", "list", "--token", made["token"].as_str().expect("a token")]);
    assert_eq!(refused.code(), 4, "{}", refused.stdout());
    assert!(refused.stderr().contains("admin"), "{}", refused.stderr());
    assert_eq!(server.terminate(), 0);
}
