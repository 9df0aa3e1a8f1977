//! `docs/guides/services.md`: a search index, a cache and a push service, each a stand-in that takes what its API takes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Json;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use postrider_tests::markdown::{block, blocks};
use serde_json::{Value, json};

use super::stand_in::{Received, StandIn};
use crate::shell::Shell;
use crate::system::System;

const PAGE: &str = "docs/guides/services.md";
const KEY: &str = "the-key-of-the-service";

/// Does what the page says under this heading, with the stand-in in this place.
async fn connected(system: &System, heading: &str, place: &str, service: &StandIn, key: &str) -> Shell {
    let mut shell = Shell::of(system);
    shell.export(key, KEY);
    let page = blocks(PAGE);
    let told = &block(&page, heading, "sh").text;
    assert!(told.contains(place), "{told}");
    shell.run(&told.replace(place, &service.url(""))).await;
    shell
}

fn change(id: &str, action: &str) -> Value {
    json!({ "type": "Entry", "action": action, "actor": { "id": "Ada" }, "data": { "body": "Grüße", "tags": ["a", "b"] },
        "resource": { "id": id, "contentType": "blogPost", "title": format!("On \"{id}\""), "url": format!("https://www.example.com/{id}") } })
}

/// Algolia's records by id: PUT replaces one, DELETE removes it, both answer 200, also for one that is not there.
async fn algolia() -> (StandIn, Arc<Mutex<BTreeMap<String, Value>>>) {
    let records = Arc::new(Mutex::new(BTreeMap::new()));
    let kept = Arc::clone(&records);
    let service = StandIn::start("Algolia", move |call: Received| {
        let kept = Arc::clone(&kept);
        async move {
            let id = call.path.strip_prefix("/1/indexes/posts/").filter(|id| !id.contains('/'));
            let known = call.header("x-algolia-application-id") == "YOURAPPID"
                && call.header("x-algolia-api-key") == KEY;
            match (id, &call.method) {
                (Some(id), &Method::PUT) if known => {
                    drop(kept.lock().expect("sound").insert(id.to_owned(), call.json()));
                }
                (Some(id), &Method::DELETE) if known => drop(kept.lock().expect("sound").remove(id)),
                _ => return StatusCode::FORBIDDEN.into_response(),
            }
            Json(json!({ "taskID": 1, "objectID": id })).into_response()
        }
    });
    (service.await, records)
}

#[tokio::test]
async fn a_search_index_holds_what_is_published_and_nothing_else() {
    let (system, (algolia, records)) = (System::start(&[]).await, algolia().await);
    let heading = "A search index that follows what is published";
    connected(&system, heading, "https://$ALGOLIA_APP.algolia.net", &algolia, "ALGOLIA_KEY").await;
    let mut page = change("imprint", "publish");
    page["resource"]["contentType"] = json!("page");
    system.happen(&[change("a/b", "publish"), change("c", "publish"), page, change("d", "save")], 2).await;
    let record = json!({ "title": "On \"c\"", "url": "https://www.example.com/c",
        "post": { "body": "Grüße", "tags": ["a", "b"] } });
    assert_eq!(records.lock().expect("sound").get("c"), Some(&record));
    let ids = || records.lock().expect("sound").keys().cloned().collect::<Vec<_>>();
    assert_eq!(ids(), ["a%2Fb", "c"], "an id is one segment");
    system.happen(&[change("a/b", "unpublish")], 3).await;
    assert_eq!(ids(), ["c"]);
    system.happen(&[change("c", "delete")], 4).await;
    assert_eq!(ids(), [""; 0]);
}

#[tokio::test]
async fn a_cache_forgets_the_page_of_what_has_changed() {
    let cloudflare = StandIn::start("Cloudflare", async |call: Received| -> Response {
        let zone = "/client/v4/zones/023e105f4ecef8ad9ca31a8372d0c353/purge_cache";
        let known = call.header("authorization") == format!("Bearer {KEY}");
        match (call.method, call.path == zone && known) {
            (Method::POST, true) => Json(json!({ "success": true, "errors": [] })).into_response(),
            _ => (StatusCode::FORBIDDEN, Json(json!({ "success": false }))).into_response(),
        }
    });
    let (system, cloudflare) = (System::start(&[]).await, cloudflare.await);
    let heading = "A cache that forgets what has changed";
    connected(&system, heading, "https://api.cloudflare.com", &cloudflare, "CLOUDFLARE_TOKEN").await;
    system.happen(&[change("a", "publish"), change("b", "unpublish"), change("c", "save")], 2).await;
    let mut purged: Vec<Value> =
        cloudflare.received().iter().map(|call| call.json()["files"].clone()).collect();
    purged.sort_by_key(Value::to_string);
    let files =
        |id: &str| json!([format!("https://www.example.com/{id}"), "https://www.example.com/sitemap.xml"]);
    assert_eq!(purged, [files("a"), files("b")], "an edit that is not published changes no page");
}

#[tokio::test]
async fn every_edit_of_an_entry_is_a_push_message() {
    let ntfy = StandIn::start("ntfy", async |call: Received| -> Response {
        let known = call.header("authorization") == format!("Bearer {KEY}");
        match (call.method.clone(), call.path.as_str()) {
            (Method::POST, "/") if known && call.json()["topic"] == "newsroom" => {
                Json(json!({ "id": "x" })).into_response()
            }
            _ => StatusCode::FORBIDDEN.into_response(),
        }
    });
    let (system, ntfy) = (System::start(&[]).await, ntfy.await);
    let heading = "A push message for every edit";
    let shell = connected(&system, heading, "https://ntfy.sh", &ntfy, "NTFY_TOKEN").await;
    system.happen(&[change("a", "save"), change("a", "publish")], 1).await;
    let pushed = ntfy.received().remove(0).json();
    let told = json!({ "topic": "newsroom", "title": "On \"a\"", "message": "edited by Ada", "click": "https://www.example.com/a" });
    assert_eq!(pushed, told);
    let record = shell.run("postrider --json calls list --webhook push").await;
    assert!(!record.contains(KEY), "the key is on no record: {record}");
}
