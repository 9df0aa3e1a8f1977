//! `/spaces/{space}/slack_connections…`: ways into Slack, through which webhooks post.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use postrider_control::slack::{Channel, SavedSlack, SlackDraft};
use postrider_control::{Control, ControlError, FieldFault};
use postrider_domain::id::SpaceId;
use postrider_domain::space::{SlackAccess, SlackConnection};
use serde_json::{Map, Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::Answer;
use crate::body::JsonObject;
use crate::caller::Caller;
use crate::error::{ApiError, ApiResult};
use crate::fields::{Faults, Fields};
use crate::listing::{self, part};
use crate::query::Params;
use crate::{links, schema};

/// Longest cursor of Slack's, in bytes; those seen have some twenty.
const LONGEST_CURSOR: usize = 256;

pub(crate) fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, put, delete))
        .routes(routes!(channels))
}

type Ids = Path<(String, String)>;

/// List Slack connections
///
/// Those of a space, by id, without their secrets. Other parameters are refused.
#[utoipa::path(
    get,
    path = "/spaces/{space}/slack_connections",
    operation_id = "listSlackConnections",
    tag = "Slack",
    params(schema::query::PageQuery),
    responses(
        (status = 200, description = "The connections.", body = schema::slack::SlackConnectionList),
    ),
    extensions(("x-permission" = json!("webhooks:list"))),
)]
async fn list(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path(space): Path<String>,
    params: Params,
) -> ApiResult<Answer> {
    params.refuse_unknown(&listing::KNOWN)?;
    let space = links::space(&space)?;
    let connections = control.slack_connections(&actor, &space).await?;
    Answer::ok(&part(connections, &params, |one| one.id.clone(), |one| write(&space, one))?)
}

/// Connect Slack
///
/// Under a drawn id. Slack is asked whether a bot's token counts before it is taken.
#[utoipa::path(
    post,
    path = "/spaces/{space}/slack_connections",
    operation_id = "createSlackConnection",
    tag = "Slack",
    request_body = schema::slack::SlackConnectionBody,
    responses(
        (status = 201, description = "Slack is connected.", body = schema::slack::SlackConnection, headers(("Location" = String, description = "Where the connection lives."))),
        (status = 409, description = "The space has as many connections as it may have."),
        (status = 502, description = "Slack cannot be asked about the token."),
    ),
    extensions(("x-permission" = json!("integrations:manage"))),
)]
async fn create(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path(space): Path<String>,
    JsonObject(body): JsonObject,
) -> ApiResult<Answer> {
    let space = links::space(&space)?;
    let made = control.connect_slack(&actor, &space, read(&body)?).await?;
    saved(&space, &made)
}

/// Show a Slack connection
#[utoipa::path(
    get,
    path = "/spaces/{space}/slack_connections/{connection}",
    operation_id = "getSlackConnection",
    tag = "Slack",
    responses(
        (status = 200, description = "The connection.", body = schema::slack::SlackConnection),
    ),
    extensions(("x-permission" = json!("webhooks:list"))),
)]
async fn show(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path((space, id)): Ids,
) -> ApiResult<Answer> {
    let (space, id) = (links::space(&space)?, links::connection(&id)?);
    Answer::ok(&write(&space, &control.slack_connection(&actor, &space, &id).await?))
}

/// Connect Slack or replace a connection
///
/// Under a given id. With another token or URL its webhooks post through that at once; with neither it keeps what it has.
#[utoipa::path(
    put,
    path = "/spaces/{space}/slack_connections/{connection}",
    operation_id = "putSlackConnection",
    tag = "Slack",
    request_body = schema::slack::SlackConnectionBody,
    responses(
        (status = 200, description = "The connection as it is now.", body = schema::slack::SlackConnection, headers(("Location" = String, description = "Where it lives."), ("Warning" = String, description = "What is odd about it."))),
        (status = 201, description = "Slack is connected.", body = schema::slack::SlackConnection, headers(("Location" = String, description = "Where the connection lives."))),
        (status = 409, description = "The space has as many connections as it may have."),
        (status = 502, description = "Slack cannot be asked about the token."),
    ),
    extensions(("x-permission" = json!("integrations:manage"))),
)]
async fn put(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path((space, id)): Ids,
    JsonObject(body): JsonObject,
) -> ApiResult<Answer> {
    let (space, id) = (links::space(&space)?, links::connection(&id)?);
    let made = control.put_slack_connection(&actor, &space, &id, read(&body)?).await?;
    saved(&space, &made)
}

/// Disconnect Slack
///
/// Only when no webhook posts through the connection any more.
#[utoipa::path(
    delete,
    path = "/spaces/{space}/slack_connections/{connection}",
    operation_id = "deleteSlackConnection",
    tag = "Slack",
    responses(
        (status = 204, description = "It is gone."),
        (status = 409, description = "Webhooks post through it; the message names them."),
    ),
    extensions(("x-permission" = json!("integrations:manage"))),
)]
async fn delete(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path((space, id)): Ids,
) -> ApiResult<Response> {
    control.disconnect_slack(&actor, &links::space(&space)?, &links::connection(&id)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// List the channels of a Slack connection
///
/// Those that the bot can see, archived ones included, in Slack's order and as many as it gives at once. Other parameters are
/// refused.
#[utoipa::path(
    get,
    path = "/spaces/{space}/slack_connections/{connection}/channels",
    operation_id = "listSlackChannels",
    tag = "Slack",
    params(schema::query::ChannelQuery),
    responses(
        (status = 200, description = "The channels.", body = schema::slack::SlackChannelList),
        (status = 409, description = "It is an incoming webhook, which has one channel; or Slack refused the bot, and the message says why."),
        (status = 502, description = "Slack cannot be asked."),
    ),
    extensions(("x-permission" = json!("webhooks:update"))),
)]
async fn channels(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path((space, id)): Ids,
    params: Params,
) -> ApiResult<Answer> {
    params.refuse_unknown(&["cursor"])?;
    let cursor = params.get("cursor");
    let unknown = || {
        let fix = "hand back what `pages.next` gave, unchanged";
        ApiError::bad_query("cursor", "it is no cursor of this list", fix)
    };
    if cursor.is_some_and(|cursor| cursor.len() > LONGEST_CURSOR) {
        return Err(unknown());
    }
    let (space, id) = (links::space(&space)?, links::connection(&id)?);
    let page = match control.slack_channels(&actor, &space, &id, cursor).await {
        // The cursor is all that can be wrong with the question.
        Err(ControlError::Invalid(_)) => return Err(unknown()),
        page => page?,
    };
    let items: Vec<Value> = page.channels.iter().map(channel).collect();
    Answer::ok(&json!({"sys": {"type": "Array"}, "items": items, "pages": {"next": page.next}}))
}

/// `{"name", "token"}` or `{"name", "url"}`. What an answer shows besides is taken as well and means nothing, so that what was
/// read can be changed and sent back.
fn read(body: &Map<String, Value>) -> ApiResult<SlackDraft> {
    let faults = Faults::default();
    let fields = Fields::top(body, &faults);
    let name = fields.text("name");
    if name.is_none() && fields.raw("name").is_none() {
        let fix = "say whose connection it is, for example Editors";
        faults.push(FieldFault::new("name", "required", "it is missing", fix));
    }
    let draft =
        SlackDraft { name: name.unwrap_or_default(), token: fields.text("token"), url: fields.text("url") };
    for ours in ["sys", "type", "team"] {
        fields.raw(ours);
    }
    fields.refuse_unread();
    drop(fields);
    faults.check()?;
    Ok(draft)
}

fn saved(space: &SpaceId, saved: &SavedSlack) -> ApiResult<Answer> {
    let status = if saved.created { StatusCode::CREATED } else { StatusCode::OK };
    let path = format!("/spaces/{space}/slack_connections/{}", saved.connection.id);
    Ok(Answer::new(status, &write(space, &saved.connection))?.at(&path).warn(&saved.warnings))
}

/// What opens the door is never shown.
fn write(space: &SpaceId, connection: &SlackConnection) -> Value {
    let mut written = json!({
        "sys": {
            "type": "SlackConnection",
            "id": connection.id,
            "space": links::link("Space", space.as_str()),
            "createdAt": connection.created_at.to_string(),
            "createdBy": links::link("Token", &connection.created_by),
        },
        "name": connection.name,
    });
    match &connection.access {
        SlackAccess::Bot { team, .. } => {
            written["type"] = json!("bot");
            written["team"] = json!(team);
        }
        SlackAccess::Incoming { .. } => written["type"] = json!("incoming"),
    }
    written
}

fn channel(channel: &Channel) -> Value {
    json!({
        "sys": {"type": "SlackChannel", "id": channel.id},
        "name": channel.name,
        "isArchived": channel.is_archived,
        "isPrivate": channel.is_private,
        "isMember": channel.is_member,
    })
}
