//! `/spaces`, their environments, and the balance of their deliveries.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use postrider_control::spaces::SpaceDraft;
use postrider_control::{Control, FieldFault, Space};
use postrider_domain::id::EnvironmentId;
use serde_json::{Map, Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::Answer;
use crate::body::JsonObject;
use crate::caller::Caller;
use crate::error::{ApiError, ApiResult};
use crate::fields::{Faults, Fields};
use crate::links::{self, link};
use crate::listing::{self, part};
use crate::query::Params;
use crate::schema;

pub(crate) fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show, put_space))
        .routes(routes!(environments))
        .routes(routes!(show_environment, put_environment))
        .routes(routes!(balance))
}

/// List spaces
///
/// The spaces that the token reaches, by id.
#[utoipa::path(
    get,
    path = "/spaces",
    operation_id = "listSpaces",
    tag = "Spaces",
    params(schema::query::PageQuery),
    responses(
        (status = 200, description = "The spaces.", body = schema::space::SpaceList, headers(("Warning" = String, description = "What was ignored."))),
    ),
    extensions(("x-permission" = json!("any"))),
)]
async fn list(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    params: Params,
) -> ApiResult<Answer> {
    let spaces = control.spaces(&actor).await?;
    let body = part(spaces, &params, |space| space.id.to_string(), write)?;
    Ok(Answer::ok(&body)?.warn(&params.ignored(&listing::KNOWN)))
}

/// Show a space
#[utoipa::path(
    get,
    path = "/spaces/{space}",
    operation_id = "getSpace",
    tag = "Spaces",
    responses(
        (status = 200, description = "The space.", body = schema::space::Space),
    ),
    extensions(("x-permission" = json!("any"))),
)]
async fn show(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path(space): Path<String>,
) -> ApiResult<Answer> {
    Answer::ok(&write(&control.space(&actor, &links::space(&space)?).await?))
}

/// Make or change a space
///
/// Needs a token of the whole instance. What the body leaves out stays as it is.
#[utoipa::path(
    put,
    path = "/spaces/{space}",
    operation_id = "putSpace",
    tag = "Spaces",
    request_body = Option<schema::space::SpaceBody>,
    responses(
        (status = 200, description = "The space as it is now.", body = schema::space::Space),
        (status = 201, description = "The space was made.", body = schema::space::Space),
    ),
    extensions(("x-permission" = json!("instance"))),
)]
async fn put_space(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path(space): Path<String>,
    JsonObject(body): JsonObject,
) -> ApiResult<Answer> {
    let id = new_id("space", links::space(&space))?;
    let (space, created) = control.put_space(&actor, &id, read(&body)?).await?;
    Answer::new(if created { StatusCode::CREATED } else { StatusCode::OK }, &write(&space))
}

/// List environments
///
/// The environments of a space, by id.
#[utoipa::path(
    get,
    path = "/spaces/{space}/environments",
    operation_id = "listEnvironments",
    tag = "Spaces",
    params(schema::query::PageQuery),
    responses(
        (status = 200, description = "The environments.", body = schema::space::EnvironmentList, headers(("Warning" = String, description = "What was ignored."))),
    ),
    extensions(("x-permission" = json!("any"))),
)]
async fn environments(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path(space): Path<String>,
    params: Params,
) -> ApiResult<Answer> {
    let space = control.space(&actor, &links::space(&space)?).await?;
    let ids = space.environments.clone();
    let body = part(ids, &params, ToString::to_string, |id| environment(&space, id))?;
    Ok(Answer::ok(&body)?.warn(&params.ignored(&listing::KNOWN)))
}

/// Show an environment
#[utoipa::path(
    get,
    path = "/spaces/{space}/environments/{environment}",
    operation_id = "getEnvironment",
    tag = "Spaces",
    responses(
        (status = 200, description = "The environment.", body = schema::space::Environment),
    ),
    extensions(("x-permission" = json!("any"))),
)]
async fn show_environment(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path((space, id)): Path<(String, String)>,
) -> ApiResult<Answer> {
    let space = control.space(&actor, &links::space(&space)?).await?;
    let found = space.environments.iter().find(|one| one.as_str() == id);
    let found = found.ok_or_else(|| ApiError::not_found("there is no such environment in this space"))?;
    Answer::ok(&environment(&space, found))
}

/// Make an environment
///
/// Nothing changes if it is there. A body is not read.
#[utoipa::path(
    put,
    path = "/spaces/{space}/environments/{environment}",
    operation_id = "putEnvironment",
    tag = "Spaces",
    responses(
        (status = 200, description = "It was there.", body = schema::space::Environment),
        (status = 201, description = "It was made.", body = schema::space::Environment),
        (status = 409, description = "The space has as many environments as it may have."),
        (status = 422, description = "The id is not one that an environment can have."),
    ),
    extensions(("x-permission" = json!("admin"))),
)]
async fn put_environment(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path((space, id)): Path<(String, String)>,
) -> ApiResult<Answer> {
    let id = new_id("environment", links::environment(&id))?;
    let (space, created) = control.put_environment(&actor, &links::space(&space)?, &id).await?;
    Answer::new(if created { StatusCode::CREATED } else { StatusCode::OK }, &environment(&space, &id))
}

/// Show the balance
///
/// How many deliveries stand in each state; with a token of the whole instance also what waits in its queues.
#[utoipa::path(
    get,
    path = "/spaces/{space}/balance",
    operation_id = "getBalance",
    tag = "Calls",
    responses(
        (status = 200, description = "The balance.", body = schema::space::Balance),
    ),
    extensions(("x-permission" = json!("calls:read"))),
)]
async fn balance(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path(space): Path<String>,
) -> ApiResult<Answer> {
    let space = links::space(&space)?;
    let balance = control.balance(&actor, &space).await?;
    let states: Map<String, Value> =
        balance.states.iter().map(|(state, count)| (state.as_str().to_owned(), json!(count))).collect();
    let total: u64 = balance.states.iter().map(|(_, count)| count).sum();
    let mut body = json!({
        "sys": {"type": "Balance", "space": link("Space", space.as_str())},
        "states": states,
        "total": total,
    });
    if let Some(queues) = balance.queues {
        let depth = |depth: &postrider_control::Depth| json!({"ready": depth.ready, "delayed": depth.delayed, "leased": depth.leased});
        let queues: Map<String, Value> =
            queues.iter().map(|(queue, waiting)| (queue.as_str().to_owned(), depth(waiting))).collect();
        body["queues"] = Value::Object(queues);
    }
    Answer::ok(&body)
}

/// An id that is to be made: what is wrong with it is a fault of the request, not a missing thing.
fn new_id<T>(field: &'static str, read: ApiResult<T>) -> ApiResult<T> {
    read.map_err(|error| {
        ApiError::invalid(vec![FieldFault::new(field, "format", error.message, "choose another id")])
    })
}

fn read(body: &Map<String, Value>) -> ApiResult<SpaceDraft> {
    let faults = Faults::default();
    let fields = Fields::top(body, &faults);
    let name = fields.text("name");
    let form = "give 1 to 64 of A-Z a-z 0-9 _ -";
    let environments = fields
        .list("environments", form, |value| value.as_str().and_then(|text| EnvironmentId::new(text).ok()));
    fields.raw("sys");
    fields.refuse_unread();
    drop(fields);
    faults.check()?;
    Ok(SpaceDraft { name, environments })
}

fn write(space: &Space) -> Value {
    let environments: Vec<_> = space.environments.iter().map(EnvironmentId::as_str).collect();
    json!({
        "sys": {"type": "Space", "id": space.id.as_str(), "createdAt": space.created_at.to_string()},
        "name": space.name,
        "environments": environments,
    })
}

fn environment(space: &Space, id: &EnvironmentId) -> Value {
    json!({
        "sys": {
            "type": "Environment",
            "id": id.as_str(),
            "space": link("Space", space.id.as_str()),
            "status": link("Status", "ready"),
        },
        "name": id.as_str(),
    })
}
