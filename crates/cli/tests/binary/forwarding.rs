//! `postrider listen --forward-to`: a webhook for one session, whose calls are passed on.

use std::path::Path;

use serde_json::json;
use tempfile::tempdir;

use crate::process::{Running, run};

fn server(dir: &Path) -> Running {
    Running::start(dir, &["serve", "--json", "--bind", "127.0.0.1:0"]).0
}

fn publish(dir: &Path, event_type: &str) {
    let event = [
        "events",
        "publish",
        "--type",
        event_type,
        "--action",
        "publish",
        "--resource-id",
        "5KsD",
        "--data",
        "{\"a\":1}",
    ];
    assert_eq!(run(dir, &event).code(), 0);
}

fn webhooks(dir: &Path) -> usize {
    let listed = run(dir, &["webhooks", "list", "--json"]).json();
    listed["items"].as_array().expect("items").len()
}

#[test]
fn a_call_is_verified_passed_on_and_answered_as_the_receiver_does_and_the_webhook_goes() {
    let dir = tempdir().expect("a folder");
    let dir = dir.path();
    let server = server(dir);
    let (mut receiver, said) = Running::start(dir, &["listen", "--json", "--status", "202", "--calls", "1"]);
    let receiver_url = format!("{}hooks?a=b", said["listening"].as_str().expect("an address"));
    let forward = ["listen", "--json", "--forward-to", &receiver_url, "--topic", "Entry.*", "--calls", "1"];
    let (mut session, said) = Running::start(dir, &forward);
    assert!(said["webhook"].is_string(), "{said}");
    assert_eq!(webhooks(dir), 1);
    publish(dir, "Asset");
    publish(dir, "Entry");
    let call = session.line();
    assert_eq!((&call["verified"], &call["answered"]), (&json!(true), &json!(202)), "{call}");
    let passed = receiver.line();
    assert_eq!((&passed["path"], &passed["body"]), (&json!("/hooks?a=b"), &call["body"]), "{passed}");
    assert_eq!(passed["headers"]["webhook-signature"], call["headers"]["webhook-signature"]);
    assert_eq!((receiver.wait(), session.wait()), (0, 0));
    assert_eq!(webhooks(dir), 0, "the webhook is removed");
    assert_eq!(server.terminate(), 0);
}

#[test]
fn a_receiver_that_is_away_is_a_502_and_a_signal_removes_the_webhook() {
    let dir = tempdir().expect("a folder");
    let dir = dir.path();
    let server = server(dir);
    let (mut session, _) = Running::start(dir, &["listen", "--json", "--forward-to", "http://127.0.0.1:9"]);
    publish(dir, "Entry");
    assert_eq!(session.line()["answered"], 502);
    assert_eq!(session.terminate(), 0);
    assert_eq!(webhooks(dir), 0, "the webhook is removed");
    let bad = run(dir, &["listen", "--forward-to", "localhost"]);
    assert_eq!(bad.code(), 6, "{}", bad.stdout());
    assert!(bad.stderr().contains("--forward-to"), "{}", bad.stderr());
    assert_eq!(server.terminate(), 0);
}

#[test]
fn the_webhook_of_a_killed_session_is_removed_by_the_next_and_that_of_a_living_one_is_not() {
    let dir = tempdir().expect("a folder");
    let dir = dir.path();
    let server = server(dir);
    let forward = ["listen", "--json", "--forward-to", "http://127.0.0.1:9"];
    let (killed, _) = Running::start(dir, &forward);
    let (alive, _) = Running::start(dir, &forward);
    assert_eq!(webhooks(dir), 2);
    killed.kill();
    assert_eq!(webhooks(dir), 2, "nobody could remove it");
    let (next, _) = Running::start(dir, &forward);
    assert_eq!(webhooks(dir), 2, "the two that live");
    assert_eq!((alive.terminate(), next.terminate()), (0, 0));
    assert_eq!(webhooks(dir), 0);
    assert_eq!(server.terminate(), 0);
}
