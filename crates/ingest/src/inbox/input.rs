//! From a message of the inbox to the batch of events that it holds.
//!
//! # The id of an event whose publisher gave none
//!
//! A broker hands a message out again when it does not know that it was processed: a process was killed between the
//! confirm of what it published and its acknowledgement. An event with an id is recognised then. For one without, the
//! message must tell:
//!
//! - With a `message-id` (AMQP 0-9-1, property of the basic class) the id is derived from it, the routing key, the body
//!   and the place in the array. The same message, handed out or published again, is the same event. Another body under a
//!   used message-id is another event: nothing is refused for the sake of a counter that began anew.
//! - Without one nothing tells a repeat from a second, equal publish. Since losing an event is worse than doing it twice,
//!   the id is drawn: two equal publishes are two events, and such a kill makes a second event of a message that was in
//!   hand. Who cannot bear that gives an id or a message-id.

use postrider_dialects::cloudevents::BINARY_HEADER;
use postrider_domain::id::{EventId, Scope};
use postrider_domain::timestamp::Timestamp;
use postrider_ports::inbox::Arrived;
use sha2::{Digest, Sha256};

use super::routing_key::RoutingKey;
use crate::accept::Batch;
use crate::form::Form;
use crate::problem::{Kind, Problem};
use crate::reading::{Input, Reader, Submission};
use crate::{Deps, Settings, trace};

/// How names of attributes begin: as DESIGN §4.1 and HTTP have it, and as the AMQP binding of CloudEvents does (§3.1.3.1;
/// `_` for clients to which a colon is not a name).
const HTTP_PREFIX: &str = "ce-";
const AMQP_PREFIXES: [&str; 2] = ["cloudevents:", "cloudevents_"];
/// What a message without a media type is.
const DEFAULT_TYPE: &str = "application/json";

/// Reads the batch that a message holds for a scope.
pub(super) fn read(
    (settings, deps): (&Settings, &Deps),
    (key, scope): (&RoutingKey, &Scope),
    arrived: &Arrived,
    now: Timestamp,
) -> Result<Batch, Problem> {
    let attributes = attributes(&arrived.headers);
    let is_binary = attributes.iter().any(|(name, _)| name == BINARY_HEADER);
    let unnamed = (!is_binary).then_some(DEFAULT_TYPE);
    let content_type = arrived.content_type.as_deref().or(unnamed);
    let form = Form::of(content_type, is_binary)?;
    let (size, most) = (arrived.body.len(), form.limit(settings));
    if size > most {
        let message = format!("the body has {size} bytes, more than {most}");
        let fix = format!("send at most {most} bytes in one message; name large media by their URL");
        return Err(Problem::new(Kind::TooLarge, message, fix));
    }
    let reader = Reader { settings, scope, now, random: deps.random.as_ref() };
    let mut events =
        reader.read(&Input { form, attributes: &attributes, content_type, body: &arrived.body })?;
    key.check(&events)?;
    if let Some(message_id) = arrived.message_id.as_deref().filter(|id| !id.is_empty()) {
        name_by_message(&mut events, message_id, arrived);
    }
    Ok(Batch { events, trace: trace::of_message(&arrived.trace), suspect: arrived.suspect })
}

/// The attributes of a CloudEvent in binary mode, by the names that HTTP gives them. Values in AMQP are not
/// percent-encoded, so their percent signs are made to stay.
fn attributes(headers: &[(String, String)]) -> Vec<(String, String)> {
    let attribute = |(name, value): &(String, String)| {
        let name = name.to_ascii_lowercase();
        if name.starts_with(HTTP_PREFIX) {
            return Some((name, value.clone()));
        }
        let name = AMQP_PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix))?;
        Some((format!("{HTTP_PREFIX}{name}"), value.replace('%', "%25")))
    };
    headers.iter().filter_map(attribute).collect()
}

/// Gives events without an id one that the same message always gives.
fn name_by_message(events: &mut [Submission], message_id: &str, arrived: &Arrived) {
    let body = Sha256::digest(&arrived.body);
    for (place, one) in events.iter_mut().enumerate().filter(|(_, one)| !one.is_named) {
        // A routing key has no NUL, so that the parts stay apart; the hash of the body and the place have fixed lengths.
        let mut hash = Sha256::new();
        hash.update(arrived.routing_key.as_bytes());
        hash.update([0]);
        hash.update(body);
        hash.update(u64::try_from(place).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(message_id);
        let digest = <[u8; 32]>::from(hash.finalize());
        let bytes = digest.first_chunk().expect("a SHA-256 has more than 16 bytes");
        // RFC 9562 §5.8: version 8, bits of our own making.
        let uuid = uuid::Builder::from_custom_bytes(*bytes).into_uuid();
        one.event.head.id =
            EventId::new(&uuid.to_string()).expect("a UUID is 36 of the characters an event id may have");
        one.is_named = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_have_one_name_under_every_prefix_and_keep_their_percent_signs() {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let given = [
            header("Ce-Id", "a%20b"),
            header("cloudEvents:source", "100%25"),
            header("cloudEvents_type", "x"),
            header("x-ce-id", "no"),
        ];
        let expected = [header("ce-id", "a%20b"), header("ce-source", "100%2525"), header("ce-type", "x")];
        assert_eq!(attributes(&given), expected);
    }
}
