//! Every operation of the API has a command (`docs/openapi.json` against a table), and every line of the table parses.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use clap::{CommandFactory, Parser};
use postrider_cli::Cli;
use serde_json::Value;

/// What an operation is on the command line.
enum Line {
    /// This does it.
    Command(&'static str),
    /// There is none, and why.
    Exempt(&'static str),
}

use Line::{Command, Exempt};

/// Operation ids of the document, each with its command.
const TABLE: &[(&str, Line)] = &[
    ("createSource", Command("sources create --name blog --dialect cometcms")),
    ("createToken", Command("tokens create --name cms --role publisher")),
    ("createWebhook", Command("webhooks create --name search --url https://example.com/ --topic *.*")),
    ("deleteRetryPolicy", Command("settings retry-policy delete")),
    ("deleteSigningSecret", Command("settings signing-secret delete")),
    ("deleteSource", Command("sources delete blog")),
    ("deleteWebhook", Command("webhooks delete search")),
    ("disableWebhook", Command("webhooks disable search")),
    ("dropParked", Command("parked drop 7")),
    ("enableWebhook", Command("webhooks enable search")),
    ("explainEnvironmentEvent", Command("events explain story-1 --environment master")),
    ("explainEvent", Command("events explain story-1")),
    ("getBalance", Command("balance")),
    ("getCall", Command("calls show 01a1feb0-af61-7e7a-b8ef-5ef530efe0ea")),
    ("getDocs", Exempt("pages for a browser; the command line has --help")),
    ("getDocsStyle", Exempt("the style sheet of these pages")),
    ("getEnvironment", Command("environments show staging")),
    ("getEnvironmentEvent", Command("events show story-1 --environment master")),
    ("getEvent", Command("events show story-1")),
    ("getMe", Command("tokens whoami")),
    ("getOpenapi", Command("openapi")),
    ("getParked", Command("parked show 7")),
    ("getPublicKeys", Command("settings public-key --space shop")),
    ("getRetryPolicy", Command("settings retry-policy show")),
    ("getSigningSecret", Command("settings signing-secret show")),
    ("getSource", Command("sources show blog")),
    ("getSpace", Command("spaces show shop")),
    ("getWebhook", Command("webhooks show search")),
    ("getWebhookCall", Command("webhooks calls search 01a1feb0-af61-7e7a-b8ef-5ef530efe0ea")),
    ("getWebhookHealth", Command("webhooks health search")),
    ("listCalls", Command("calls list --from 2h --state given_up")),
    ("listDeliveries", Command("deliveries list --status pending --all")),
    ("listEnvironments", Command("environments list --space shop")),
    ("listKeys", Command("keys list")),
    ("listParked", Command("parked list")),
    ("listSources", Command("sources list")),
    ("listSpaces", Command("spaces list")),
    ("listTokens", Command("tokens list")),
    ("listWebhookCalls", Command("webhooks calls search")),
    ("listWebhooks", Command("webhooks list")),
    ("pingWebhook", Command("webhooks ping search")),
    ("previewDraft", Command("webhooks preview -f webhook.json --event event.json")),
    ("previewWebhook", Command("webhooks preview search --event-id story-1")),
    ("publishEvents", Command("events publish -f events.ndjson")),
    ("putEnvironment", Command("environments create staging")),
    ("putRetryPolicy", Command("settings retry-policy set --max-retries 15")),
    ("putSigningSecret", Command("settings signing-secret set")),
    ("putSource", Command("sources update blog --name Blog")),
    ("putSpace", Command("spaces create shop")),
    ("putWebhook", Command("webhooks update search --url https://example.com/")),
    ("receiveWebhook", Command("sources send blog -f webhook.json")),
    ("redriveParked", Command("parked redrive 7")),
    ("resealSecrets", Command("keys reseal")),
    ("resendCall", Command("calls resend 01a1feb0-af61-7e7a-b8ef-5ef530efe0ea")),
    ("resendEvent", Command("events resend story-1 --webhook search")),
    ("revokeToken", Command("tokens revoke t1")),
    ("rotateSigningSecret", Command("webhooks rotate-secret search")),
    ("testWebhook", Command("webhooks test search")),
];

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
