//! The commands that look up and steer: spaces, environments, deliveries, balance, and what can be done to a webhook.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::process::{Ended, Running, run};

fn server(dir: &Path) -> Running {
    Running::start(dir, &["serve", "--json", "--bind", "127.0.0.1:0"]).0
}

fn publish(dir: &Path, id: &str) {
    let event =
        ["events", "publish", "--id", id, "--type", "Entry", "--action", "publish", "--resource-id", "1"];
    assert_eq!(run(dir, &event).code(), 0);
}

/// It failed with this code and said so.
fn refused(ended: &Ended, code: i32, part: &str) {
    assert_eq!(ended.code(), code, "{}{}", ended.stdout(), ended.stderr());
    assert!(ended.stderr().contains(part), "{part} is not in:\n{}", ended.stderr());
}

fn count(list: &Value) -> usize {
    list["items"].as_array().expect("items").len()
}

#[test]
fn spaces_and_environments_are_made_listed_shown_and_never_made_twice() {
    let dir = tempdir().expect("a folder");
    let dir = dir.path();
    let server = server(dir);
    let made = ["spaces", "create", "shop", "--name", "The shop", "--with-environment", "staging", "--json"];
    assert_eq!(run(dir, &made).json()["environments"], json!(["master", "staging"]));
    refused(&run(dir, &["spaces", "create", "shop"]), 6, "already");
    refused(&run(dir, &["spaces", "update", "nowhere", "--name", "x"]), 5, "nowhere");
    let renamed = run(dir, &["spaces", "update", "shop", "--name", "Shop", "--json"]).json();
    assert_eq!((&renamed["name"], &renamed["environments"][1]), (&json!("Shop"), &json!("staging")));
    assert_eq!(count(&run(dir, &["spaces", "list", "--json"]).json()), 2);
    assert!(run(dir, &["spaces", "show", "shop"]).stdout().contains("master, staging"));

    let make = ["environments", "create", "dev", "--space", "shop"];
    assert_eq!(run(dir, &make).code(), 0);
    refused(&run(dir, &make), 6, "already");
    assert_eq!(count(&run(dir, &["environments", "list", "--json", "--space", "shop"]).json()), 3);
    assert_eq!(run(dir, &["environments", "show", "dev", "--space", "shop"]).code(), 0);
    assert_eq!(run(dir, &["environments", "show", "dev"]).code(), 5);
    assert_eq!(server.terminate(), 0);
}

#[test]
fn deliveries_are_listed_page_by_page_or_all_and_the_balance_adds_up() {
    let dir = tempdir().expect("a folder");
    let dir = dir.path();
    let server = server(dir);
    let (mut listener, said) = Running::start(dir, &["listen", "--json"]);
    let url = said["listening"].as_str().expect("an address");
    let made = ["webhooks", "create", "--id", "w", "--name", "w", "--url", url, "--topic", "Entry.*"];
    assert_eq!(run(dir, &made).code(), 0);
    refused(&run(dir, &made), 6, "already");
    let (mut tail, _) = Running::start(dir, &["calls", "tail", "--json", "--calls", "3", "--type", "Entry"]);
    for id in ["e1", "e2", "e3"] {
        publish(dir, id);
    }
    (0..3).for_each(|_| drop((listener.line(), tail.line())));

    let list = |more: &[&str]| run(dir, &[&["deliveries", "list", "--json"], more].concat());
    let page = list(&["--limit", "2", "--status", "delivered", "--type", "Entry", "--from", "1h"]).json();
    let next = page["pages"]["next"].as_str().expect("another page");
    assert_eq!((count(&page), count(&list(&["--limit", "2", "--cursor", next]).json())), (2, 1));
    assert_eq!(count(&list(&["--all"]).json()), 3);
    assert_eq!(list(&["--all", "--webhook", "nobody"]).json(), json!({"items": []}));
    assert_eq!(count(&list(&["--environment", "elsewhere"]).json()), 0);
    refused(&list(&["--from", "tomorrow"]), 2, "2027-01-01");
    let shown = run(dir, &["deliveries", "list", "--limit", "1"]).stdout();
    assert!(shown.contains("automatic") && shown.contains("--cursor"), "{shown}");
    assert_eq!(count(&run(dir, &["calls", "list", "--json", "--all", "--action", "publish"]).json()), 3);
    assert_eq!(count(&run(dir, &["calls", "list", "--json", "--to", "1h"]).json()), 0);

    let balance = run(dir, &["balance", "--json"]).json();
    assert_eq!((&balance["states"]["delivered"], &balance["total"]), (&json!(3), &json!(3)), "{balance}");
    assert!(run(dir, &["balance"]).stdout().contains("deliver.fresh"), "queues, for who rules the instance");
    let again = run(dir, &["events", "resend", "e2", "--webhook", "w", "--json"]).json();
    assert_eq!((&again["generation"], &again["state"]), (&json!(1), &json!("pending")));
    assert_eq!(listener.line()["headers"]["postrider-event"], "e2");
    refused(&run(dir, &["events", "resend", "e9", "--webhook", "w"]), 5, "e9");
    assert_eq!(run(dir, &["events", "show", "e2", "--environment", "elsewhere"]).code(), 5);
    assert_eq!(run(dir, &["events", "explain", "e2", "--environment", "master"]).code(), 0);
    assert_eq!((listener.terminate(), server.terminate()), (0, 0));
}

#[test]
fn a_webhook_is_shown_switched_off_and_on_given_a_new_secret_and_its_calls_are_listed() {
    let dir = tempdir().expect("a folder");
    let dir = dir.path();
    let server = server(dir);
    let (mut listener, said) = Running::start(dir, &["listen", "--json"]);
    let url = said["listening"].as_str().expect("an address");
    let made = [
        "webhooks",
        "create",
        "--json",
        "--id",
        "w",
        "--name",
        "w",
        "--url",
        url,
        "--topic",
        "Entry.*",
        "--dialect",
        "standard-webhooks",
        "--secret-header",
        "X-Key=hush",
    ];
    let first = run(dir, &made).json()["signing"]["secret"].clone();
    let webhook = |command: &str, more: &[&str]| run(dir, &[&["webhooks", command, "w"], more].concat());
    assert_eq!(webhook("health", &[]).stdout().trim(), "It has not been called yet.");
    let shown = webhook("show", &[]).stdout();
    assert!(shown.contains("Entry.*") && shown.contains("X-Key: •••") && !shown.contains("hush"), "{shown}");
    assert_eq!(webhook("disable", &["--json"]).json()["active"], false);
    assert!(webhook("show", &[]).stdout().contains("no, since"));
    assert_eq!(webhook("enable", &["--json"]).json()["active"], true);

    let rotated = webhook("rotate-secret", &["--json", "--overlap", "2h"]).json();
    assert!(rotated["signing"]["secret"].is_string() && rotated["signing"]["secret"] != first, "{rotated}");
    refused(&webhook("rotate-secret", &["--overlap", "100days"]), 6, "overlap");
    let (mut tail, _) = Running::start(dir, &["calls", "tail", "--json", "--calls", "1"]);
    publish(dir, "e1");
    let signatures = listener.line()["headers"]["webhook-signature"].as_str().expect("signed").to_owned();
    assert_eq!(signatures.split(' ').count(), 2, "the old secret signs as well: {signatures}");
    tail.line();

    assert_eq!(webhook("health", &["--json"]).json()["calls"], json!({"total": 1, "healthy": 1}));
    let calls = webhook("calls", &["--json"]).json();
    let call = calls["items"][0]["sys"]["id"].as_str().expect("an id");
    assert!(webhook("calls", &[]).stdout().contains(call));
    assert!(webhook("calls", &[call]).stdout().contains("answered 200"));
    assert_eq!(count(&webhook("calls", &["--json", "--skip", "1"]).json()), 0);
    assert_eq!(run(dir, &["webhooks", "calls", "nobody"]).code(), 5);
    refused(&webhook("update", &[]), 6, "nothing was changed");
    assert_eq!((listener.terminate(), server.terminate()), (0, 0));
}

#[test]
fn what_a_space_settles_is_set_shown_and_deleted_and_a_secret_is_shown_once() {
    let dir = tempdir().expect("a folder");
    let dir = dir.path();
    let server = server(dir);
    let secret = |more: &[&str]| run(dir, &[&["settings", "signing-secret"], more].concat());
    refused(&secret(&["show"]), 5, "signing secret");
    let drawn = secret(&["set", "--json"]).json()["value"].as_str().expect("a drawn secret").to_owned();
    assert_eq!(drawn.len(), 64, "{drawn}");
    let shown = secret(&["show"]).stdout();
    assert!(shown.contains(&drawn[60..]) && !shown.contains(&drawn), "{shown}");
    let given = "A".repeat(60) + "wxyz";
    let set = secret(&["set", "--secret", &given]).stdout();
    assert!(set.contains("wxyz") && !set.contains(&given), "{set}");
    refused(&secret(&["set", "--secret", "short"]), 6, "64");
    assert_eq!((secret(&["delete"]).code(), secret(&["show"]).code()), (0, 5));

    let policy = |more: &[&str]| run(dir, &[&["settings", "retry-policy"], more].concat());
    assert_eq!(policy(&["show"]).code(), 5);
    assert_eq!(policy(&["set", "--max-retries", "15", "--json"]).json()["maxRetries"], 15);
    assert!(policy(&["show"]).stdout().contains("15"));
    refused(&policy(&["set", "--max-retries", "1"]), 6, "maxRetries");
    assert_eq!((policy(&["delete"]).code(), policy(&["show"]).code()), (0, 5));

    let constants = |more: &[&str]| run(dir, &[&["settings", "constants"], more].concat());
    assert!(constants(&["show"]).stdout().contains("no constants"));
    assert_eq!(constants(&["set"]).code(), 2, "nothing to set");
    assert_eq!(constants(&["set", "--site-id", "205", "--json"]).json()["site_id"], "205");
    assert!(constants(&["show"]).stdout().contains("site_id 205"));
    refused(&constants(&["set", "--api-key", ""]), 6, "api_key");
    assert_eq!(constants(&["delete"]).code(), 0);
    assert!(constants(&["show"]).stdout().contains("no constants"));
    assert_eq!(server.terminate(), 0);
}

#[test]
fn the_public_key_of_a_space_is_shown_to_anybody_once_there_is_one() {
    let dir = tempdir().expect("a folder");
    let dir = dir.path();
    let server = server(dir);
    let key = ["settings", "public-key", "--token", "nonsense"];
    refused(&run(dir, &key), 5, "key");
    let made = ["webhooks", "create", "--name", "w", "--url", "https://example.com/", "--topic", "Entry.*"];
    let made = run(dir, &[&made[..], &["--dialect", "contentstack"]].concat());
    assert_eq!(made.code(), 0, "{}", made.stderr());
    assert!(run(dir, &key).stdout().contains("BEGIN RSA PUBLIC KEY"));
    assert_eq!(server.terminate(), 0);
}

#[test]
fn the_openapi_document_is_printed_for_anybody() {
    let dir = tempdir().expect("a folder");
    let dir = dir.path();
    let server = server(dir);
    let printed = run(dir, &["openapi", "--token", "nonsense"]).json();
    assert_eq!(printed["openapi"].as_str().and_then(|version| version.get(..3)), Some("3.1"));
    assert!(printed["paths"]["/openapi.json"].is_object());
    assert_eq!(server.terminate(), 0);
}

#[test]
fn a_ping_goes_out_and_a_preview_shows_the_request_that_would_and_sends_nothing() {
    let dir = tempdir().expect("a folder");
    let dir = dir.path();
    let server = server(dir);
    let (mut listener, said) = Running::start(dir, &["listen", "--json"]);
    let url = said["listening"].as_str().expect("an address");
    let made =
        ["webhooks", "create", "--json", "--id", "w", "--name", "w", "--url", url, "--topic", "Asset.*"];
    let mut webhook = run(dir, &made).json();
    let event = json!({"type": "Entry", "action": "publish", "resource": {"id": "1"}, "data": {"a": 1}});
    std::fs::write(dir.join("event.json"), event.to_string()).expect("a file");
    let preview = run(dir, &["webhooks", "preview", "w", "--event", "event.json"]).stdout();
    assert!(preview.contains("would not be called") && preview.contains(url), "{preview}");
    webhook["topics"] = json!(["Entry.*"]);
    std::fs::write(dir.join("webhook.json"), webhook.to_string()).expect("a file");
    let draft = ["webhooks", "preview", "-f", "webhook.json", "--event", "event.json", "--json"];
    assert_eq!(run(dir, &draft).json()["decision"]["matched"], true);
    assert!(run(dir, &["webhooks", "preview", "w"]).stdout().contains("Test event"));
    refused(&run(dir, &["webhooks", "preview", "w", "--event-id", "nobody"]), 5, "nobody");
    refused(&run(dir, &["webhooks", "preview"]), 2, "WEBHOOK");

    assert_eq!(run(dir, &["webhooks", "ping", "w"]).code(), 0);
    let first = listener.line();
    assert!(first["body"].as_str().expect("a body").contains("ping"), "nothing was sent before: {first}");
    assert_eq!((listener.terminate(), run(dir, &["webhooks", "ping", "w"]).code()), (0, 1), "nobody answers");
    assert_eq!(server.terminate(), 0);
}

#[test]
fn a_source_is_made_under_an_id_shown_and_changed() {
    let dir = tempdir().expect("a folder");
    let dir = dir.path();
    let server = server(dir);
    let make = ["sources", "create", "--json", "--id", "blog", "--name", "Blog", "--dialect", "cometcms"];
    let secret = run(dir, &make).json()["secret"].as_str().expect("a drawn secret").to_owned();
    refused(&run(dir, &make), 6, "already");
    let changed = run(dir, &["sources", "update", "blog", "--name", "The blog", "--json"]).json();
    assert_eq!((&changed["name"], &changed["dialect"]), (&json!("The blog"), &json!("cometcms")));
    let shown = run(dir, &["sources", "show", "blog", "--environment", "dev"]).stdout();
    assert!(shown.contains("/environments/dev/sources/blog") && !shown.contains(&secret), "{shown}");
    assert_eq!(run(dir, &["sources", "show", "other"]).code(), 5);
    std::fs::write(dir.join("webhook.json"), "{}").expect("a file");
    let send = ["sources", "send", "blog", "-f", "webhook.json", "--header", "X-CometCMS-Signature=nonsense"];
    let sent = run(dir, &send);
    refused(&sent, 4, "X-CometCMS-Signature");
    assert!(!sent.stderr().contains("--token"), "no token would help: {}", sent.stderr());
    assert_eq!(server.terminate(), 0);
}
