//! Every serialised form that outlives a process, versioned: messages in queues, webhooks in caches, and what the
//! stores keep as text.
//!
//! Each form is a JSON object that begins with its version, `{"v":1,…}`. Within a version fields are only ever added,
//! and a reader passes over fields it does not know; anything else is a new version (DESIGN §5). One file holds one
//! promise and is named after form and version, so `event_v1.rs` never changes what it means. JSON that came from
//! outside is embedded as the text it came as; secrets are embedded as they were sealed and never opened.

mod call_v1;
mod carried_v1;
mod coalesced_v1;
mod content_v1;
mod decisions_v1;
mod deliver_v1;
mod event_v1;
mod fields;
mod head_v1;
mod object;
mod records_v1;
mod render_v1;
mod retry_v1;
mod space_v1;
mod version;
mod wants_v1;
mod webhook_v1;

use thiserror::Error;

pub use version::EMITTED;

/// A value with a written form.
///
/// Implemented for [`EventMessage`](postrider_domain::message::EventMessage),
/// [`DeliverMessage`](postrider_domain::message::DeliverMessage) and
/// [`RecordsMessage`](postrider_domain::message::RecordsMessage) (queues),
/// [`Webhook`](postrider_domain::webhook::Webhook) and
/// [`SpaceSettings`](postrider_domain::space::SpaceSettings) (store and cache), [`Content`](postrider_domain::event::Content)
/// (bodies), [`CoalescedEvent`](postrider_domain::gathering::CoalescedEvent) (windows), and for what the log keeps as text: [`EventHead`](postrider_domain::event::EventHead), decisions,
/// [`CallRecord`](postrider_domain::call::CallRecord).
pub trait Wire: Sized {
    /// Writes it in the version that is emitted now ([`EMITTED`]).
    fn encode(&self) -> Vec<u8>;

    /// Reads any version that is known.
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError>;
}

/// Why bytes are not a value of the wanted form.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// A newer Postrider wrote it. Leave it where it is: the reader must stop and say so, never park it (DESIGN §5).
    #[error(
        "wire version {found} is newer than {known}, the newest this release reads: upgrade this process"
    )]
    Newer {
        /// The version it says.
        found: u32,
        /// The newest version this release reads.
        known: u32,
    },
    /// It is no such value in any known version; reading it again will not help. Says where and why.
    #[error("malformed: {0}")]
    Malformed(String),
}
