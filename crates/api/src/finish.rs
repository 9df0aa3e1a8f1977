//! What every answer gets at the end: a request id, and, for an error, a JSON body that repeats it.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use postrider_control::Control;

use crate::MEDIA_TYPE;
use crate::error::ApiError;

/// As Contentful calls it; its SDK shows it in errors.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-contentful-request-id");

/// Gives the answer its request id, and an error its body. Errors that the router itself made become JSON too.
pub(crate) async fn finish(State(control): State<Arc<Control>>, request: Request, next: Next) -> Response {
    let id = control.draw_request_id();
    let mut response = next.run(request).await;
    let failed = response.status().is_client_error() || response.status().is_server_error();
    if failed {
        let error = response.extensions_mut().remove::<ApiError>();
        let error = error.unwrap_or_else(|| {
            ApiError::new(response.status(), "BadRequest", "the request cannot be understood")
        });
        let body = Json(error.body(&id)).into_response().into_body();
        *response.body_mut() = body;
        let headers = response.headers_mut();
        headers.remove(header::CONTENT_LENGTH);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// An unknown path.
pub(crate) async fn no_such_route(uri: Uri) -> ApiError {
    ApiError::not_found(format!(
        "there is nothing at {}; see the list of routes in the documentation",
        uri.path()
    ))
}

/// A known path, another method.
pub(crate) async fn no_such_method(method: Method, uri: Uri) -> ApiError {
    let message = format!("{} does not take {method}; the header Allow names what it takes", uri.path());
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message)
}
