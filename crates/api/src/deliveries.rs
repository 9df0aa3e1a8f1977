//! `/spaces/{space}/deliveries`: where every delivery stands.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use postrider_control::Control;
use postrider_control::calls::MOST_DELIVERIES;
use serde_json::json;

use crate::answer::{Answer, array};
use crate::caller::Caller;
use crate::cursor::Place;
use crate::error::{ApiError, ApiResult};
use crate::query::Params;
use crate::{delivery_json, links};

/// Deliveries in one answer unless asked otherwise.
const LISTED: usize = 100;

pub(crate) fn routes() -> Router<Arc<Control>> {
    Router::new().route("/spaces/{space}/deliveries", get(list))
}

async fn list(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path(space): Path<String>,
    params: Params,
) -> ApiResult<Answer> {
    let (query, place) = params.log_query(LISTED, MOST_DELIVERIES)?;
    if matches!(place, Some(Place::Newer(_))) || !params.wait()?.is_zero() {
        let fix = "follow /spaces/{space}/calls instead";
        return Err(ApiError::bad_query("cursor", "deliveries cannot be followed", fix));
    }
    let (skip, limit) = (query.skip, query.limit);
    let page = control.deliveries(&actor, &links::space(&space)?, query).await?;
    let mut body = array(page.items.iter().map(delivery_json::write).collect(), page.total, skip, limit);
    body["pages"] = json!({"next": page.next.map(|cursor| Place::Older(cursor).write())});
    Answer::ok(&body)
}
