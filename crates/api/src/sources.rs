//! `/spaces/{space}/sources…`: where the webhooks of CMSs come in.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use postrider_control::sources::{SavedSource, SourceDraft};
use postrider_control::{Control, FieldFault};
use postrider_domain::source::Source;
use serde_json::{Map, Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::Answer;
use crate::body::JsonObject;
use crate::caller::Caller;
use crate::error::ApiResult;
use crate::fields::{Faults, Fields};
use crate::listing::{self, part};
use crate::query::Params;
use crate::{links, schema};

pub(crate) fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(show, put, delete))
}

type Ids = Path<(String, String)>;

/// List sources
///
/// The sources of a space, by id. Other parameters are refused.
#[utoipa::path(
    get,
    path = "/spaces/{space}/sources",
    operation_id = "listSources",
    tag = "Sources",
    params(schema::query::PageQuery),
    responses(
        (status = 200, description = "The sources.", body = schema::source::SourceList),
    ),
    extensions(("x-permission" = json!("integrations:manage"))),
)]
async fn list(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path(space): Path<String>,
    params: Params,
) -> ApiResult<Answer> {
    params.refuse_unknown(&listing::KNOWN)?;
    let sources = control.sources(&actor, &links::space(&space)?).await?;
    Answer::ok(&part(sources, &params, |source| source.id.to_string(), write)?)
}

/// Make a source
///
/// Under a drawn id. The answer shows a drawn secret, this once.
#[utoipa::path(
    post,
    path = "/spaces/{space}/sources",
    operation_id = "createSource",
    tag = "Sources",
    request_body = schema::source::SourceBody,
    responses(
        (status = 201, description = "The source was made.", body = schema::source::Source, headers(("Location" = String, description = "Where it lives."))),
        (status = 409, description = "The space has as many sources as it may have."),
    ),
    extensions(("x-permission" = json!("integrations:manage"))),
)]
async fn create(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path(space): Path<String>,
    JsonObject(body): JsonObject,
) -> ApiResult<Answer> {
    saved(&control.create_source(&actor, &links::space(&space)?, read(&body)?).await?)
}

/// Show a source
#[utoipa::path(
    get,
    path = "/spaces/{space}/sources/{source}",
    operation_id = "getSource",
    tag = "Sources",
    responses(
        (status = 200, description = "The source.", body = schema::source::Source),
    ),
    extensions(("x-permission" = json!("integrations:manage"))),
)]
async fn show(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path((space, id)): Ids,
) -> ApiResult<Answer> {
    Answer::ok(&write(&control.source(&actor, &links::space(&space)?, &links::source(&id)?).await?))
}

/// Make or replace a source
///
/// Under a given id. Without a secret it keeps the one it has; a new source gets a drawn one, which the answer shows this once.
#[utoipa::path(
    put,
    path = "/spaces/{space}/sources/{source}",
    operation_id = "putSource",
    tag = "Sources",
    request_body = schema::source::SourceBody,
    responses(
        (status = 200, description = "The source as it is now.", body = schema::source::Source, headers(("Location" = String, description = "Where it lives."))),
        (status = 201, description = "The source was made.", body = schema::source::Source, headers(("Location" = String, description = "Where it lives."))),
        (status = 409, description = "The space has as many sources as it may have."),
    ),
    extensions(("x-permission" = json!("integrations:manage"))),
)]
async fn put(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path((space, id)): Ids,
    JsonObject(body): JsonObject,
) -> ApiResult<Answer> {
    let (space, id) = (links::space(&space)?, links::source(&id)?);
    saved(&control.put_source(&actor, &space, &id, read(&body)?).await?)
}

/// Delete a source
///
/// What the CMS sends to it is refused from now on.
#[utoipa::path(
    delete,
    path = "/spaces/{space}/sources/{source}",
    operation_id = "deleteSource",
    tag = "Sources",
    responses(
        (status = 204, description = "It is gone."),
    ),
    extensions(("x-permission" = json!("integrations:manage"))),
)]
async fn delete(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path((space, id)): Ids,
) -> ApiResult<Response> {
    control.delete_source(&actor, &links::space(&space)?, &links::source(&id)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `{"name", "dialect", "secret"}`. `sys` and `path` are taken as well and mean nothing, so that what was read can be
/// changed and sent back.
fn read(body: &Map<String, Value>) -> ApiResult<SourceDraft> {
    let faults = Faults::default();
    let fields = Fields::top(body, &faults);
    let required = |key: &'static str, fix: &str| {
        let text = fields.text(key);
        if text.is_none() && fields.raw(key).is_none() {
            faults.push(FieldFault::new(key, "required", "it is missing", fix));
        }
        text.unwrap_or_default()
    };
    let name = required("name", "say which CMS sends here");
    let dialect = required("dialect", "say which CMS speaks, for example cometcms");
    let secret = fields.text("secret");
    for ours in ["sys", "path"] {
        fields.raw(ours);
    }
    fields.refuse_unread();
    drop(fields);
    faults.check()?;
    Ok(SourceDraft { name, dialect, secret })
}

/// With the secret as `secret` if one was drawn, this once.
fn saved(saved: &SavedSource) -> ApiResult<Answer> {
    let mut written = write(&saved.source);
    if let Some(secret) = &saved.new_secret {
        written["secret"] = json!(secret.reveal());
    }
    let status = if saved.created { StatusCode::CREATED } else { StatusCode::OK };
    let path = format!("/spaces/{}/sources/{}", saved.source.space, saved.source.id);
    Ok(Answer::new(status, &written)?.at(&path))
}

/// `path` is where the CMS sends its webhooks for the environment `master`; others have theirs.
fn write(source: &Source) -> Value {
    let audit = &source.audit;
    json!({
        "sys": {
            "type": "Source",
            "id": source.id.as_str(),
            "space": links::link("Space", source.space.as_str()),
            "createdAt": audit.created_at.to_string(),
            "createdBy": links::link("Token", &audit.created_by),
            "updatedAt": audit.updated_at.to_string(),
            "updatedBy": links::link("Token", &audit.updated_by),
        },
        "name": source.name,
        "dialect": source.dialect,
        "path": format!("/spaces/{}/environments/master/sources/{}", source.space, source.id),
    })
}
