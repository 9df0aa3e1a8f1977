//! The document for programs (`/openapi.json`) and for people (`/docs`): a page made here, without scripts and without
//! anything from elsewhere, so that it reads the same offline.

mod example;
mod form;
mod operation;
mod page;
mod text;

use std::sync::{Arc, LazyLock};

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use postrider_control::Control;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const STYLE: &str = include_str!("reference/style.css");

/// The page needs its stylesheet and nothing else.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What is served, made once from the document.
struct Served {
    document: String,
    page: String,
}

static SERVED: LazyLock<Served> = LazyLock::new(|| {
    let document = crate::document();
    Served { document: format!("{document:#}\n"), page: page::page(&document) }
});

pub(crate) fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new().routes(routes!(document)).routes(routes!(page)).routes(routes!(style))
}

/// Get this document
///
/// OpenAPI 3.1.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "getOpenapi",
    tag = "Reference",
    responses((status = 200, description = "The document.", body = Value, content_type = "application/json")),
    extensions(("x-permission" = json!("none"))),
)]
async fn document() -> Response {
    with_headers("application/json", &SERVED.document)
}

/// Read this document
///
/// As a page for people. It needs no script and nothing from elsewhere.
#[utoipa::path(
    get,
    path = "/docs",
    operation_id = "getDocs",
    tag = "Reference",
    responses((status = 200, description = "The page.", body = String, content_type = "text/html; charset=utf-8")),
    extensions(("x-permission" = json!("none"))),
)]
async fn page() -> Response {
    with_headers("text/html; charset=utf-8", &SERVED.page)
}

/// Get the page's stylesheet
#[utoipa::path(
    get,
    path = "/docs/style.css",
    operation_id = "getDocsStyle",
    tag = "Reference",
    responses((status = 200, description = "The stylesheet.", body = String, content_type = "text/css; charset=utf-8")),
    extensions(("x-permission" = json!("none"))),
)]
async fn style() -> Response {
    with_headers("text/css; charset=utf-8", STYLE)
}

fn with_headers(media_type: &'static str, text: &'static str) -> Response {
    const HEADERS: [(HeaderName, &str); 4] = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
