//! Contentful, in and out (sources: `seeds/contentful-webhooks.txt`; Contentful's pages on webhook headers, transformations,
//! filters and secrets; a capture of a real call; npm @contentful/node-apps-toolkit for the signature).
//!
//! - `payload`: the body; [`signature`]: the signature of the whole request; [`mod@table`]: which actions happen to what;
//!   `reading`: Contentful's own webhook.
//! - Transformations, which Contentful applies to body, URL and headers, are [`crate::pointer`].
//!
//! Its sets of types and actions are open, so an event goes out under its own names, with three exceptions: the success
//! of an action is the action, `trash` is `archive`, `restore` is `unarchive`; the start, failure or any other suffix of an
//! action cannot be said. A request is signed with the webhook's own secret, else with the space's; without both it is
//! not, as in Contentful. The name of the webhook is percent-encoded where it is not visible ASCII; Contentful encodes it
//! too and does not say how.

use std::time::Duration;

use bytes::Bytes;
use postrider_domain::event::{Event, EventHead};
use postrider_domain::retry::RetryPolicy;
use sha2::{Digest, Sha256};

mod payload;
mod reading;
pub mod signature;
pub mod table;

use crate::dialect::{Dialect, Occasion};
use crate::percent;
use crate::read_error::ReadErrors;
use crate::received::{Proof, Received};
use crate::request::{RenderError, Rendered, Said, assemble};
pub(crate) use payload::link_to;
pub use table::table;

/// The name webhooks and sources choose it by.
pub const NAME: &str = "contentful";
/// The media type of its bodies.
pub const MEDIA_TYPE: &str = "application/vnd.contentful.management.v1+json";
/// What its topics begin with in the header.
pub(crate) const TOPIC_PREFIX: &str = "ContentManagement.";

/// What is stamped for each call or each webhook: of a webhook that comes in from Contentful and leaves as Contentful
/// would send it, only these headers differ, besides the custom ones and those of the connection. The body is the same.
pub const STAMPED: [&str; 7] = [
    "X-Contentful-Webhook-Name",
    "X-Contentful-Webhook-Request-Attempt",
    "X-Contentful-Idempotency-Key",
    signature::TIMESTAMP,
    signature::SIGNED_HEADERS,
    signature::SIGNATURE,
    "User-Agent",
];

/// What is kept of a webhook that comes in and said again when it leaves: what it is about, not how it was sent.
pub const KEPT: [&str; 9] = [
    "Content-Type",
    "X-Contentful-Topic",
    "X-Contentful-Event-Datetime",
    "X-Contentful-CRN",
    "X-Contentful-Scheduled-Action-Id",
    "X-Contentful-Bulk-Action-Id",
    "X-Contentful-Release-Action-Id",
    "X-Contentful-Release-Id",
    "X-Contentful-Release-Version",
];

/// The header that names each kind of cause (Contentful's changelog, "New contextual AppEvent and Webhook headers").
const CAUSES: [(&str, &str); 4] = [
    ("release", "X-Contentful-Release-Id"),
    ("release_action", "X-Contentful-Release-Action-Id"),
    ("bulk", "X-Contentful-Bulk-Action-Id"),
    ("schedule", "X-Contentful-Scheduled-Action-Id"),
];

/// Contentful's way to speak.
#[derive(Debug, Clone, Copy)]
pub struct Contentful;

impl Dialect for Contentful {
    fn name(&self) -> &'static str {
        NAME
    }

    fn expressible(&self, head: &EventHead) -> Result<(), String> {
        match action_of(head).split_once('.') {
            None => Ok(()),
            Some((_, suffix)) => {
                Err(format!("Contentful tells only that an action has happened, not its {suffix}"))
            }
        }
    }

    fn write(&self, occasion: &Occasion<'_>) -> Result<Rendered, RenderError> {
        let event = occasion.event;
        self.expressible(&event.head)
            .map_err(|reason| RenderError::NotExpressible { dialect: NAME, reason })?;
        let topic = topic(&event.head);
        let payload = match received(event) {
            Some(source) => source.body.as_str().to_owned(),
            None => payload::write(event),
        };
        let headers = headers(occasion, &topic);
        assemble(occasion, Said { topic, headers, payload: Bytes::from(payload) }, |rendered| {
            let secrets = occasion.secrets;
            let secret = secrets.signing.first().or(secrets.space_signing.as_ref());
            secret.map_or_else(|| Ok(Vec::new()), |secret| sign(secret, rendered, occasion))
        })
    }

    fn signs_with_space(&self) -> bool {
        true
    }

    fn default_policy(&self) -> RetryPolicy {
        RetryPolicy::named(NAME).unwrap_or_default()
    }

    fn default_timeout(&self) -> Duration {
        Duration::from_secs(30)
    }

    fn proof(&self) -> Option<Proof> {
        Some(Proof::Signature { header: signature::SIGNATURE })
    }

    fn is_genuine(&self, received: &Received<'_>) -> bool {
        let Received { method, path, headers, body, .. } = *received;
        let request = signature::Request { method, path, headers, body: body.as_bytes() };
        signature::verify(received.secret, &request, received.now)
    }

    fn read(&self, received: &Received<'_>) -> Result<Event, ReadErrors> {
        reading::read(received)
    }
}

/// What came in from Contentful, if the event did.
fn received(event: &Event) -> Option<&postrider_domain::event::Source> {
    event.content.source.as_ref().filter(|source| source.dialect == NAME)
}

/// The action in Contentful's words.
fn action_of(head: &EventHead) -> &str {
    let action = head.action.as_str();
    match action.strip_suffix(".success").unwrap_or(action) {
        "trash" => "archive",
        "restore" => "unarchive",
        other => other,
    }
}

/// The topic as Contentful's receivers know it.
fn topic(head: &EventHead) -> String {
    format!("{TOPIC_PREFIX}{}.{}", head.event_type, action_of(head))
}

/// Contentful's own headers, unsigned.
fn headers(occasion: &Occasion<'_>, topic: &str) -> Vec<(String, String)> {
    let head = &occasion.event.head;
    let key = Sha256::digest(occasion.message_id.to_string());
    let mut headers = vec![
        ("X-Contentful-Topic", topic.to_owned()),
        ("X-Contentful-Webhook-Name", encoded(&occasion.webhook.name)),
        ("X-Contentful-Webhook-Request-Attempt", occasion.attempt.to_string()),
        ("X-Contentful-Event-Datetime", head.occurred_at.to_string()),
    ];
    headers.extend(crn(head).map(|crn| ("X-Contentful-CRN", crn)));
    headers.push(("X-Contentful-Idempotency-Key", hex::encode(key)));
    if let Some(cause) = &head.cause
        && let Some(id) = &cause.id
        && let Some((_, name)) = CAUSES.iter().find(|(kind, _)| *kind == cause.kind)
    {
        headers.push((name, encoded(id)));
    }
    headers.push(("Content-Type", MEDIA_TYPE.to_owned()));
    let mut headers: Vec<(String, String)> =
        headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    if let Some(source) = received(occasion.event) {
        headers.retain(|(name, _)| !KEPT.contains(&name.as_str()));
        let again = KEPT.iter().filter_map(|name| Some(((*name).to_owned(), header(&source.headers, name)?)));
        headers.extend(again);
    }
    headers
}

fn header(headers: &[(String, String)], name: &str) -> Option<String> {
    headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
}

/// Visible ASCII as it is, anything else percent-encoded as a whole.
fn encoded(text: &str) -> String {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) { text.to_owned() } else { percent::encode(text) }
}

/// The resource's name in Contentful (`crn`), for the types whose place in the management API is known.
fn crn(head: &EventHead) -> Option<String> {
    let collection = match head.event_type.as_str() {
        "Entry" => "entries",
        "Asset" => "assets",
        "ContentType" => "content_types",
        "Release" => "releases",
        _ => return None,
    };
    let (scope, id) = (&head.scope, percent::encode(&head.resource.id));
    let (space, environment) = (&scope.space, &scope.environment);
    Some(format!("crn:contentful:::content:spaces/{space}/environments/{environment}/{collection}/{id}"))
}

/// Signs the request as it leaves: path and query are those that the URL parser of the client sends.
fn sign(
    secret: &str,
    rendered: &Rendered,
    occasion: &Occasion<'_>,
) -> Result<Vec<(String, String)>, RenderError> {
    let url = url::Url::parse(&rendered.url).map_err(|error| RenderError::Url(error.to_string()))?;
    let path = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let request = signature::Request {
        method: rendered.method.as_str(),
        path: &path,
        headers: &rendered.headers,
        body: rendered.signed_body(),
    };
    Ok(signature::sign(secret, &request, occasion.now).into())
}
