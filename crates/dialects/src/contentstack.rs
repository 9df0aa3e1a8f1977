//! Contentstack, in and out (sources: `seeds/contentstack-webhook-format.txt`; the CMS reference, §3).
//!
//! Out: POST of `{module, api_key, data, event, triggered_at}`, every byte as `JSON.stringify` would write it, because the
//! documented verifier signs `JSON.stringify(body)`. [`body`] says what stands in it, [`sign`] how it is signed.
//! Any answer outside 2xx and any time-out is repeated after 5, 25, 125 and 625 s; a call may take 30 s.
//!
//! In: [`read`]. A webhook proves itself by the HMAC that Contentstack makes with the secret of an organisation, or by the
//! source's key in a header or the address; a source cannot fetch the public key of the other signature.
//!
//! What came in from Contentstack leaves as the same JSON, but for [`STAMPED`] and what the webhook's options ask for.

use std::time::Duration;

use bytes::Bytes;
use postrider_domain::event::{Event, EventHead};
use postrider_domain::retry::RetryPolicy;

use crate::dialect::{Dialect, Occasion};
use crate::options::{OFF_OR_ON, Switch};
use crate::read_error::ReadErrors;
use crate::received::{Proof, Received};
use crate::request::{RenderError, Rendered, Said, assemble};

pub mod body;
pub mod read;
pub mod sign;
pub mod words;

pub use sign::{NewKey, new_key, public_keys};

/// The name webhooks and sources choose it by.
pub const NAME: &str = "contentstack";
/// The fields of the body that are stamped anew with each attempt.
pub const STAMPED: [&str; 1] = ["triggered_at"];
/// The deadline of a call: what Contentstack's execution log prints (`"timeout": 30000`).
const TIMEOUT: Duration = Duration::from_secs(30);
/// The headers of a received webhook that are Contentstack's own words; the rest is of the way it came.
const KEPT: [&str; 4] =
    ["content-type", "user-agent", "x-contentstack-request-signature", "x-contentstack-hmac-signature"];

/// `events`: how a publish that succeeded is named. `publish` with `data.status` is what Contentstack's examples print.
pub const EVENTS: Switch = Switch {
    name: "events",
    values: &["plain", "suffixed"],
    meaning: "plain: publish with data.action and data.status; suffixed: publish.success, unpublish.success, \
              deploy.success",
};
/// `contentTypeModule`: the document prints `content types`, live payloads `content_type`.
pub const MODULE: Switch = Switch {
    name: "contentTypeModule",
    values: &["content types", "content_type"],
    meaning: "what \"module\" says for content types",
};
/// `order`: in which order the keys stand.
pub const ORDER: Switch = Switch {
    name: "order",
    values: &["document", "live"],
    meaning: "document: module, api_key, data, event, triggered_at; live: triggered_at, module, api_key, data, event",
};
/// `concise`: Contentstack's concise payload.
pub const CONCISE: Switch = Switch {
    name: "concise",
    values: OFF_OR_ON,
    meaning: "entries as uid, title, locale and _version, content types as uid and title",
};
/// `signature`: which signatures are sent.
pub const SIGNATURE: Switch = Switch {
    name: "signature",
    values: &["auto", "rsa", "hmac", "both"],
    meaning: "auto: the RSA signature, and the HMAC when the webhook has a signing secret; the others demand theirs",
};

/// Contentstack's way to speak.
#[derive(Debug, Clone, Copy)]
pub struct Contentstack;

impl Dialect for Contentstack {
    fn name(&self) -> &'static str {
        NAME
    }

    fn expressible(&self, head: &EventHead) -> Result<(), String> {
        words::event_of(head).map(|_| ())
    }

    fn write(&self, occasion: &Occasion<'_>) -> Result<Rendered, RenderError> {
        let head = &occasion.event.head;
        let payload = body::write(occasion)
            .map_err(|reason| RenderError::NotExpressible { dialect: NAME, reason: reason.0 })?;
        let headers = [("Content-Type", "application/json"), ("User-Agent", "Contentstack")];
        let said = Said {
            topic: words::topic_of(head),
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            payload: Bytes::from(payload),
        };
        assemble(occasion, said, |rendered| sign::headers(occasion, rendered.signed_body()))
    }

    fn switches(&self) -> &'static [Switch] {
        &[EVENTS, MODULE, ORDER, CONCISE, SIGNATURE]
    }

    fn signs_with_space(&self) -> bool {
        true
    }

    fn default_policy(&self) -> RetryPolicy {
        RetryPolicy::named(NAME).unwrap_or_default()
    }

    fn default_timeout(&self) -> Duration {
        TIMEOUT
    }

    fn proof(&self) -> Option<Proof> {
        Some(Proof::Either { header: sign::HMAC_HEADER })
    }

    fn is_genuine(&self, received: &Received<'_>) -> bool {
        let given = received.header(sign::HMAC_HEADER).unwrap_or_default();
        sign::verify_hmac(received.secret, received.body.as_bytes(), given, received.now)
    }

    fn read(&self, received: &Received<'_>) -> Result<Event, ReadErrors> {
        let mut event = read::read(received.body, received.scope, received.now)?;
        if let Some(source) = &mut event.content.source {
            let kept = received.headers.iter().filter(|(name, _)| KEPT.contains(&name.as_str()));
            source.headers = kept.cloned().collect();
        }
        Ok(event)
    }
}
