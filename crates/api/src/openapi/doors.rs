//! The doors of events. Their routes are those of ingest, which knows nothing of this document; a reader looks for them here
//! all the same.

#![expect(dead_code, reason = "these functions carry descriptions, and are never called")]

use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;

use crate::schema::publish::{CloudEvent, EventsBody, Published, Refused};

/// The doors as a document of their own.
pub(super) fn document() -> Document {
    Doors::openapi()
}

#[derive(OpenApi)]
#[openapi(paths(publish, receive))]
struct Doors;

/// Publish events
///
/// One event, an array of up to 500, or CloudEvents 1.0: structured, as a batch, or binary with `ce-*` headers and any media
/// type. 202 only once they are durable; the same id again is answered `duplicate`. A single event has at most 256 KiB, a
/// batch 4 MiB, unless the operator says otherwise.
#[utoipa::path(
    post,
    path = "/spaces/{space}/environments/{environment}/events",
    operation_id = "publishEvents",
    tag = "Publishing",
    request_body(content(
        (EventsBody = "application/json"),
        (CloudEvent = "application/cloudevents+json"),
        (Vec<CloudEvent> = "application/cloudevents-batch+json"),
    )),
    responses(
        (status = 202, description = "Durable: they will be delivered.", body = Published),
        (status = 400, description = "The body is no JSON, no UTF-8, or broke off.", body = Refused),
        (status = 401, description = "There is no token, or none that counts.", body = Refused),
        (status = 403, description = "The token may not publish to this space.", body = Refused),
        (status = 404, description = "There is no such space or environment.", body = Refused),
        (status = 408, description = "The body came too slowly.", body = Refused),
        (status = 409, description = "The id was given to another event.", body = Refused),
        (status = 413, description = "Too many bytes, or too many events.", body = Refused),
        (status = 415, description = "This media type, or its encoding, is not read.", body = Refused),
        (status = 422, description = "An event breaks a rule; every fault is named.", body = Refused),
        (status = 429, description = "The space sends too fast.", body = Refused,
            headers(("Retry-After" = u32, description = "Seconds to wait."))),
        (status = 500, description = "A defect.", body = Refused),
        (status = 503, description = "Too much is waiting, or a part of the system is away.", body = Refused,
            headers(("Retry-After" = u32, description = "Seconds to wait."))),
    ),
    extensions(("x-permission" = json!("events:publish"))),
)]
fn publish() {}

/// Take in a CMS's own webhook
///
/// The address that a CMS sends its webhooks to. The webhook proves itself with the source's secret: by its signature where
/// the CMS signs, else as a key, in `Authorization: Bearer <key>` or as `?key=<key>`. A repeat is no second event. The media
/// type is not judged.
#[utoipa::path(
    post,
    path = "/spaces/{space}/environments/{environment}/sources/{source}",
    operation_id = "receiveWebhook",
    tag = "Publishing",
    params(("key" = Option<String>, Query, description = "The source's key, where the CMS can set nothing but a URL.")),
    request_body(content = Value, content_type = "application/json", description = "As the CMS writes it."),
    responses(
        (status = 202, description = "Durable: it will be delivered.", body = Published),
        (status = 400, description = "The body is no JSON, no UTF-8, or broke off.", body = Refused),
        (status = 401, description = "Neither the source's key nor its signature.", body = Refused),
        (status = 404, description = "There is no such source or environment.", body = Refused),
        (status = 408, description = "The body came too slowly.", body = Refused),
        (status = 409, description = "The id was given to another event.", body = Refused),
        (status = 413, description = "Too many bytes.", body = Refused),
        (status = 415, description = "The encoding is not read.", body = Refused),
        (status = 422, description = "It is no webhook of the source's dialect.", body = Refused),
        (status = 429, description = "The space sends too fast.", body = Refused,
            headers(("Retry-After" = u32, description = "Seconds to wait."))),
        (status = 500, description = "A defect.", body = Refused),
        (status = 503, description = "Too much is waiting, or a part of the system is away.", body = Refused,
            headers(("Retry-After" = u32, description = "Seconds to wait."))),
    ),
    security(("sourceBearer" = []), ("sourceKey" = []), ()),
    extensions(("x-permission" = json!("source"))),
)]
fn receive() {}
