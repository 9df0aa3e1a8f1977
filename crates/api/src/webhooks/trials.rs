//! What a webhook would do: a call right now, or a look at it.

use std::sync::Arc;

use axum::extract::{Path, State};
use postrider_control::draft::WebhookDraft;
use postrider_control::preview::{Preview, PreviewOf};
use postrider_control::{Control, FieldFault};
use postrider_domain::id::{EnvironmentId, EventId, SpaceId};
use postrider_domain::matching::Verdict;
use serde_json::{Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::Answer;
use crate::body::JsonText;
use crate::caller::Caller;
use crate::error::ApiResult;
use crate::fields::{Faults, Fields};
use crate::links::{self, WebhookPath, link};
use crate::{call_json, schema, webhook_json};

pub(super) fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new()
        .routes(routes!(test))
        .routes(routes!(ping))
        .routes(routes!(preview))
        .routes(routes!(preview_draft))
}

/// Test a webhook
///
/// Sends a sample `Entry.publish` once, right now, whether the webhook is switched on or not and whatever it subscribes to, and
/// answers with the call. The call is not logged.
#[utoipa::path(
    post,
    path = "/spaces/{space}/webhook_definitions/{webhook}/test",
    operation_id = "testWebhook",
    tag = "Webhooks",
    responses(
        (status = 200, description = "The call.", body = schema::call::CallDetails),
        (status = 409, description = "The webhook has a dialect that this version does not speak."),
        (status = 422, description = "The dialect cannot write this request."),
    ),
    extensions(("x-permission" = json!("webhooks:update"))),
)]
async fn test(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    path: WebhookPath,
) -> ApiResult<Answer> {
    let call = control.test_webhook(&actor, &path.space, &path.webhook).await?;
    Answer::ok(&call_json::details(&call))
}

/// Ping a webhook
///
/// Sends the small event `Webhook.ping` once, right now, whether the webhook is switched on or not and whatever it subscribes
/// to, and answers with the call. The call is not logged.
#[utoipa::path(
    post,
    path = "/spaces/{space}/webhook_definitions/{webhook}/ping",
    operation_id = "pingWebhook",
    tag = "Webhooks",
    responses(
        (status = 200, description = "The call.", body = schema::call::CallDetails),
        (status = 409, description = "The webhook has a dialect that this version does not speak."),
        (status = 422, description = "The dialect cannot write this request."),
    ),
    extensions(("x-permission" = json!("webhooks:update"))),
)]
async fn ping(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    path: WebhookPath,
) -> ApiResult<Answer> {
    let call = control.ping_webhook(&actor, &path.space, &path.webhook).await?;
    Answer::ok(&call_json::details(&call))
}

/// Preview what a webhook would send
///
/// Whether an event would be delivered and by which rule, and the request as it would be sent, whether it matches or not.
/// Nothing is sent and nothing is recorded. Secrets and signatures are masked. A stored event needs `calls:read` too.
#[utoipa::path(
    post,
    path = "/spaces/{space}/webhook_definitions/{webhook}/preview",
    operation_id = "previewWebhook",
    tag = "Webhooks",
    request_body = Option<schema::preview::PreviewBody>,
    responses(
        (status = 200, description = "What would become of the event.", body = schema::preview::Preview),
        (status = 409, description = "The webhook has a dialect that this version does not speak."),
    ),
    extensions(("x-permission" = json!("webhooks:list"))),
)]
async fn preview(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    path: WebhookPath,
    body: JsonText,
) -> ApiResult<Answer> {
    let of = read_preview(&body)?;
    let preview = control.preview_webhook(&actor, &path.space, &path.webhook, of).await?;
    write(&path.space, &preview)
}

/// Preview what a webhook that is not saved would send
///
/// As above, for the webhook in `webhook`. Its faults are those of saving it.
#[utoipa::path(
    post,
    path = "/spaces/{space}/webhook_definitions/preview",
    operation_id = "previewDraft",
    tag = "Webhooks",
    request_body = schema::preview::DraftPreviewBody,
    responses(
        (status = 200, description = "What would become of the event.", body = schema::preview::Preview,
            headers(("Warning" = String, description = "What was ignored or is odd."))),
    ),
    extensions(("x-permission" = json!("webhooks:list"))),
)]
async fn preview_draft(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    Path(space): Path<String>,
    body: JsonText,
) -> ApiResult<Answer> {
    let space = links::space(&space)?;
    let (of, draft, ignored) = read_draft_preview(&body)?;
    let preview = control.preview_draft(&actor, &space, &draft, of).await?;
    Ok(write(&space, &preview)?.warn(&ignored))
}

fn read_preview(body: &JsonText) -> ApiResult<PreviewOf> {
    let faults = Faults::default();
    let fields = Fields::top(&body.object, &faults);
    let of = read_of(&fields, body);
    fields.refuse_unread();
    drop(fields);
    faults.check()?;
    Ok(of)
}

/// With what was ignored of the webhook.
fn read_draft_preview(body: &JsonText) -> ApiResult<(PreviewOf, WebhookDraft, Vec<String>)> {
    let faults = Faults::default();
    let fields = Fields::top(&body.object, &faults);
    let of = read_of(&fields, body);
    let draft = match fields.raw("webhook") {
        Some(Value::Object(webhook)) => Some(webhook_json::read(webhook, body.text_of("webhook").as_bytes())),
        Some(other) => {
            fields.wrong("webhook".to_owned(), other, "give an object {…}");
            None
        }
        None => {
            let fix = "give the webhook as it would be saved";
            faults.push(FieldFault::new("webhook", "required", "there is no webhook", fix));
            None
        }
    };
    fields.refuse_unread();
    drop(fields);
    faults.check()?;
    let (draft, ignored) = draft.unwrap_or_default();
    Ok((of, draft, ignored))
}

/// `event`, as a publisher would write it and for which `environment`; or `eventId`; or neither for a sample.
fn read_of(fields: &Fields<'_>, body: &JsonText) -> PreviewOf {
    let event = fields.raw("event").map(|_| body.text_of("event"));
    let fault = |name: &'static str, problem: String, fix: &str| {
        fields.fault(FieldFault::new(name, "format", problem, fix));
    };
    let environment = fields.text("environment").and_then(|text| {
        EnvironmentId::new(&text)
            .map_err(|error| fault("environment", error.to_string(), "name an environment of the space"))
            .ok()
    });
    let id = fields.text("eventId").and_then(|text| {
        EventId::new(&text).map_err(|error| fault("eventId", error.to_string(), "name an event")).ok()
    });
    match (event, id) {
        (Some(_), Some(_)) => {
            fault("eventId", "there are two events".to_owned(), "give either `event` or `eventId`");
            PreviewOf::Sample
        }
        (Some(event), None) => PreviewOf::Given { event, environment },
        (None, Some(id)) => PreviewOf::Stored(id),
        (None, None) => PreviewOf::Sample,
    }
}

fn write(space: &SpaceId, preview: &Preview) -> ApiResult<Answer> {
    let body = json!({
        "sys": {"type": "WebhookPreview", "space": link("Space", space.as_str())},
        "decision": verdict(&preview.decision),
        "whenEnabled": preview.when_enabled.as_ref().map(verdict),
        "request": preview.request.as_ref().map(call_json::request),
        "error": preview.error,
    });
    Ok(Answer::ok(&body)?.warn(&preview.warnings))
}

fn verdict(verdict: &Verdict) -> Value {
    json!({"matched": verdict.matched, "rule": verdict.rule.as_str(), "detail": verdict.detail})
}
