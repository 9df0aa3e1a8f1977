//! Typed identifiers. A text id is checked once, where it enters; after that it is known to be well-formed.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;
use uuid::Uuid;

/// A text that cannot be the id it was given for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{what} {given:?} is not valid: {rule}")]
pub struct InvalidId {
    /// Which id, in words a person uses (`event id`).
    pub what: &'static str,
    /// What was given, shortened to 64 characters.
    pub given: String,
    /// What would be valid.
    pub rule: &'static str,
}

impl InvalidId {
    fn new(what: &'static str, given: &str, rule: &'static str) -> Self {
        Self { what, given: given.chars().take(64).collect(), rule }
    }
}

fn well_formed(text: &str, longest: usize, punctuation: &[u8]) -> bool {
    (1..=longest).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || punctuation.contains(&byte))
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $longest:literal, $punctuation:literal, $rule:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            #[doc = concat!("Checks and takes a text: ", $rule, ".")]
            pub fn new(text: &str) -> Result<Self, InvalidId> {
                if well_formed(text, $longest, $punctuation) {
                    Ok(Self(text.into()))
                } else {
                    Err(InvalidId::new($what, text, $rule))
                }
            }

            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    };
}

text_id!(
    /// The tenant. No dot, because it is one segment of a routing key.
    SpaceId, "space", 64, b"_-", "1 to 64 of A-Z a-z 0-9 _ -"
);
text_id!(
    /// A line of content inside a space. No dot, because it is one segment of a routing key.
    EnvironmentId, "environment", 64, b"_-", "1 to 64 of A-Z a-z 0-9 _ -"
);
text_id!(
    /// An event's id, unique in its space; given by the publisher or drawn by us.
    EventId, "event id", 128, b"._:-", "1 to 128 of A-Z a-z 0-9 . _ : -"
);
text_id!(
    /// A webhook's id, unique in its space.
    WebhookId, "webhook id", 64, b"._-", "1 to 64 of A-Z a-z 0-9 . _ -"
);
text_id!(
    /// A source's id, unique in its space.
    SourceId, "source id", 64, b"._-", "1 to 64 of A-Z a-z 0-9 . _ -"
);
text_id!(
    /// A Slack connection's id, unique in its space.
    ConnectionId, "connection id", 64, b"._-", "1 to 64 of A-Z a-z 0-9 . _ -"
);
text_id!(
    /// An API token's public id (never the token itself).
    TokenId, "token id", 64, b"_-", "1 to 64 of A-Z a-z 0-9 _ -"
);

impl EnvironmentId {
    /// The environment every space starts with: `master`.
    pub fn master() -> Self {
        Self("master".into())
    }
}

/// Where a thing belongs: a space and an environment of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope {
    /// The tenant.
    pub space: SpaceId,
    /// The line of content.
    pub environment: EnvironmentId,
}

/// One call's id: a UUIDv7 drawn before the call, so that its day can be read from the id alone (DESIGN §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(pub Uuid);

impl CallId {
    /// Makes the id of a call that starts at `unix_ms`, from 10 random bytes (RFC 9562 §5.7).
    pub fn new(unix_ms: u64, random: [u8; 10]) -> Self {
        Self(uuid::Builder::from_unix_timestamp_millis(unix_ms, &random).into_uuid())
    }

    /// When the call was drawn, in milliseconds since the Unix epoch; 0 for an id that is not a UUIDv7.
    pub fn unix_ms(self) -> u64 {
        self.0.get_timestamp().map_or(0, |at| {
            let (seconds, nanos) = at.to_unix();
            seconds * 1000 + u64::from(nanos / 1_000_000)
        })
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_id_takes_its_alphabet_and_nothing_else() {
        for good in ["a", "A.b_c:d-9", &"x".repeat(128)] {
            assert_eq!(EventId::new(good).expect("valid").as_str(), good);
        }
        for bad in ["", "a b", "ä", "a/b", "a\n", &"x".repeat(129)] {
            let error = EventId::new(bad).expect_err("invalid");
            assert!(error.to_string().contains("event id"), "{error}");
        }
    }

    #[test]
    fn a_space_has_no_dot_because_routing_keys_split_there() {
        assert!(SpaceId::new("a.b").is_err());
        assert!(EnvironmentId::new("release-1.0").is_err());
    }

    #[test]
    fn a_call_id_carries_its_instant() {
        let id = CallId::new(1_767_268_800_123, [7; 10]);
        assert_eq!(id.unix_ms(), 1_767_268_800_123);
        assert_eq!(id.0.get_version_num(), 7);
    }
}
