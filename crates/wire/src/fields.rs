//! How single values stand in a form: instants, durations, bytes, stable names.

use std::borrow::Cow;
use std::fmt::Display;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use postrider_domain::timestamp::Timestamp;
use serde::{Deserialize, Deserializer};

use crate::DecodeError;

/// Names the field in which a domain type found its rule broken.
pub(crate) fn at<T, E: Display>(field: &str, checked: Result<T, E>) -> Result<T, DecodeError> {
    checked.map_err(|error| DecodeError::Malformed(format!("{field}: {error}")))
}

/// A value of a closed set by its stable name.
pub(crate) fn named<T>(field: &str, name: &str, parse: fn(&str) -> Option<T>) -> Result<T, DecodeError> {
    let shown = || name.chars().take(64).collect::<String>();
    parse(name).ok_or_else(|| DecodeError::Malformed(format!("{field}: {:?} is not known", shown())))
}

/// Says in which part of a larger form something was wrong.
pub(crate) fn within<T>(part: &str, read: Result<T, DecodeError>) -> Result<T, DecodeError> {
    read.map_err(|error| match error {
        DecodeError::Malformed(what) => DecodeError::Malformed(format!("{part}.{what}")),
        newer @ DecodeError::Newer { .. } => newer,
    })
}

/// An instant: milliseconds since the Unix epoch.
pub(crate) fn instant(ms: i64) -> Timestamp {
    Timestamp::from_unix_ms(ms)
}

/// A setting's duration in whole milliseconds.
pub(crate) fn to_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A measured duration in whole microseconds.
pub(crate) fn to_us(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// A body as two fields of which one is used: text where it is UTF-8, else base64 (RFC 4648 §4). Empty: neither.
pub(crate) fn body_fields(body: &Bytes) -> (Option<Cow<'_, str>>, Option<String>) {
    match std::str::from_utf8(body) {
        Ok("") => (None, None),
        Ok(text) => (Some(Cow::Borrowed(text)), None),
        Err(_) => (None, Some(STANDARD.encode(body))),
    }
}

/// Reads the two fields back.
pub(crate) fn body(text: Option<Cow<'_, str>>, base64: Option<String>) -> Result<Bytes, DecodeError> {
    match (text, base64) {
        (Some(text), _) => Ok(Bytes::from(text.into_owned())),
        (None, Some(base64)) => at("body64", STANDARD.decode(base64)).map(Bytes::from),
        (None, None) => Ok(Bytes::new()),
    }
}

/// For an optional field whose value may itself be `null`: a field that is there is `Some`, whatever it holds.
pub(crate) fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}
