//! Short ways to say what a test is about: everything else has a sensible value.
//!
//! ```
//! use postrider_testkit::builders::{deliver, event, webhook};
//! let event = event("Entry.publish").id("e1").resource("r1").carried();
//! let webhook = webhook("w1").topic("Entry.*").url("http://127.0.0.1:9/").build();
//! let message = deliver(&event, &[webhook.id.as_str()]);
//! assert_eq!(message.targets[0].attempt, 1);
//! ```

mod event;
mod message;
mod record;
mod settings;
mod webhook;

pub use event::{EventBuilder, content, event};
pub use message::{deliver, outgoing, target};
pub use record::{CallBuilder, call, call_id, matched, settled};
pub use settings::settings;
pub use webhook::{WebhookBuilder, webhook};

use postrider_domain::id::{EnvironmentId, EventId, Scope, SpaceId, WebhookId};

/// The space everything belongs to unless it says otherwise.
pub const SPACE: &str = "default";

/// A space's id.
pub fn space(text: &str) -> SpaceId {
    SpaceId::new(text).expect("the test gives a valid space")
}

/// An event's id.
pub fn event_id(text: &str) -> EventId {
    EventId::new(text).expect("the test gives a valid event id")
}

/// A webhook's id.
pub fn webhook_id(text: &str) -> WebhookId {
    WebhookId::new(text).expect("the test gives a valid webhook id")
}

/// The environment `master` of a space.
pub fn scope(text: &str) -> Scope {
    Scope { space: space(text), environment: EnvironmentId::master() }
}
