//! How each CMS speaks: native payloads to events, events to signed requests.
//!
//! One file per dialect. Everything here is a pure function of its arguments: no I/O, no clock, no randomness (but for
//! [`contentstack::sign`], whose library draws its own).
//!
//! - [`native`]: Postrider's own JSON, in and out.
//! - [`standard_webhooks`]: the Standard Webhooks specification, in and out.
//! - [`cometcms`]: CometCMS, in and out.
//! - [`datocms`]: DatoCMS, in and out.
//! - [`contentful`]: Contentful, in and out.
//! - [`contentstack`]: Contentstack, in and out.
//! - [`contismo`]: Contismo, in and out.
//! - [`cloudevents`]: CloudEvents 1.0, in and out.
//! - [`mod@dialect`]: what every dialect can do; [`topics`]: topics in the words of each CMS.
//! - [`request`]: what all outgoing requests share; [`mask`]: what of them may be recorded.
//! - [`matching`]: what of a decision depends on the dialect or on the content.
//! - [`options`]: the switches a webhook may set.
//! - [`received`]: what a source takes in, and how it proves that it is genuine.
//! - [`mustache`]: templates of bodies and URLs; [`mod@pointer`]: Contentful's, with JSON pointers.
//! - [`slack`]: messages to Slack, and what its answers mean; [`render`], [`judge`]: one of both for any webhook.
//! - [`read_error`]: why a payload was refused.

pub mod cloudevents;
pub mod cometcms;
pub mod contentful;
pub mod contentstack;
pub mod contismo;
pub mod datocms;
pub mod dialect;
pub mod mask;
pub mod matching;
pub mod mustache;
pub mod native;
pub mod options;
pub mod pointer;
pub mod read_error;
pub mod received;
pub mod request;
pub mod slack;
pub mod standard_webhooks;
pub mod topics;

mod coalesced;
mod envelope;
mod escape;
mod fields;
mod foreign;
mod form;
mod hash;
mod js_json;
mod ordered;
mod percent;

use postrider_domain::call::{Failure, RecordedResponse};
use postrider_domain::outcome::{Ended, Outcome};
use postrider_domain::retry::RetryOn;
use postrider_domain::webhook::WebhookAction;

pub use dialect::{Dialect, Occasion};
pub use fields::depth;
pub use read_error::{ReadError, ReadErrors};
pub use received::{Proof, Received};
pub use request::{RenderError, Rendered};

/// The dialects that events can leave in, the default first.
const DIALECTS: &[&dyn Dialect] = &[
    &native::Native,
    &standard_webhooks::StandardWebhooks,
    &cometcms::CometCms,
    &contentful::Contentful,
    &datocms::DatoCms,
    &contentstack::Contentstack,
    &contismo::Contismo,
    &cloudevents::CloudEvents,
];

/// Their names, in the same order.
const NAMES: &[&str] = &[
    native::NAME,
    standard_webhooks::NAME,
    cometcms::NAME,
    contentful::NAME,
    datocms::NAME,
    contentstack::NAME,
    contismo::NAME,
    cloudevents::NAME,
];

/// Makes the request of a webhook: as its dialect writes it, or as a message to Slack, whose API is at `slack_base_url`
/// ([`slack::BASE_URL`] unless the settings say otherwise).
pub fn render(
    dialect: &dyn Dialect,
    occasion: &Occasion<'_>,
    slack_base_url: &str,
) -> Result<Rendered, RenderError> {
    match &occasion.webhook.action {
        WebhookAction::Http(_) => dialect.write(occasion),
        WebhookAction::Slack(target) => slack::write(occasion, target, slack_base_url),
    }
}

/// What the answer to such a request means for the delivery.
pub fn judge(
    dialect: &dyn Dialect,
    action: &WebhookAction,
    (ended, response): (&Ended, Option<&RecordedResponse>),
    on: &RetryOn,
) -> Outcome {
    match action {
        WebhookAction::Http(_) => dialect.judge(ended, on),
        WebhookAction::Slack(_) => slack::judge(ended, response, on),
    }
}

/// Why an answer is no success, where its status alone does not tell: what Slack says. For the log.
pub fn refusal(action: &WebhookAction, response: &RecordedResponse) -> Option<Failure> {
    action.slack().and_then(|_| slack::failure(response))
}

/// The dialect of this name.
pub fn dialect(name: &str) -> Option<&'static dyn Dialect> {
    DIALECTS.iter().copied().find(|dialect| dialect.name() == name)
}

/// Every dialect that events can leave in, the default (`native`) first.
pub fn names() -> &'static [&'static str] {
    NAMES
}

/// The dialects that a source can have: those with webhooks of their own to read.
pub fn source_names() -> Vec<&'static str> {
    let readable = DIALECTS.iter().copied().filter(|dialect| dialect.proof().is_some());
    readable.map(Dialect::name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_to_its_dialect_and_no_other_does() {
        for name in names() {
            assert_eq!(dialect(name).map(Dialect::name), Some(*name));
        }
        assert!(dialect("esperanto").is_none());
        assert_eq!(names().first(), Some(&"native"));
    }

    #[test]
    fn a_source_can_have_the_dialects_that_read_their_own_webhooks() {
        assert_eq!(
            source_names(),
            ["native", "standard-webhooks", "cometcms", "contentful", "datocms", "contentstack", "contismo"]
        );
    }
}
