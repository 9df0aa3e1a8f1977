//! DatoCMS, in and out (sources: `seeds/datocms-webhooks.txt`; datocms.com/docs/content-management-api/resources/webhook-call;
//! npm @datocms/cma-client).
//!
//! Body: the envelope `webhook_call_id … event_type`, then `entity`, for an update of a record `previous_entity`, and
//! `related_entities`, compact, in the order of the published example. Postrider's part of it:
//!
//! - `webhook_call_id` is the id of the delivery, the same on every attempt; `attempted_auto_retries_count` counts from 0.
//! - `event_triggered_at` is the event's instant in whole seconds; `site_id` is the space's setting, else its id;
//!   `is_environment_primary` says whether the environment is `master`.
//! - `entity` is the resource in the shape of DatoCMS's API version 3. Data that has that shape leaves as it came; other
//!   data become its `attributes`.
//! - What came in from DatoCMS leaves as it came, white space included, but for the members in [`STAMPED`].
//!
//! With the option `payloadApiVersion: "2"` the body has the older shape that the document prints: `entity_type`,
//! `event_type` and `entity` only, times and validity among the attributes.
//!
//! Nothing is signed. As a source DatoCMS proves itself with the source's key, in a custom header or the URL.

use std::time::Duration;

use bytes::Bytes;
use postrider_domain::event::{Event, EventHead};
use postrider_domain::retry::RetryPolicy;

use crate::dialect::{Dialect, Occasion};
use crate::options::Switch;
use crate::read_error::ReadErrors;
use crate::received::{Proof, Received};
use crate::request::{RenderError, Rendered, Said, assemble};

mod entity;
mod read;
mod words;
mod write;

pub use read::read;

/// The name webhooks and sources choose it by.
pub const NAME: &str = "datocms";
/// Who DatoCMS says it is.
pub const USER_AGENT: &str = "DatoCMS (datocms.com)";
/// The members of a body that are written anew for each send; all others leave as they came in.
pub const STAMPED: [&str; 3] = ["webhook_call_id", "attempted_auto_retries_count", "webhook_id"];
/// Which shape the body has.
const VERSION: Switch = Switch {
    name: "payloadApiVersion",
    values: &["3", "2"],
    meaning: "the shape of the body: 3 is today's, with its envelope; 2 is the older one, with entity_type, event_type and \
              entity only",
};
/// DatoCMS gives a receiver 8 s, 2 s of them to connect.
const TIMEOUT: Duration = Duration::from_secs(8);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// DatoCMS's way to speak.
#[derive(Debug, Clone, Copy)]
pub struct DatoCms;

impl Dialect for DatoCms {
    fn name(&self) -> &'static str {
        NAME
    }

    fn expressible(&self, head: &EventHead) -> Result<(), String> {
        words::of(head).map(|_| ())
    }

    fn write(&self, occasion: &Occasion<'_>) -> Result<Rendered, RenderError> {
        let head = &occasion.event.head;
        let topic = words::of(head).map_or_else(|_| head.topic(), |words| words.topic());
        let headers = [("Accept", "*/*"), ("User-Agent", USER_AGENT), ("Content-Type", "application/json")];
        let said = Said {
            topic,
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            payload: Bytes::from(write::body(occasion)?),
        };
        assemble(occasion, said, |_| Ok(Vec::new()))
    }

    fn switches(&self) -> &'static [Switch] {
        &[VERSION]
    }

    fn default_policy(&self) -> RetryPolicy {
        RetryPolicy::named(NAME).unwrap_or_default()
    }

    fn default_timeout(&self) -> Duration {
        TIMEOUT
    }

    fn connect_timeout(&self) -> Option<Duration> {
        Some(CONNECT_TIMEOUT)
    }

    fn proof(&self) -> Option<Proof> {
        Some(Proof::Key)
    }

    fn read(&self, received: &Received<'_>) -> Result<Event, ReadErrors> {
        read(received)
    }
}
