//! `/spaces/{space}/deliveries`: where every delivery stands.

use std::sync::Arc;

use axum::extract::{Path, State};
use postrider_control::Control;
use postrider_control::calls::MOST_DELIVERIES;
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::{Answer, log_page};
use crate::caller::Caller;
use crate::cursor::Place;
use crate::error::{ApiError, ApiResult};
use crate::query::Params;
use crate::{delivery_json, links, schema};

/// Deliveries in one answer unless asked otherwise.
const LISTED: usize = 100;

pub(crate) fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new().routes(routes!(list))
}

/// List deliveries
///
/// Where every delivery of a space stands, last changed first unless `order` says otherwise: one that is accepted is on record
/// before its first attempt. Of several filters, or one that most deliveries share, a page looks at 10,000 of them: it may then
/// have fewer items than asked for, even none, and still `pages.next`.
#[utoipa::path(
    get,
    path = "/spaces/{space}/deliveries",
    operation_id = "listDeliveries",
    tag = "Calls",
    params(schema::query::LogQuery, schema::query::DeliveriesQuery),
    responses(
        (status = 200, description = "The deliveries.", body = schema::delivery::DeliveryList),
    ),
    extensions(("x-permission" = json!("calls:read"))),
)]
async fn list(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path(space): Path<String>,
    params: Params,
) -> ApiResult<Answer> {
    let query = params.deliveries_query(LISTED, MOST_DELIVERIES)?;
    if !params.wait()?.is_zero() {
        let fix = "follow /spaces/{space}/calls instead";
        return Err(ApiError::bad_query("wait", "deliveries cannot be followed", fix));
    }
    let (skip, limit, order) = (query.skip, query.limit, query.order);
    let page = control.deliveries(&actor, &links::space(&space)?, query).await?;
    let mut body = log_page(&page, delivery_json::write, skip, limit);
    body["pages"] = json!({"next": page.next.map(|cursor| Place::After(order, cursor).write())});
    Answer::ok(&body)
}
