//! `postrider calls export`: all pages, line by line.

use std::collections::BTreeSet;

use serde_json::Value;
use tempfile::tempdir;

use crate::process::{Running, run};

/// More than two pages.
const EVENTS: usize = 130;

#[test]
fn every_call_is_one_line_over_all_pages_and_filters_narrow_them() {
    let dir = tempdir().expect("a folder");
    let dir = dir.path();
    let (server, _) = Running::start(dir, &["serve", "--json", "--bind", "127.0.0.1:0"]);
    let empty = run(dir, &["calls", "export"]);
    assert_eq!((empty.code(), empty.stdout().as_str()), (0, ""), "{}", empty.stderr());
    let count = EVENTS.to_string();
    let (mut listener, said) = Running::start(dir, &["listen", "--json", "--calls", &count]);
    let url = said["listening"].as_str().expect("an address");
    run(dir, &["webhooks", "create", "--json", "--name", "w", "--url", url, "--topic", "Entry.*"]).json();
    let (mut tail, _) = Running::start(dir, &["calls", "tail", "--json", "--calls", &count]);
    let events = (0..EVENTS).map(|n| {
        format!(
            "{{\"id\":\"e{n}\",\"type\":\"Entry\",\"action\":\"publish\",\"resource\":{{\"id\":\"{n}\"}}}}\n"
        )
    });
    std::fs::write(dir.join("events.ndjson"), events.collect::<String>()).expect("a file");
    assert_eq!(run(dir, &["events", "publish", "-f", "events.ndjson"]).code(), 0);
    // Read at once: a receiver whose output nobody takes answers nobody.
    for _ in 0..EVENTS {
        listener.line();
    }
    // The tail shows a call once it is on record.
    let recorded: BTreeSet<String> = (0..EVENTS).map(|_| id(&tail.line())).collect();
    assert_eq!((tail.wait(), recorded.len()), (0, EVENTS));

    let exported = run(dir, &["calls", "export", "--state", "delivered"]).stdout();
    let lines: Vec<Value> =
        exported.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect();
    assert_eq!(lines.len(), EVENTS);
    assert_eq!(lines.iter().map(id).collect::<BTreeSet<_>>(), recorded, "each once");
    let one = run(dir, &["calls", "export", "--event", "e7"]).stdout();
    assert_eq!(one.lines().count(), 1, "{one}");
    assert_eq!(run(dir, &["calls", "export", "--state", "given_up"]).stdout(), "");
    assert_eq!(run(dir, &["calls", "export", "--space", "elsewhere"]).code(), 5);
    assert_eq!(listener.wait(), 0);
    assert_eq!(server.terminate(), 0);
}

fn id(call: &Value) -> String {
    call["sys"]["id"].as_str().expect("an id").to_owned()
}
