//! What operations share: parameters, errors, headers, tags, the token.

use serde_json::{Map, Value, json};
use utoipa::OpenApi;

use crate::MEDIA_TYPE;
use crate::schema::error::Error;
use crate::schema::text::{
    CallId, ConnectionId, EnvironmentId, EventId, ParkedId, SourceId, SpaceId, TokenId, WebhookId,
};

/// The schemas that only the parts below refer to.
#[derive(OpenApi)]
#[openapi(components(schemas(
    CallId,
    ConnectionId,
    EnvironmentId,
    Error,
    EventId,
    ParkedId,
    SourceId,
    SpaceId,
    TokenId,
    WebhookId
)))]
pub(super) struct Shared;

/// What stands at the beginning of the document.
pub(super) const DESCRIPTION: &str = "\
Postrider takes content events in, finds the webhooks that want each one, and calls them until they answer.

The management API has the paths, bodies, versions and errors of Contentful's, so that Contentful's client library drives it
unchanged, and more beyond that. Bodies are JSON as `application/json` or `application/vnd.contentful.management.v1+json`, of
at most 256 KiB; answers are the latter. What is sent as Contentful's may have unknown fields, which are ignored and named by
a `Warning` header each; our own objects take none.

Every request needs a token, `Authorization: Bearer <token>`. A token belongs to a space, or to the whole instance, and has a
role: `admin` may do everything, `editor` everything in the space but tokens, `developer` what concerns webhooks and their
calls, `viewer` only look, `publisher` only publish events. A space that a token does not reach is answered like one that does not exist.

Errors have `sys.id` for programs, `message` for people, `requestId` for reports, and in `details.errors` every field that
cannot be taken, all at once, each with its path, what is wrong and what would be right. A path answers 405 with `Allow` to
methods that it does not have. GET also answers HEAD.

Lists have `skip` and `limit`, and `pages.next`: hand it back as `cursor` for what comes next.";

/// The tags in the order in which people read them.
pub(super) fn tags() -> Value {
    json!([
        {"name": "Webhooks", "description": "Who is called, for what, and how."},
        {"name": "Calls", "description": "What was sent and what was answered."},
        {"name": "Events", "description": "What happened, and what became of it."},
        {"name": "Publishing", "description": "Where events come in."},
        {"name": "Sources", "description": "Where the webhooks of CMSs come in."},
        {"name": "Slack", "description": "Ways into Slack, through which webhooks post messages."},
        {"name": "Spaces", "description": "Tenants and their environments."},
        {"name": "Settings", "description": "What a space has settled for all its webhooks."},
        {"name": "Tokens", "description": "Who may ask."},
        {"name": "Instance", "description": "The instance as a whole: what could not be processed, and its keys."},
        {"name": "Reference", "description": "This document."},
    ])
}

/// What every document needs beside the schemas.
pub(super) fn components() -> Value {
    json!({
        "securitySchemes": {
            "token": {
                "type": "http",
                "scheme": "bearer",
                "description": "A token of Postrider: `postrider serve` shows the first one, `POST /tokens` makes more.",
            },
            "sourceBearer": {
                "type": "http",
                "scheme": "bearer",
                "description": "The key of a source.",
            },
            "sourceKey": {
                "type": "apiKey",
                "in": "query",
                "name": "key",
                "description": "The key of a source whose CMS can set nothing but a URL.",
            },
        },
        "headers": {
            "RequestId": {
                "description": "Names this request; errors repeat it as `requestId`.",
                "schema": {"type": "string"},
            },
            "Location": {"description": "Where the new thing lives.", "schema": {"type": "string"}},
            "Warning": {
                "description": "What was ignored or is odd, `199 postrider \"…\"`; one header for each.",
                "schema": {"type": "string"},
            },
            "RetryAfter": {
                "description": "Seconds after which the same request is worth sending again.",
                "schema": {"type": "integer", "minimum": 0},
            },
            "RateLimitReset": {
                "description": "Seconds until a request is taken again.",
                "schema": {"type": "integer", "minimum": 0},
            },
            "Authenticate": {"description": "`Bearer`", "schema": {"type": "string"}},
        },
        "parameters": parameters(),
        "responses": responses(),
    })
}

/// The headers of what needs no token: the document, and the page made of it.
pub(super) fn page_headers() -> Value {
    let text = |description: &str| json!({"description": description, "schema": {"type": "string"}});
    json!({
        "X-Contentful-Request-Id": {"$ref": "#/components/headers/RequestId"},
        "Content-Security-Policy": text("What the page may load: its stylesheet."),
        "X-Content-Type-Options": text("`nosniff`"),
        "Referrer-Policy": text("`no-referrer`"),
        "Cache-Control": text("`no-cache`: it may be kept, and is asked for again."),
    })
}

fn parameters() -> Value {
    let all = [
        ("space", "SpaceId", "Which space."),
        ("environment", "EnvironmentId", "Which environment of the space."),
        ("webhook", "WebhookId", "Which webhook."),
        ("source", "SourceId", "Which source."),
        ("connection", "ConnectionId", "Which Slack connection."),
        ("event", "EventId", "Which event."),
        ("call", "CallId", "Which call."),
        ("token", "TokenId", "Which token, by its public id."),
        ("message", "ParkedId", "Which parked message."),
    ];
    let parameter = |(name, schema, description): (&str, &str, &str)| {
        let schema = json!({"$ref": format!("#/components/schemas/{schema}")});
        let written = json!({"name": name, "in": "path", "required": true, "description": description, "schema": schema});
        (name.to_owned(), written)
    };
    Value::Object(all.into_iter().map(parameter).collect())
}

/// The errors that need no word of the route: status, name and what they mean.
const ERRORS: [(&str, &str, &str); 10] = [
    ("400", "BadRequest", "The request cannot be understood, or a parameter cannot be taken."),
    ("401", "Unauthorized", "There is no token, or none that counts."),
    ("403", "Forbidden", "The token lacks the permission."),
    ("404", "NotFound", "There is no such thing, or none that the token reaches."),
    ("413", "PayloadTooLarge", "The body has more than 256 KiB, or broke off."),
    ("415", "UnsupportedMediaType", "The body is not JSON by its media type."),
    ("422", "Invalid", "Fields cannot be taken; every one is named."),
    (
        "429",
        "TooManyRequests",
        "Too many requests with this token, or too many failed sign-ins from this address.",
    ),
    ("500", "ServerError", "Something stored cannot be used; the operator's log says what."),
    ("503", "Unavailable", "A part of the system is away; nothing is lost, try again."),
];

/// The name of the error that every operation answers alike.
pub(super) fn shared_response(status: &str) -> &'static str {
    ERRORS.iter().find(|(known, _, _)| *known == status).map_or("ServerError", |(_, name, _)| name)
}

fn responses() -> Value {
    let header = |name: &str| json!({"$ref": format!("#/components/headers/{name}")});
    let mut all = Map::new();
    for (status, name, description) in ERRORS {
        let mut headers = json!({"X-Contentful-Request-Id": header("RequestId")});
        match status {
            "401" => headers["WWW-Authenticate"] = header("Authenticate"),
            "429" => {
                headers["Retry-After"] = header("RetryAfter");
                headers["X-Contentful-RateLimit-Reset"] = header("RateLimitReset");
            }
            "503" => headers["Retry-After"] = header("RetryAfter"),
            _ => {}
        }
        let content = json!({MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Error"}}});
        all.insert(name.into(), json!({"description": description, "headers": headers, "content": content}));
    }
    Value::Object(all)
}
