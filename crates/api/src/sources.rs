//! `/spaces/{space}/sources…`: where the webhooks of CMSs come in.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use postrider_control::sources::{SavedSource, SourceDraft};
use postrider_control::{Control, FieldFault};
use postrider_domain::source::Source;
use serde_json::{Map, Value, json};

use crate::answer::{Answer, array};
use crate::body::JsonObject;
use crate::caller::Caller;
use crate::error::ApiResult;
use crate::fields::{Faults, Fields};
use crate::links;

pub(crate) fn routes() -> Router<Arc<Control>> {
    Router::new()
        .route("/spaces/{space}/sources", get(list).post(create))
        .route("/spaces/{space}/sources/{id}", get(show).put(put).delete(delete))
}

type Ids = Path<(String, String)>;

async fn list(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path(space): Path<String>,
) -> ApiResult<Answer> {
    let sources = control.sources(&actor, &links::space(&space)?).await?;
    let total = sources.len();
    Answer::ok(&array(sources.iter().map(write).collect(), total, 0, total))
}

async fn create(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path(space): Path<String>,
    JsonObject(body): JsonObject,
) -> ApiResult<Answer> {
    saved(&control.create_source(&actor, &links::space(&space)?, read(&body)?).await?)
}

async fn show(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path((space, id)): Ids,
) -> ApiResult<Answer> {
    Answer::ok(&write(&control.source(&actor, &links::space(&space)?, &links::source(&id)?).await?))
}

async fn put(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path((space, id)): Ids,
    JsonObject(body): JsonObject,
) -> ApiResult<Answer> {
    let (space, id) = (links::space(&space)?, links::source(&id)?);
    saved(&control.put_source(&actor, &space, &id, read(&body)?).await?)
}

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
