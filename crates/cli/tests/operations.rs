//! Every operation of the API has a command (`docs/openapi.json` against a table), and every line of the table parses.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use clap::{CommandFactory, Parser};
use postrider_cli::Cli;
use serde_json::Value;

#[path = "binary/lines.rs"]
mod lines;

use lines::Line::{self, Command, Exempt};
use lines::TABLE;

/// The operation ids of the committed document.
fn documented() -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let text = std::fs::read_to_string(path).expect("the committed document");
    let document: Value = serde_json::from_str(&text).expect("JSON");
    let items = document["paths"].as_object().expect("paths").values();
    let operations = items.flat_map(|item| item.as_object().expect("operations").values());
    operations.filter_map(|operation| operation["operationId"].as_str()).map(str::to_owned).collect()
}

#[test]
fn every_operation_of_the_api_has_a_command_and_no_line_is_out_of_date() {
    let table: BTreeMap<&str, &Line> = TABLE.iter().map(|(operation, line)| (*operation, line)).collect();
    assert_eq!(table.len(), TABLE.len(), "an operation stands twice in the table");
    let documented = documented();
    let missing: Vec<_> = documented.iter().filter(|name| !table.contains_key(name.as_str())).collect();
    assert!(missing.is_empty(), "no command for {missing:?}");
    let stale: Vec<_> = table.keys().filter(|name| !documented.contains(**name)).collect();
    assert!(stale.is_empty(), "no such operation: {stale:?}");
}

#[test]
fn every_command_of_the_table_parses() {
    for (operation, line) in TABLE {
        let line = match line {
            Command(line) => line,
            Exempt(why) => {
                assert!(why.len() > 10, "{operation} has no command, and nobody says why");
                continue;
            }
        };
        let words = std::iter::once("postrider").chain(line.split(' '));
        if let Err(error) = Cli::try_parse_from(words) {
            panic!("{operation}: postrider {line}: {error}");
        }
    }
    assert!(
        Cli::try_parse_from(["postrider", "webhooks", "fly"]).is_err(),
        "what is no command does not parse"
    );
    Cli::command().debug_assert();
}
