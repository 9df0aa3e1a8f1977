//! `/spaces`, their environments, and the balance of their deliveries.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, put};
use postrider_control::spaces::SpaceDraft;
use postrider_control::{Control, FieldFault, Space};
use postrider_domain::id::EnvironmentId;
use serde_json::{Map, Value, json};

use crate::answer::{Answer, array};
use crate::body::JsonObject;
use crate::caller::Caller;
use crate::error::{ApiError, ApiResult};
use crate::fields::{Faults, Fields};
use crate::links::{self, link};

pub(crate) fn routes() -> Router<Arc<Control>> {
    Router::new()
        .route("/spaces", get(list))
        .route("/spaces/{space}", get(show).put(put_space))
        .route("/spaces/{space}/environments", get(environments))
        .route("/spaces/{space}/environments/{environment}", put(put_environment).get(show_environment))
        .route("/spaces/{space}/balance", get(balance))
}

async fn list(State(control): State<Arc<Control>>, Caller(actor): Caller) -> ApiResult<Answer> {
    let spaces = control.spaces(&actor).await?;
    let total = spaces.len();
    Answer::ok(&array(spaces.iter().map(write).collect(), total, 0, total))
}

async fn show(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path(space): Path<String>,
) -> ApiResult<Answer> {
    Answer::ok(&write(&control.space(&actor, &links::space(&space)?).await?))
}

/// `{"name", "environments": […]}`, both optional; 201 when the space was made.
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

async fn environments(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path(space): Path<String>,
) -> ApiResult<Answer> {
    let space = control.space(&actor, &links::space(&space)?).await?;
    let items: Vec<_> = space.environments.iter().map(|id| environment(&space, id)).collect();
    let total = items.len();
    Answer::ok(&array(items, total, 0, total))
}

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

async fn put_environment(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path((space, id)): Path<(String, String)>,
) -> ApiResult<Answer> {
    let id = new_id("environment", links::environment(&id))?;
    let (space, created) = control.put_environment(&actor, &links::space(&space)?, &id).await?;
    Answer::new(if created { StatusCode::CREATED } else { StatusCode::OK }, &environment(&space, &id))
}

/// How many deliveries stand in each state; with a token of the instance also what waits in its queues.
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
