//! `/keys…`: what is sealed with which key, and sealing it anew, for who rules the instance. No key ever passes here.

use std::sync::Arc;

use axum::extract::State;
use postrider_control::keys::{KeyUse, MOST_RESEALED, NotResealed, ResealOrder, Sealings};
use postrider_control::{Control, FieldFault};
use postrider_domain::id::SpaceId;
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
use crate::schema;

/// How many secrets one request seals anew unless it says otherwise: a second or two of work.
const RESEALED: usize = 500;

pub(crate) fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(reseal))
}

/// List the keys that seal secrets
///
/// The process that answers reads its key ring again for it. Each key comes with how many stored secrets are sealed with it,
/// for which everything stored is read; keys themselves are never shown. Several processes may have read different rings.
#[utoipa::path(
    get,
    path = "/keys",
    operation_id = "listKeys",
    tag = "Instance",
    params(schema::query::PageQuery),
    responses(
        (status = 200, description = "The keys.", body = schema::key::KeyList),
        (status = 409, description = "The key ring cannot be read; the message says why."),
    ),
    extensions(("x-permission" = json!("instance"))),
)]
async fn list(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    params: Params,
) -> ApiResult<Answer> {
    params.refuse_unknown(&listing::KNOWN)?;
    let in_use = control.keys(&actor).await?;
    let mut body = part(in_use.keys, &params, |key| format!("{}.{}", u8::from(!key.active), key.id), write)?;
    body["damaged"] = sealings(&in_use.damaged);
    Answer::ok(&body)
}

/// Seal secrets anew
///
/// Seals up to `limit` secrets of webhooks, sources and spaces with the active key that another key sealed. The secrets stay
/// what they are; versions grow by one. While `next` is not null, ask again with it as `from`. Asking again does no harm:
/// what is done is passed over.
#[utoipa::path(
    post,
    path = "/keys/reseal",
    operation_id = "resealSecrets",
    tag = "Instance",
    request_body = Option<schema::key::ResealBody>,
    responses(
        (status = 200, description = "What was sealed anew.", body = schema::key::Resealed),
        (status = 409, description = "The key ring cannot be read, or another key than the given one is active."),
    ),
    extensions(("x-permission" = json!("instance"))),
)]
async fn reseal(
    State(control): State<Arc<Control>>,
    Caller(actor): Caller,
    JsonObject(body): JsonObject,
) -> ApiResult<Answer> {
    let done = control.reseal(&actor, &read(&body)?).await?;
    Answer::ok(&json!({
        "sys": { "type": "Reseal" },
        "active": done.active,
        "resealed": sealings(&done.resealed),
        "failures": done.failures,
        "failed": done.failed.iter().map(failed).collect::<Vec<_>>(),
        "next": done.next.as_ref().map(SpaceId::as_str),
    }))
}

/// `{"key", "from", "limit"}`, each of which may be left out.
fn read(body: &Map<String, Value>) -> ApiResult<ResealOrder> {
    let faults = Faults::default();
    let fields = Fields::top(body, &faults);
    let key = fields.text("key");
    let from = fields.text("from").and_then(|text| {
        let fault = |error: &dyn std::fmt::Display| {
            faults.push(FieldFault::new("from", "format", error.to_string(), "hand back what `next` said"));
        };
        SpaceId::new(&text).map_err(|error| fault(&error)).ok()
    });
    let limit =
        fields.integer("limit").map_or(RESEALED, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    if !(1..=MOST_RESEALED).contains(&limit) {
        let fix = format!("give 1 to {MOST_RESEALED}");
        faults.push(FieldFault::new("limit", "range", format!("it is {limit}"), fix));
    }
    fields.refuse_unread();
    drop(fields);
    faults.check()?;
    Ok(ResealOrder { key, from, limit })
}

fn write(key: &KeyUse) -> Value {
    json!({
        "sys": { "type": "Key", "id": key.id },
        "active": key.active,
        "inRing": key.in_ring,
        "sealed": sealings(&key.sealed),
    })
}

fn sealings(count: &Sealings) -> Value {
    json!({ "webhooks": count.webhooks, "sources": count.sources, "settings": count.settings })
}

fn failed(one: &NotResealed) -> Value {
    json!({ "type": one.holder.as_str(), "space": one.space.as_str(), "id": one.id, "reason": one.reason })
}
