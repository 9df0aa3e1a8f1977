//! The committed document is the one that the code makes, and it says of every operation what a reader needs.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

const RENEW: &str = "UPDATE_OPENAPI=1 cargo test -p postrider-api openapi";

fn committed() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json")
}

/// Every operation: method, path and what is said of it.
pub(crate) fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            all.push((method.to_uppercase(), path.clone(), operation.clone()));
        }
    }
    all
}

#[test]
#[expect(clippy::disallowed_methods, reason = "whoever changes the API says so to this test")]
fn the_committed_openapi_document_is_the_one_the_code_makes() {
    let made = format!("{}\n", serde_json::to_string_pretty(&postrider_api::document()).expect("JSON"));
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        fs::write(committed(), &made).expect("docs/openapi.json can be written");
    }
    let stored = fs::read_to_string(committed()).unwrap_or_default();
    let differs = made.lines().zip(stored.lines()).position(|(made, stored)| made != stored);
    assert!(
        made == stored,
        "docs/openapi.json is not what the code makes (first in line {:?}); renew it: {RENEW}",
        differs.map(|line| line + 1)
    );
}

#[test]
fn every_openapi_operation_has_a_name_a_tag_a_summary_and_a_permission() {
    let document = postrider_api::document();
    let tags: BTreeSet<&str> =
        document["tags"].as_array().expect("tags").iter().filter_map(|tag| tag["name"].as_str()).collect();
    let mut names = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let name = operation["operationId"].as_str().unwrap_or_default().to_owned();
        assert!(!name.is_empty() && names.insert(name), "{method} {path} has no operationId of its own");
        let tag = operation["tags"][0].as_str().unwrap_or_default();
        assert!(tags.contains(tag), "{method} {path} has the unknown tag {tag:?}");
        for text in ["summary", "x-permission"] {
            assert!(operation[text].is_string(), "{method} {path} has no {text}");
        }
    }
}

#[test]
fn every_reference_within_the_openapi_document_leads_somewhere() {
    let document = postrider_api::document();
    let mut open = vec![&document];
    let mut seen = 0;
    while let Some(value) = open.pop() {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            let pointer = reference.strip_prefix('#').expect("only local references");
            assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
            seen += 1;
        }
        match value {
            Value::Array(items) => open.extend(items),
            Value::Object(fields) => open.extend(fields.values()),
            _ => {}
        }
    }
    assert!(seen > 100, "only {seen} references");
}
