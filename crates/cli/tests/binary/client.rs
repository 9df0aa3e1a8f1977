//! The client commands against a running server, from the folder it was started in.

use std::path::Path;

use serde_json::Value;
use tempfile::tempdir;

use crate::process::{Running, run};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn server(dir: &Path) -> Running {
    Running::start(dir, &["serve", "--json", "--bind", "127.0.0.1:0"]).0
}

/// Makes a webhook that calls `url`; its id.
fn webhook(dir: &Path, url: &str) -> String {
    let created = run(
        dir,
        &[
            "webhooks",
            "create",
            "--json",
            "--name",
            "search",
            "--url",
            url,
            "--topic",
            "Entry.publish",
            "--dialect",
            "standard-webhooks",
            "--secret",
            SECRET,
            "--retry",
            "1s,2s",
            "--secret-header",
            "X-Key=hush",
        ],
    )
    .json();
    created["sys"]["id"].as_str().expect("an id").to_owned()
}

fn publish(dir: &Path, id: &str) {
    let published = run(
        dir,
        &[
            "events",
            "publish",
            "--json",
            "--id",
            id,
            "--type",
            "Entry",
            "--action",
            "publish",
            "--resource-id",
            "5KsD",
            "--data",
            "{\"title\": \"Hello\"}",
        ],
    )
    .json();
    assert_eq!(published["accepted"][0]["id"], id, "{published}");
}

fn listen(dir: &Path, calls: &str) -> (Running, String) {
    let (listener, said) = Running::start(dir, &["listen", "--json", "--secret", SECRET, "--calls", calls]);
    (listener, said["listening"].as_str().expect("an address").to_owned())
}

#[test]
fn an_event_goes_in_and_a_verified_call_comes_out_and_is_on_record() {
    let dir = tempdir().expect("a folder");
    let dir = dir.path();
    let server = server(dir);
    let (mut listener, url) = listen(dir, "2");
    let id = webhook(dir, &url);
    let (mut tail, _) = Running::start(dir, &["calls", "tail", "--json", "--calls", "1"]);
    publish(dir, "story-1");

    let received = listener.line();
    assert_eq!(received["verified"], true, "{received}");
    assert!(
        received["body"].as_str().expect("a body").contains("{\"title\": \"Hello\"}"),
        "byte for byte: {received}"
    );
    let call = tail.line();
    assert_eq!(
        (&call["statusCode"], &call["state"]),
        (&Value::from(200), &Value::from("delivered")),
        "{call}"
    );
    assert_eq!(tail.wait(), 0);
    assert!(!call.to_string().contains("hush"), "secrets stay out of the record: {call}");

    let call_id = call["sys"]["id"].as_str().expect("an id");
    let shown = run(dir, &["calls", "show", call_id]).stdout();
    assert!(shown.contains("answered 200") && shown.contains("webhook-signature"), "{shown}");
    assert!(run(dir, &["calls", "list", "--webhook", &id]).stdout().contains(call_id));
    let explained = run(dir, &["events", "explain", "story-1"]).stdout();
    assert!(explained.contains("search") && explained.contains("topics[0] Entry.publish"), "{explained}");
    assert!(run(dir, &["events", "show", "story-1"]).stdout().contains("Hello"));

    run(dir, &["calls", "resend", "--json", call_id]).json();
    let again = listener.line();
    assert_eq!(again["headers"]["webhook-id"], received["headers"]["webhook-id"], "a resend keeps its id");
    assert_eq!(listener.wait(), 0);
    assert_eq!(server.terminate(), 0);
}

#[test]
fn a_webhook_is_listed_changed_and_deleted() {
    let dir = tempdir().expect("a folder");
    let dir = dir.path();
    let server = server(dir);
    let id = webhook(dir, "https://example.com/hook");
    let listed = run(dir, &["webhooks", "list"]).stdout();
    assert!(listed.contains(&id) && listed.contains("Entry.publish"), "{listed}");
    let updated =
        run(dir, &["webhooks", "update", &id, "--json", "--name", "find", "--topic", "Asset.*"]).json();
    assert_eq!(
        (&updated["name"], &updated["topics"][0]),
        (&Value::from("find"), &Value::from("Asset.*")),
        "{updated}"
    );
    assert_eq!(updated["url"], "https://example.com/hook", "what was not given stays");
    assert_eq!(updated["headers"][0]["secret"], true, "a secret header stays");
    assert_eq!(run(dir, &["webhooks", "delete", &id]).code(), 0);
    assert_eq!(run(dir, &["webhooks", "delete", &id]).code(), 5);
    assert_eq!(server.terminate(), 0);
}

#[test]
fn a_test_call_says_what_the_receiver_answered() {
    let dir = tempdir().expect("a folder");
    let dir = dir.path();
    let server = server(dir);
    let (listener, listening) = Running::start(dir, &["listen", "--json", "--status", "503", "--calls", "1"]);
    let url = listening["listening"].as_str().expect("an address");
    let created =
        run(dir, &["webhooks", "create", "--json", "--name", "x", "--url", url, "--topic", "*.*"]).json();
    let ended = run(dir, &["webhooks", "test", created["sys"]["id"].as_str().expect("an id")]);
    assert_eq!(ended.code(), 1);
    assert!(ended.stdout().contains("503"), "{}", ended.stdout());
    assert_eq!(listener.wait(), 0);
    assert_eq!(server.terminate(), 0);
}

#[test]
fn errors_name_their_cause_and_next_step_and_have_their_own_exit_code() {
    let dir = tempdir().expect("a folder");
    let dir = dir.path();
    let nowhere = run(dir, &["webhooks", "list"]);
    assert_eq!(nowhere.code(), 6);
    assert!(nowhere.stderr().contains("--server"), "{}", nowhere.stderr());
    let away = run(dir, &["webhooks", "list", "--server", "http://127.0.0.1:9", "--token", "x"]);
    assert_eq!(away.code(), 3);
    assert!(away.stderr().contains("postrider serve"), "{}", away.stderr());

    let server = server(dir);
    let cases: [(&[&str], i32, &str); 6] = [
        (&["webhooks", "list", "--token", "prt_wrong"], 4, "token"),
        (&["webhooks", "list", "--space", "elsewhere"], 5, "elsewhere"),
        (&["events", "show", "nobody"], 5, "nobody"),
        (&["webhooks", "create", "--name", "x", "--url", "ftp://example.com/", "--topic", "*.*"], 6, "url"),
        (&["events", "publish", "-f", "missing.json"], 6, "missing.json"),
        (&["webhooks", "create", "--nmae", "x"], 2, "--name"),
    ];
    for (arguments, code, part) in cases {
        let ended = run(dir, arguments);
        assert_eq!(ended.code(), code, "{arguments:?}: {}", ended.stderr());
        assert!(ended.stderr().contains(part), "{arguments:?}: {}", ended.stderr());
    }
    std::fs::write(
        dir.join("events.ndjson"),
        "{\"type\":\"Entry\",\"action\":\"publish\",\"resource\":{\"id\":\"1\"}}\n{\"type\":1}\n",
    )
    .expect("a file");
    let ended = run(dir, &["events", "publish", "-f", "events.ndjson"]);
    assert_eq!(ended.code(), 6, "{}", ended.stderr());
    assert_eq!(server.terminate(), 0);
}
