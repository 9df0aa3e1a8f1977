//! Spaces, environments, and the balance.

use axum::http::Method;
use postrider_domain::delivery::DeliveryState;
use serde_json::json;

use crate::harness::Instance;

#[tokio::test]
async fn the_first_start_makes_the_space_default_with_the_environment_master() {
    let instance = Instance::start().await;
    let space = instance.get("/spaces/default").await;
    assert_eq!(space.body["sys"]["type"], "Space");
    assert_eq!(space.body["environments"], json!(["master"]));
    let environments = instance.get("/spaces/default/environments").await;
    assert_eq!(environments.body["items"][0]["sys"]["id"], "master");
    assert_eq!(instance.get("/spaces/default/environments/master").await.body["sys"]["type"], "Environment");
    instance.get("/spaces/default/environments/none").await.is_error(404, "NotFound");
    instance.get("/spaces/none").await.is_error(404, "NotFound");
    instance.get("/spaces/a.b").await.is_error(404, "NotFound");
}

#[tokio::test]
async fn spaces_and_environments_are_made_and_changed() {
    let instance = Instance::start().await;
    let made =
        instance.put("/spaces/blog", &json!({"name": "Blog", "environments": ["master", "stage"]})).await;
    assert_eq!((made.status.as_u16(), &made.body["name"]), (201, &json!("Blog")));
    let renamed = instance.put("/spaces/blog", &json!({"name": "Weblog"})).await;
    assert_eq!((renamed.status.as_u16(), &renamed.body["environments"]), (200, &json!(["master", "stage"])));
    let added = instance.put("/spaces/blog/environments/next", &json!({})).await;
    assert_eq!(added.status, 201, "{}", added.text);
    assert_eq!(instance.put("/spaces/blog/environments/next", &json!({})).await.status, 200);
    assert_eq!(instance.get("/spaces/blog/environments").await.body["total"], 3);
    assert_eq!(instance.get("/spaces").await.body["total"], 2);
}

#[tokio::test]
async fn a_space_that_cannot_be_is_refused() {
    let instance = Instance::start().await;
    instance.put("/spaces/a.b", &json!({})).await.is_error(422, "ValidationFailed");
    instance.put("/spaces/blog/environments/next", &json!({})).await.is_error(404, "NotFound");
    instance.put("/spaces/default/environments/a.b", &json!({})).await.is_error(422, "ValidationFailed");
    for bad in [
        json!({"name": ""}),
        json!({"environments": []}),
        json!({"environments": ["a b"]}),
        json!({"nam": "x"}),
    ] {
        instance.put("/spaces/blog", &bad).await.is_error(422, "ValidationFailed");
    }
    let editor = instance.token("editor", "*").await;
    instance.call_as(&editor, Method::PUT, "/spaces/blog", None).await.is_error(403, "AccessDenied");
}

#[tokio::test]
async fn the_balance_counts_every_state_and_shows_queues_to_the_instance_only() {
    let instance = Instance::start().await;
    instance.log_event("e1", "w", DeliveryState::Delivered);
    instance.log_event("e2", "w", DeliveryState::Delivered);
    instance.log_event("e3", "w", DeliveryState::Pending);
    let balance = instance.get("/spaces/default/balance").await;
    assert_eq!(
        (&balance.body["states"]["delivered"], &balance.body["states"]["pending"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(balance.body["states"].as_object().map(serde_json::Map::len), Some(7));
    assert_eq!(balance.body["total"], 3);
    assert_eq!(balance.body["queues"]["events"], json!({"ready": 3, "delayed": 0, "leased": 0}));
    let viewer = instance.token("viewer", "default").await;
    let own = instance.call_as(&viewer, Method::GET, "/spaces/default/balance", None).await;
    assert_eq!((&own.body["total"], own.body.get("queues")), (&json!(3), None));
}
