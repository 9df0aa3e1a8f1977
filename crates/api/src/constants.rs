//! `/spaces/{space}/webhook_settings/constants`: what CMSs write into every payload.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use postrider_control::Control;
use postrider_domain::id::SpaceId;
use postrider_domain::space::SpaceConstants;
use serde_json::{Map, Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::Answer;
use crate::body::JsonText;
use crate::caller::Caller;
use crate::error::{ApiError, ApiResult};
use crate::fields::{Faults, Fields};
use crate::links::{self, link};
use crate::schema;

pub(crate) fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new().routes(routes!(show, put, delete))
}

/// Show the space's constants
///
/// What is not set is the space's id in every payload.
#[utoipa::path(
    get,
    path = "/spaces/{space}/webhook_settings/constants",
    operation_id = "getConstants",
    tag = "Settings",
    responses((status = 200, description = "The constants.", body = schema::settings::Constants)),
    extensions(("x-permission" = json!("webhooks:list"))),
)]
async fn show(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path(space): Path<String>,
) -> ApiResult<Answer> {
    let space = links::space(&space)?;
    Answer::ok(&write(&space, &control.constants(&actor, &space).await?))
}

/// Set the space's constants
///
/// All together: what is not given is the space's id again. They stand in the payloads of the dialects whose CMS has one, from
/// the next request on; what came in from that CMS keeps its own.
#[utoipa::path(
    put,
    path = "/spaces/{space}/webhook_settings/constants",
    operation_id = "putConstants",
    tag = "Settings",
    request_body = schema::settings::ConstantsBody,
    responses(
        (status = 200, description = "The constants as they are now.", body = schema::settings::Constants),
        (status = 409, description = "Others change the settings all the time."),
    ),
    extensions(("x-permission" = json!("webhooks:update"))),
)]
async fn put(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path(space): Path<String>,
    body: JsonText,
) -> ApiResult<Answer> {
    let space = links::space(&space)?;
    // Taken as an empty object, it would take all constants away.
    if body.bytes.is_empty() {
        return Err(ApiError::bad_request(
            "there is no body; send {\"api_key\": …, \"site_id\": …, \"project\": …}",
        ));
    }
    let constants = read(&body.object)?;
    Answer::ok(&write(&space, &control.put_constants(&actor, &space, constants).await?))
}

/// Delete the space's constants
///
/// Each is the space's id again.
#[utoipa::path(
    delete,
    path = "/spaces/{space}/webhook_settings/constants",
    operation_id = "deleteConstants",
    tag = "Settings",
    responses(
        (status = 204, description = "They are gone."),
        (status = 409, description = "Others change the settings all the time."),
    ),
    extensions(("x-permission" = json!("webhooks:update"))),
)]
async fn delete(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path(space): Path<String>,
) -> ApiResult<Response> {
    control.delete_constants(&actor, &links::space(&space)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn read(body: &Map<String, Value>) -> ApiResult<SpaceConstants> {
    let faults = Faults::default();
    let fields = Fields::top(body, &faults);
    let constants = SpaceConstants {
        api_key: fields.text("api_key"),
        site_id: fields.text("site_id"),
        project: fields.text("project"),
    };
    fields.raw("sys");
    fields.refuse_unread();
    drop(fields);
    faults.check()?;
    Ok(constants)
}

fn write(space: &SpaceId, constants: &SpaceConstants) -> Value {
    let sys = json!({"type": "WebhookConstants", "space": link("Space", space.as_str())});
    let SpaceConstants { api_key, site_id, project } = constants;
    json!({"sys": sys, "api_key": api_key, "site_id": site_id, "project": project})
}
