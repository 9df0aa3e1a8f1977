//! `postrider webhooks export` and `apply`: webhooks kept in a file.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::process::{Running, run};

fn server(dir: &Path) -> Running {
    Running::start(dir, &["serve", "--json", "--bind", "127.0.0.1:0"]).0
}

fn write(dir: &Path, file: &Value) {
    std::fs::write(dir.join("webhooks.json"), file.to_string()).expect("a file");
}

#[test]
fn what_is_exported_is_applied_without_a_change_and_has_no_secret() {
    let dir = tempdir().expect("a folder");
    let dir = dir.path();
    let server = server(dir);
    let made = [
        "webhooks",
        "create",
        "--json",
        "--name",
        "search",
        "--url",
        "https://example.com/",
        "--topic",
        "*.publish",
        "--dialect",
        "standard-webhooks",
        "--retry",
        "1s,2s",
        "--secret-header",
        "X-Key=hush",
        "--timeout",
        "5s",
        "--coalesce",
        "5s:webhook",
        "--method",
        "PUT",
    ];
    let made = run(dir, &made).json();
    run(
        dir,
        &[
            "webhooks",
            "create",
            "--name",
            "other",
            "--url",
            "https://example.com/o",
            "--topic",
            "Asset.*",
            "--retry",
            "contentful",
        ],
    );
    let exported = run(dir, &["webhooks", "export"]);
    let text = exported.stdout();
    let secret = made["signing"]["secret"].as_str().expect("a drawn secret");
    assert!(!text.contains("hush") && !text.contains(secret) && !text.contains("sys"), "{text}");
    let file = exported.json();
    assert_eq!(file["webhooks"].as_array().map(Vec::len), Some(2), "{text}");
    write(dir, &file);
    let applied = run(dir, &["webhooks", "apply", "-f", "webhooks.json"]);
    assert_eq!((applied.code(), applied.stdout().trim()), (0, "Nothing to change."), "{}", applied.stderr());
    assert_eq!(server.terminate(), 0);
}

#[test]
fn a_file_makes_changes_and_deletes_after_a_diff() {
    let dir = tempdir().expect("a folder");
    let dir = dir.path();
    let server = server(dir);
    let hook = |id: &str, url: &str| json!({"id": id, "name": id, "url": url, "topics": ["Entry.*"]});
    let mut signed = hook("a", "https://example.com/1");
    signed["dialect"] = json!("standard-webhooks");
    write(dir, &json!({"webhooks": [signed, hook("b", "https://example.com/1")]}));
    let apply = |more: &[&str]| run(dir, &[&["webhooks", "apply", "-f", "webhooks.json"], more].concat());

    let unasked = apply(&[]);
    assert_eq!(unasked.code(), 6, "{}", unasked.stdout());
    assert!(
        unasked.stdout().contains("+ create a") && unasked.stderr().contains("--yes"),
        "{}",
        unasked.stderr()
    );
    assert_eq!(apply(&["--dry-run"]).code(), 0);
    assert_eq!(
        run(dir, &["webhooks", "list", "--json"]).json()["items"],
        json!([]),
        "nothing was made so far"
    );
    let made = apply(&["--yes"]);
    assert_eq!(made.code(), 0, "{}", made.stderr());
    assert!(made.stdout().contains("created b") && made.stdout().contains("whsec_"), "{}", made.stdout());
    assert_eq!(apply(&[]).stdout().trim(), "Nothing to change.");

    signed["url"] = json!("https://example.com/2");
    signed["timeout"] = json!("7s");
    write(dir, &json!([signed]));
    let shown = apply(&["--dry-run"]).stdout();
    for part in [
        "~ update a",
        "- url: \"https://example.com/1\"",
        "+ url: \"https://example.com/2\"",
        "1 not in the file",
    ] {
        assert!(shown.contains(part), "{part} is not in:\n{shown}");
    }
    let done = apply(&["--prune", "--yes", "--json"]).json();
    assert_eq!(
        done["done"],
        json!([{"action": "update", "id": "a"}, {"action": "delete", "id": "b"}]),
        "{done}"
    );
    let left = run(dir, &["webhooks", "list", "--json"]).json();
    assert_eq!(left["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&left["items"][0]["url"], &left["items"][0]["sys"]["version"]),
        (&json!("https://example.com/2"), &json!(1))
    );
    assert!(left["items"][0]["signing"]["secrets"].is_array(), "its secret stays: {left}");
    assert_eq!(apply(&["--prune"]).stdout().trim(), "Nothing to change.");
    assert_eq!(server.terminate(), 0);
}

#[test]
fn a_file_that_cannot_be_applied_changes_nothing_and_says_where() {
    let dir = tempdir().expect("a folder");
    let dir = dir.path();
    let server = server(dir);
    let cases = [
        (json!({"hooks": 1}), "webhooks export"),
        (json!([{"name": "x"}]), "webhooks[0] has no id"),
        (json!([{"id": "a"}, {"id": "a"}]), "webhooks[1]"),
        (
            json!([{"id": "a", "name": "x", "url": "ftp://example.com", "topics": ["*.*"]}]),
            "webhooks.json: webhooks[0]",
        ),
    ];
    for (file, part) in cases {
        write(dir, &file);
        let ended = run(dir, &["webhooks", "apply", "--yes", "-f", "webhooks.json"]);
        assert_eq!(ended.code(), 6, "{file}: {}", ended.stderr());
        assert!(ended.stderr().contains(part), "{part} is not in:\n{}", ended.stderr());
    }
    // All that is wrong with all of them, before anything is changed.
    let hook =
        |id: &str, url: &str, topic: &str| json!({"id": id, "name": "x", "url": url, "topics": [topic]});
    let good = hook("good", "https://example.com", "*.*");
    write(dir, &json!([good, hook("b", "ftp://x", "*.*"), hook("c", "https://example.com", "nonsense")]));
    let ended = run(dir, &["webhooks", "apply", "--yes", "-f", "webhooks.json"]);
    assert_eq!(ended.code(), 6, "{}", ended.stdout());
    for part in ["nothing was changed", "webhooks[1] (\"b\")", "url: ", "webhooks[2] (\"c\")", "topics[0]"] {
        assert!(ended.stderr().contains(part), "{part} is not in:\n{}", ended.stderr());
    }
    std::fs::write(dir.join("webhooks.json"), "[\n  {\"id\": \"a\",\n   \"name\": oops}\n]").expect("a file");
    let ended = run(dir, &["webhooks", "apply", "--dry-run", "-f", "webhooks.json"]);
    assert_eq!(ended.code(), 6, "{}", ended.stdout());
    assert!(
        ended.stderr().contains("webhooks.json") && ended.stderr().contains("line 3"),
        "{}",
        ended.stderr()
    );
    assert_eq!(run(dir, &["webhooks", "list", "--json"]).json()["items"], json!([]));
    assert_eq!(server.terminate(), 0);
}

/// A webhook with every field that there is, each in the way a person may write it.
fn with_every_field() -> Value {
    json!({
        "id": "every", "name": "every", "url": "https://example.com/hook", "method": "PUT", "active": false,
        "topics": ["Entry.publish", "Asset.*"],
        "triggers": [{"type": "Entry", "actions": ["save"], "contentTypes": ["page"], "entities": []}],
        "contentTypes": ["blogPost"], "entities": ["5KsD"], "changedFields": ["title"], "states": ["published"],
        "filters": [{"equals": [{"doc": "sys.environment.sys.id"}, "master"]},
                    {"not": {"in": [{"doc": "sys.id"}, ["a", "b"]]}}],
        "headers": [{"key": "X-A", "value": "b"}, {"key": "X-Key", "value": "hush-hush", "secret": true}],
        "httpBasicUsername": "carl", "httpBasicPassword": "hush-hush",
        "dialect": "standard-webhooks", "signing": true,
        "retryPolicy": {"maxAttempts": 3, "initial": "2s"}, "timeout": "5s",
        "coalesce": {"window": "1m"}, "rateLimit": {"calls": 5},
    })
}

#[test]
fn every_field_survives_the_round_trip_and_no_secret_is_shown_or_lost() {
    let dir = tempdir().expect("a folder");
    let dir = dir.path();
    let server = server(dir);
    let named = json!({"id": "named", "name": "named", "url": "https://example.com", "topics": ["*.*"],
        "retryPolicy": "contentful", "coalesce": false, "signing": {"secret": "hush-hush-hush-hush-hush"}});
    let made_otherwise = json!([
        {"id": "template", "name": "t", "url": "https://example.com", "topics": ["*.*"], "dialect": "datocms",
         "options": {"payloadApiVersion": "2"}, "template": {"body": "{\"a\": \"{{entity.id}}\"}"}},
        {"id": "transformed", "name": "t", "url": "https://example.com", "topics": ["Entry.*"], "dialect": "contentful",
         "transformation": {"method": "POST", "body": {"timeout": "10s", "n": 1.0}}},
    ]);
    // Several documents in one file, one after the other.
    let documents = format!("{}\n{named}\n{made_otherwise}\n", with_every_field());
    std::fs::write(dir.join("two.json"), documents).expect("a file");
    let apply = |file: &str, more: &[&str]| run(dir, &[&["webhooks", "apply", "-f", file], more].concat());
    let made = apply("two.json", &["--yes"]);
    assert_eq!(made.code(), 0, "{}", made.stderr());
    assert_eq!(apply("two.json", &[]).stdout().trim(), "Nothing to change.", "however it is written");
    let before = run(dir, &["webhooks", "export"]).stdout();
    assert_eq!(before, run(dir, &["webhooks", "export"]).stdout(), "in one order");
    std::fs::write(dir.join("exported.json"), &before).expect("a file");
    assert_eq!(apply("exported.json", &["--prune"]).stdout().trim(), "Nothing to change.");

    // A change of another field keeps the secrets, which the exported file does not have.
    let changed = before.replace("https://example.com/hook", "https://example.com/other");
    std::fs::write(dir.join("exported.json"), changed).expect("a file");
    let done = apply("exported.json", &["--yes"]);
    assert_eq!(done.code(), 0, "{}", done.stderr());
    for said in [made.stdout(), before, done.stdout()] {
        assert!(!said.contains("hush"), "{said}");
    }
    let every = run(dir, &["webhooks", "show", "every", "--json"]).json();
    assert_eq!(every["headers"][1], json!({"key": "X-Key", "secret": true}), "{every}");
    assert_eq!((&every["httpBasicUsername"], &every["active"]), (&json!("carl"), &json!(false)), "{every}");
    let preview = run(dir, &["webhooks", "preview", "every"]).stdout();
    assert!(preview.contains("PUT https://example.com/other") && !preview.contains("hush"), "{preview}");
    assert!(preview.to_lowercase().contains("authorization: "), "the password is still there: {preview}");
    assert_eq!(server.terminate(), 0);
}
