//! Doors that open once what is behind them is reached; until then they say so.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tower::ServiceExt;

/// Routes that are not known yet.
#[derive(Debug, Clone, Default)]
pub(super) struct Late(Arc<OnceLock<Router>>);

impl Late {
    /// Opens the doors.
    pub(super) fn open(&self, routes: Router) {
        // A process opens its doors once.
        drop(self.0.set(routes));
    }

    /// What to serve meanwhile and afterwards.
    pub(super) fn router(&self) -> Router {
        Router::new().fallback(answer).with_state(self.clone())
    }
}

async fn answer(State(late): State<Late>, request: Request) -> Response {
    let Some(routes) = late.0.get() else {
        let body = json!({
            "sys": { "type": "Error", "id": "ServiceUnavailable" },
            "message": "this process has not reached its servers yet; GET /readyz says which. Send the same request again after Retry-After",
        });
        return (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")], axum::Json(body))
            .into_response();
    };
    match routes.clone().oneshot(request).await {
        Ok(response) => response,
        Err(impossible) => match impossible {},
    }
}
