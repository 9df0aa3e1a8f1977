//! The management API: Contentful's paths, JSON and errors, and our own on top (DESIGN §4.3).
//!
//! Nothing is decided here: every route reads what came, asks [`Control`], and writes what it answers. One family of
//! routes per file.
//!
//! | routes | file |
//! |---|---|
//! | `/spaces`, `/spaces/{s}`, `/spaces/{s}/environments`, `/spaces/{s}/balance` | `spaces.rs` |
//! | `/spaces/{s}/webhook_definitions…` | `webhooks.rs` |
//! | `/spaces/{s}/webhooks/{id}/calls`, `…/health` (Contentful's) | `webhook_calls.rs` |
//! | `/spaces/{s}/calls…` | `calls.rs` |
//! | `/spaces/{s}/deliveries` | `deliveries.rs` |
//! | `/spaces/{s}/events/{id}…`, `/spaces/{s}/environments/{e}/events/{id}…` | `events.rs` |
//! | `/spaces/{s}/sources…` | `sources.rs` |
//! | `/spaces/{s}/webhook_settings…` | `settings.rs`, `constants.rs` |
//! | `/spaces/{s}/slack_connections…` | `slack.rs` |
//! | `/tokens…`, `/users/me` | `tokens.rs` |
//! | `/parked…` | `parked.rs` |
//! | `/keys…` | `keys.rs` |
//! | `/openapi.json`, `/docs` | `reference.rs` |
//!
//! Lists: `skip` and `limit` with `total`, or `cursor` from `pages.next`. Durations are numbers of seconds or texts such
//! as `"1m 30s"`. Answers carry `X-Contentful-Request-Id`, and errors repeat it as `requestId`.

mod answer;
mod body;
mod call_json;
mod caller;
mod calls;
mod constants;
mod cursor;
mod deliveries;
mod delivery_json;
mod duration_json;
mod error;
mod event_json;
mod events;
mod fields;
mod finish;
mod keys;
mod links;
mod listing;
mod log_query;
mod openapi;
mod parked;
mod query;
mod reference;
mod retry_json;
mod schema;
mod settings;
mod slack;
mod sources;
mod spaces;
mod tokens;
mod webhook_calls;
mod webhook_json;
mod webhooks;

use std::sync::Arc;

use axum::middleware::from_fn_with_state;
use axum::{Extension, Router};
use postrider_control::Control;
use postrider_runtime::shutdown::Shutdown;
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;

/// The media type of Contentful's management API; what we answer with, and beside `application/json` what we take.
pub const MEDIA_TYPE: &str = "application/vnd.contentful.management.v1+json";

/// The routes over these use-cases. Requests that wait for something new end when the process is asked to stop.
pub fn router(control: Arc<Control>, shutdown: Shutdown) -> Router {
    let (routes, _) = documented().split_for_parts();
    routes
        .fallback(finish::no_such_route)
        .method_not_allowed_fallback(finish::no_such_method)
        .layer(Extension(shutdown))
        .layer(from_fn_with_state(Arc::clone(&control), finish::finish))
        .with_state(control)
}

/// The OpenAPI document of the API (`GET /openapi.json`).
pub fn document() -> Value {
    openapi::complete(documented().into_openapi())
}

/// Every route with its description; there is no other way in, so none can be without.
fn documented() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::with_openapi(openapi::begin())
        .merge(spaces::routes())
        .merge(webhooks::routes())
        .merge(webhook_calls::routes())
        .merge(calls::routes())
        .merge(deliveries::routes())
        .merge(events::routes())
        .merge(sources::routes())
        .merge(settings::routes())
        .merge(constants::routes())
        .merge(slack::routes())
        .merge(tokens::routes())
        .merge(parked::routes())
        .merge(keys::routes())
        .merge(reference::routes())
}
