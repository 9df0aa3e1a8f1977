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
            "failed to create a",
        ),
    ];
    for (file, part) in cases {
        write(dir, &file);
        let ended = run(dir, &["webhooks", "apply", "--yes", "-f", "webhooks.json"]);
        assert_eq!(ended.code(), 6, "{file}: {}", ended.stderr());
        assert!(ended.stderr().contains(part), "{part} is not in:\n{}", ended.stderr());
    }
    assert_eq!(run(dir, &["webhooks", "list", "--json"]).json()["items"], json!([]));
    assert_eq!(server.terminate(), 0);
}
