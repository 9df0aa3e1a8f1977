//! `/spaces/{space}/calls…`: every call of a space with everything about it, following new ones, sending again.
//!
//! `pages.next` leads to older calls, `pages.newer` to those that ended since: handed back as `cursor` with `wait`, the
//! answer comes as soon as there is a new call, oldest first.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use postrider_control::calls::{MOST_CALLS, TailCursor};
use postrider_control::{Actor, Control, LogQuery};
use postrider_domain::id::SpaceId;
use postrider_runtime::shutdown::Shutdown;
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::{Answer, array, log_page};
use crate::caller::Caller;
use crate::cursor::Place;
use crate::error::{ApiError, ApiResult};
use crate::query::Params;
use crate::{call_json, delivery_json, links, schema};

/// Calls in one answer unless asked otherwise: they come with their bodies.
const LISTED: usize = 25;

pub(crate) fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show)).routes(routes!(resend))
}

/// List or follow calls
///
/// The calls of a space, newest first, with everything about them. `pages.next` leads to older ones; `pages.newer`, handed back
/// as `cursor` with `wait`, to those that ended since, oldest first, as soon as there is one. Of several filters, or one that
/// most calls share, a page looks at 10,000 calls: it may then have fewer items than asked for, even none, and still
/// `pages.next`.
#[utoipa::path(
    get,
    path = "/spaces/{space}/calls",
    operation_id = "listCalls",
    tag = "Calls",
    params(schema::query::LogQuery, schema::query::CallsQuery),
    responses(
        (status = 200, description = "The calls.", body = schema::call::CallList),
    ),
    extensions(("x-permission" = json!("calls:read"))),
)]
async fn list(
    State(control): State<Arc<Control>>,
    Extension(shutdown): Extension<Shutdown>,
    Caller(actor): Caller,
    Path(space): Path<String>,
    params: Params,
) -> ApiResult<Answer> {
    let space = links::space(&space)?;
    let asked = Follow { control: &control, actor: &actor, space: &space, shutdown: &shutdown };
    let (query, place) = params.calls_query(LISTED, MOST_CALLS)?;
    let wait = params.wait()?;
    match place {
        Some(Place::Newer(after)) => asked.newer(&query, after, wait).await,
        Some(Place::After(..)) if !wait.is_zero() => {
            let fix = "use the cursor `pages.newer`, or leave `wait` out";
            Err(ApiError::bad_query("wait", "older calls do not come by waiting", fix))
        }
        None if !wait.is_zero() => {
            let after = control.tail_from_now();
            asked.newer(&query, after, wait).await
        }
        _ => {
            let (skip, limit) = (query.skip, query.limit);
            let page = control.calls(&actor, &space, query).await?;
            let newer = Place::Newer(control.tail_after(&page.items)).write();
            let mut body = log_page(&page, call_json::details, skip, limit);
            let next = page.next.map(|cursor| Place::older(cursor).write());
            body["pages"] = json!({"next": next, "newer": newer});
            Answer::ok(&body)
        }
    }
}

/// Who follows the calls of which space.
struct Follow<'a> {
    control: &'a Control,
    actor: &'a Actor,
    space: &'a SpaceId,
    shutdown: &'a Shutdown,
}

impl Follow<'_> {
    /// What ended after the cursor, as soon as there is something, or the wait or the process is over.
    async fn newer(&self, query: &LogQuery, after: TailCursor, wait: Duration) -> ApiResult<Answer> {
        let tail = |wait| self.control.tail(self.actor, self.space, query, after, wait);
        let tail = tokio::select! {
            biased;
            () = self.shutdown.stopping() => tail(Duration::ZERO).await?,
            tail = tail(wait) => tail?,
        };
        let items: Vec<_> = tail.calls.iter().map(call_json::details).collect();
        let mut body = array(items, tail.calls.len(), 0, MOST_CALLS);
        body["pages"] = json!({"next": null, "newer": Place::Newer(tail.newer).write()});
        body["skipped"] = json!(tail.skipped);
        Answer::ok(&body)
    }
}

/// Show a call
#[utoipa::path(
    get,
    path = "/spaces/{space}/calls/{call}",
    operation_id = "getCall",
    tag = "Calls",
    responses(
        (status = 200, description = "The call.", body = schema::call::CallDetails),
    ),
    extensions(("x-permission" = json!("calls:read"))),
)]
async fn show(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path((space, call)): Path<(String, String)>,
) -> ApiResult<Answer> {
    let call = control.call(&actor, &links::space(&space)?, links::call(&call)?).await?;
    Answer::ok(&call_json::details(&call))
}

/// Send the event of a call again
///
/// To the same webhook, with its latest settings, as the next generation of the delivery.
#[utoipa::path(
    post,
    path = "/spaces/{space}/calls/{call}/resend",
    operation_id = "resendCall",
    tag = "Calls",
    responses(
        (status = 202, description = "The new delivery; it goes out in a moment.", body = schema::delivery::Delivery),
        (status = 409, description = "The webhook is switched off."),
    ),
    extensions(("x-permission" = json!("calls:resend"))),
)]
async fn resend(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path((space, call)): Path<(String, String)>,
) -> ApiResult<Answer> {
    let delivery = control.resend_call(&actor, &links::space(&space)?, links::call(&call)?).await?;
    Answer::new(StatusCode::ACCEPTED, &delivery_json::write(&delivery))
}
