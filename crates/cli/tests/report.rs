//! The comparison at the end of the demo: perfect facts pass, and every single thing that is off does not.

use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use postrider_cli::demo::ledger::Entry;
use postrider_cli::demo::report::{Delivery, Facts, Report};
use postrider_cli::demo::script::{Behaviour, Script, ScriptEvent, ScriptWebhook};
use postrider_cli::receiver::Call;
use postrider_domain::timestamp::Timestamp;
use sha2::Sha256;

const SECRET: &str = "sixteen-and-more-characters";
const AT: i64 = 1_767_268_800_000;

fn hmac(text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn call(event: &ScriptEvent, webhook: &ScriptWebhook, status: u16) -> Entry {
    let header = |name: &str, value: String| (name.to_owned(), value);
    let (headers, body) = if webhook.definition["dialect"] == "cometcms" {
        let body = format!("{{\"data\":{{\"id\":\"{}\"}}}}", event.resource);
        (vec![header("x-cometcms-signature", format!("sha256={}", hex::encode(hmac(&body))))], body)
    } else {
        let id = format!("{}/{}", event.id, webhook.name);
        let body = format!("{{\"data\":{}}}", event.data);
        let stamp = (AT / 1000).to_string();
        let signature = STANDARD.encode(hmac(&format!("{id}.{stamp}.{body}")));
        let signature = header("webhook-signature", format!("v1,{signature}"));
        (vec![header("webhook-id", id), header("webhook-timestamp", stamp), signature], body)
    };
    let at = Timestamp::from_unix_ms(AT + 42);
    let (method, path) = ("POST".to_owned(), format!("/{}/{}", webhook.behaviour.as_str(), webhook.name));
    let call = Call { at, method, path, headers, body: body.into_bytes() };
    Entry { webhook: webhook.name.clone(), call, status: StatusCode::from_u16(status).expect("a status") }
}

/// Facts in which everything came out as it must.
fn perfect(script: &Script) -> Facts {
    let mut facts = Facts::default();
    for event in &script.events {
        facts.accepted.insert(event.id.clone(), Timestamp::from_unix_ms(AT));
        for webhook in &script.webhooks {
            let key = (event.id.clone(), webhook.name.clone());
            facts.secrets.insert(webhook.name.clone(), SECRET.to_owned());
            facts.message_ids.insert(format!("{}/{}", event.id, webhook.name), key.clone());
            let Some(expected) = webhook.expect.iter().find(|one| one.events.contains(&event.id)) else {
                continue;
            };
            for attempt in 1..=expected.calls {
                let last = attempt == expected.calls && webhook.behaviour != Behaviour::Refuses;
                facts.entries.push(call(event, webhook, if last { 200 } else { 503 }));
            }
            facts
                .deliveries
                .insert(key, Delivery { state: expected.outcome.clone(), attempts: expected.calls });
        }
    }
    facts
}

fn faults_after(change: impl FnOnce(&Script, &mut Facts)) -> Vec<String> {
    let script = Script::load().expect("the script");
    let mut facts = perfect(&script);
    change(&script, &mut facts);
    let report = Report::compare(&script, &facts);
    assert_eq!(report.is_good(), report.faults().is_empty());
    report.faults()
}

fn one_fault(part: &str, change: impl FnOnce(&Script, &mut Facts)) {
    let faults = faults_after(change);
    assert!(faults.len() == 1 && faults[0].contains(part), "{part}: {faults:#?}");
}

fn key(event: &str, webhook: &str) -> (String, String) {
    (event.to_owned(), webhook.to_owned())
}

#[test]
fn perfect_facts_are_good_and_show_the_time_to_receipt() {
    assert_eq!(faults_after(|_, _| {}), Vec::<String>::new());
    let script = Script::load().expect("the script");
    let report = Report::compare(&script, &perfect(&script));
    assert!(report.to_text().contains("42 ms"), "{}", report.to_text());
    let rows = report.to_json()["deliveries"].as_array().expect("rows").len();
    assert_eq!(rows, script.deliveries());
}

#[test]
fn a_call_too_many_is_a_fault() {
    one_fault("the receiver saw 2 call(s), it must see 1", |_, facts| {
        let copy = facts.entries.iter().find(|entry| entry.webhook == "site-build").expect("a call").clone();
        facts.entries.push(copy);
    });
}

#[test]
fn a_delivery_that_is_missing_or_otherwise_is_a_fault() {
    one_fault("its outcome is missing", |_, facts| {
        facts.deliveries.remove(&key("asset-deleted", "image-cache"));
    });
    one_fault("its outcome is pending, it must be delivered", |_, facts| {
        facts
            .deliveries
            .insert(key("asset-deleted", "image-cache"), Delivery { state: "pending".into(), attempts: 1 });
    });
    one_fault("the record has 2 call(s)", |_, facts| {
        facts
            .deliveries
            .insert(key("asset-deleted", "image-cache"), Delivery { state: "delivered".into(), attempts: 2 });
    });
}

#[test]
fn an_event_at_a_webhook_that_does_not_want_it_is_a_fault() {
    one_fault("page-in-review was matched to editors", |_, facts| {
        facts
            .deliveries
            .insert(key("page-in-review", "editors"), Delivery { state: "delivered".into(), attempts: 1 });
    });
    one_fault("editors was called for page-in-review", |script, facts| {
        let event = script.events.iter().find(|event| event.id == "page-in-review").expect("it");
        let webhook = script.webhooks.iter().find(|webhook| webhook.name == "editors").expect("it");
        facts.entries.push(call(event, webhook, 200));
    });
}

#[test]
fn a_superseded_state_that_was_sent_all_the_same_is_a_fault() {
    one_fault("auto-save-1 → preview: the receiver saw 1 call(s), it must see 0", |script, facts| {
        let event = script.events.iter().find(|event| event.id == "auto-save-1").expect("it");
        let webhook = script.webhooks.iter().find(|webhook| webhook.name == "preview").expect("it");
        facts.entries.push(call(event, webhook, 200));
    });
}

#[test]
fn data_that_is_not_byte_for_byte_as_published_is_a_fault() {
    let faults = faults_after(|_, facts| {
        let entry = facts.entries.iter_mut().find(|entry| entry.webhook == "image-cache").expect("a call");
        entry.call.body.retain(|byte| *byte != b'\n');
    });
    assert!(faults.iter().any(|fault| fault.contains("does not carry the event's data")), "{faults:#?}");
    assert!(faults.iter().any(|fault| fault.contains("NOT VERIFIED")), "{faults:#?}");
}
