//! What a CMS publishes to the broker, as it came: the second door of ingest.

use async_trait::async_trait;
use postrider_domain::message::TraceContext;

use crate::error::PortResult;
use crate::queue::Lease;

/// An input that was received and is ours until its lease ends.
pub struct Arrived {
    /// What it was published with: `{space}.{environment}.{Type}.{action}` (DESIGN §4.1).
    pub routing_key: String,
    /// Its media type, if it names one.
    pub content_type: Option<String>,
    /// Its `message-id`, if its publisher set one: a repeat of the same input names the same.
    pub message_id: Option<String>,
    /// Its headers, those without a text form and the broker's own left out. Names may be in any case.
    pub headers: Vec<(String, String)>,
    /// The trace it belongs to.
    pub trace: TraceContext,
    /// The input.
    pub body: Vec<u8>,
    /// Handed out before, or put back by a person.
    pub suspect: bool,
    /// How often it was handed out before this time.
    pub redeliveries: u32,
    /// Must be ended. Dropped without a word it is released.
    pub lease: Box<dyn Lease>,
}

/// Takes inputs, each once at a time over all processes. Oldest first, as far as leases allow.
#[async_trait]
pub trait Inbox: Send {
    /// Waits until there is at least one, then returns up to `max` (at least 1). Cancel-safe.
    async fn receive(&mut self, max: usize) -> PortResult<Vec<Arrived>>;
}

/// Opens the door; each call makes an independent one.
pub trait Inboxes: Send + Sync {
    /// A consumer of the inbox.
    fn inbox(&self) -> Box<dyn Inbox>;
}
