//! `docs/guides/connect-*.md`: each is followed to its end. The webhook that the page sends in the CMS's name comes in, leaves
//! in the CMS's own form as the page prints it, comes in no second time and not with another secret; and each event of
//! the page's table becomes what the table says.

use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};

use super::page::{Page, assert_like, printed};
use crate::official_client;
use crate::system::{Balance, webhook};
use crate::target::{Hit, Target};

const OURS: &str = "Receive as if from";
const TRY: &str = "Try it out";
const EVENTS: &str = "What its events become";

/// A guide to one CMS.
struct Guide {
    /// As the headings call it.
    name: &'static str,
    /// The page.
    page: &'static str,
    /// What makes the example that is sent another event: the event of this row of the table, the so-manieth.
    changed: fn(&str, &str, usize) -> String,
    /// What sends it: a shell, or Node.
    language: &'static str,
}

/// Follows a guide.
async fn follow(guide: &Guide) {
    let mut page = Page::open(guide.page).await;
    // The secrets that the page leaves to its reader. Contentful's has 64 characters.
    page.shell.export("CMS_SECRET", &"0123456789abcdef".repeat(4));
    page.shell.export("SITE_SECRET", "a-secret-of-the-site");
    let modules = official_client::installed().join("node_modules");
    page.shell.export("NODE_PATH", modules.to_str().expect("UTF-8"));

    let made = page.step("Make a source").await;
    let address = address(&page, guide);
    assert!(made.contains(&address), "{made} does not print {address}");
    let mut all = webhook(&page.target.url("/all"), &["*.*"]);
    all["coalesce"] = json!(false);
    page.system.webhook(&all).await;
    page.step(&format!("{OURS} {}", guide.name)).await;

    let script = page.block(TRY, guide.language);
    assert!(script.contains(&address), "the example goes elsewhere");
    let answers = sent(&page, &script, guide).await;
    assert_eq!(answers[0]["events"][0]["status"], "accepted", "{answers:?}");
    let hits = told(&page.target, "/hooks", 1).await;
    assert_like(&hits[0], &page.block(&format!("{OURS} {}", guide.name), "http"));

    let again = sent(&page, &script, guide).await;
    assert!(again.iter().all(|answer| answer["events"][0]["status"] == "duplicate"), "{again:?}");
    page.shell.export("CMS_SECRET", &"fedcba9876543210".repeat(4));
    let refused = sent(&page, &script, guide).await;
    assert!(refused.iter().all(|answer| answer["error"]["code"] == "unauthenticated"), "{refused:?}");
    page.shell.export("CMS_SECRET", &"0123456789abcdef".repeat(4));

    each_event_becomes_what_the_table_says(&page, &script, guide).await;
    assert_eq!(
        page.target.hits("/all").len(),
        1 + page.rows(EVENTS).len(),
        "a repeat or a refused one was told"
    );
    // Every event to the one that takes all, and the example at least to the page's own.
    let deliveries = 2 + page.rows(EVENTS).len() as u64;
    let all = |balance: &Balance| balance.total() >= deliveries && balance.of("delivered") == balance.total();
    page.system.until("all is on record", all).await;
    page.what_the_text_names_works(answers[0]["events"][0]["id"].as_str().expect("an id")).await;
}

/// Where the settings of the CMS send its webhooks, and with which header.
fn address(page: &Page, guide: &Guide) -> String {
    let cells = page.rows(&format!("Set up {}", guide.name));
    let codes: Vec<&str> = cells.iter().flat_map(|row| row[1].split('`').skip(1).step_by(2)).collect();
    let address = codes.iter().find(|code| code.starts_with("https://")).expect("an address");
    // What proves the webhook stands in the settings as the example sends it.
    let script = page.block(TRY, guide.language);
    for header in codes.iter().filter(|code| code.starts_with("Authorization: ")) {
        assert!(script.contains(*header), "the example sends no {header}");
    }
    page.here(address)
}

/// Runs what sends an example; every answer it prints.
async fn sent(page: &Page, script: &str, guide: &Guide) -> Vec<Value> {
    if guide.language == "sh" {
        return printed(&page.shell.run(script).await);
    }
    let file = page.shell.write("send.js", script);
    let file = Path::new(file.file_name().expect("a name")).to_str().expect("UTF-8").to_owned();
    printed(&page.shell.run(&format!("node {file}")).await)
}

async fn each_event_becomes_what_the_table_says(page: &Page, script: &str, guide: &Guide) {
    let rows = page.rows(EVENTS);
    let mut expected = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        let [given, topic] = [0, 1].map(|cell| row[cell].trim_matches('`').to_owned());
        let changed = (guide.changed)(script, &given, at + 1);
        assert_ne!(changed, script, "{given}");
        let answer = sent(page, &changed, guide).await;
        let event = &answer[0]["events"][0];
        assert_eq!(event["status"], "accepted", "{given}: {answer:?}");
        expected.push((event["id"].as_str().expect("an id").to_owned(), topic));
    }
    let hits = told(&page.target, "/all", 1 + rows.len()).await;
    let topic = |id: &str| {
        let hit = hits.iter().map(Hit::json).find(|event| event["id"] == id).expect("told");
        format!("{}.{}", hit["type"].as_str().expect("a type"), hit["action"].as_str().expect("an action"))
    };
    let found: Vec<(String, String)> = expected.iter().map(|(id, _)| (id.clone(), topic(id))).collect();
    assert_eq!(found, expected);
}

/// The calls to a path, once there are so many.
async fn told(target: &Target, path: &str, calls: usize) -> Vec<Hit> {
    loop {
        // Counted before it is looked at: a call in between is not waited for in vain.
        let seen = target.count();
        let hits = target.hits(path);
        if hits.len() >= calls {
            return hits;
        }
        target.until(seen + 1).await;
    }
}

fn replaced(text: &str, pairs: &[(&str, String)]) -> String {
    pairs.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from} is not in {text}");
        text.replace(from, to)
    })
}

#[tokio::test]
async fn the_guide_to_cometcms_works_to_its_end() {
    let changed = |script: &str, given: &str, at: usize| {
        replaced(script, &[("content.published", given.to_owned()), ("12:00:00Z", format!("12:01:{at:02}Z"))])
    };
    follow(&Guide { name: "CometCMS", page: "connect-cometcms", changed, language: "sh" }).await;
}

#[tokio::test]
async fn the_guide_to_contismo_works_to_its_end() {
    let changed = |script: &str, given: &str, at: usize| {
        replaced(
            script,
            &[("Entry Published", given.to_owned()), ("12:00:00.250Z", format!("12:01:{at:02}.250Z"))],
        )
    };
    follow(&Guide { name: "Contismo", page: "connect-contismo", changed, language: "sh" }).await;
}

#[tokio::test]
async fn the_guide_to_datocms_works_to_its_end() {
    let changed = |script: &str, given: &str, at: usize| {
        let (entity, event) = given.split_once('.').expect("a dot");
        replaced(
            script,
            &[
                ("\"entity_type\":\"item\"", format!("\"entity_type\":\"{entity}\"")),
                ("\"event_type\":\"publish\"", format!("\"event_type\":\"{event}\"")),
                ("103216210", format!("10321{at:04}")),
            ],
        )
    };
    follow(&Guide { name: "DatoCMS", page: "connect-datocms", changed, language: "sh" }).await;
}

#[tokio::test]
async fn the_guide_to_contentstack_works_to_its_end() {
    let changed = |script: &str, given: &str, at: usize| {
        let (module, event) = given.rsplit_once(' ').expect("module and event");
        let member = if module == "content types" { "content_type" } else { module };
        let script = if member == "content_type" {
            script.to_owned()
        } else {
            replaced(script, &[("\"entry\":{", format!("\"{member}\":{{"))])
        };
        replaced(
            &script,
            &[
                ("\"module\":\"entry\"", format!("\"module\":\"{module}\"")),
                ("\"event\":\"publish\"", format!("\"event\":\"{event}\"")),
                ("\"_version\":2", format!("\"_version\":{}", at + 2)),
            ],
        )
    };
    follow(&Guide { name: "Contentstack", page: "connect-contentstack", changed, language: "sh" }).await;
}

#[tokio::test]
async fn the_guide_to_contentful_works_to_its_end() {
    let changed = |script: &str, given: &str, at: usize| {
        replaced(
            script,
            &[
                ("ContentManagement.Entry.publish", format!("ContentManagement.{given}")),
                ("18:42:22.587Z", format!("18:43:{at:02}.587Z")),
            ],
        )
    };
    follow(&Guide { name: "Contentful", page: "connect-contentful", changed, language: "js" }).await;
}

#[tokio::test]
async fn the_guide_to_any_sender_of_standard_webhooks_works_to_its_end() {
    let changed = |script: &str, given: &str, at: usize| {
        replaced(script, &[("invoice.paid", given.to_owned()), ("msg_1", format!("msg_1{at}"))])
    };
    let page = "connect-standard-webhooks";
    follow(&Guide { name: "that sender", page, changed, language: "sh" }).await;
}

#[tokio::test]
async fn webhooks_are_managed_with_contentfuls_own_call() {
    let page = Page::open("connect-contentful").await;
    let made = printed(&page.step("Manage webhooks as in Contentful").await);
    assert_eq!(
        (&made[0]["sys"]["type"], &made[0]["dialect"]),
        (&json!("WebhookDefinition"), &json!("contentful"))
    );
    let id = made[0]["sys"]["id"].as_str().expect("an id");
    page.system.call(Method::GET, &format!("/spaces/default/webhook_definitions/{id}"), None).await;
}
