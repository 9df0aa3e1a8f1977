//! Instants with millisecond precision, written as RFC 3339 in UTC (DESIGN §5).

use std::fmt;
use std::time::Duration;

use thiserror::Error;
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

/// Milliseconds in one day: 24 h × 60 min × 60 s × 1000.
pub const DAY_MS: i64 = 86_400_000;

/// An instant: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(i64);

/// A text that is no RFC 3339 instant.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{given:?} is not an RFC 3339 date-time such as 2026-01-01T12:00:00.000Z")]
pub struct InvalidTimestamp {
    /// What was given, shortened to 64 characters.
    pub given: String,
}

/// A day in UTC, counted from 1970-01-01. Everything in the log is kept by day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Day(pub i32);

impl Timestamp {
    /// From milliseconds since the Unix epoch.
    pub const fn from_unix_ms(ms: i64) -> Self {
        Self(ms)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn unix_ms(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, as signatures stamp them.
    pub const fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Reads RFC 3339 with any offset; finer than a millisecond is cut off.
    pub fn parse(text: &str) -> Result<Self, InvalidTimestamp> {
        let parsed = OffsetDateTime::parse(text, &Rfc3339)
            .map_err(|_| InvalidTimestamp { given: text.chars().take(64).collect() })?;
        let ms = parsed.unix_timestamp_nanos().div_euclid(1_000_000);
        // A four-digit year always fits: |ms| < 2.6e14.
        Ok(Self(i64::try_from(ms).unwrap_or(i64::MAX)))
    }

    /// The day it falls on, in UTC.
    pub fn day(self) -> Day {
        Day(i32::try_from(self.0.div_euclid(DAY_MS)).unwrap_or(i32::MAX))
    }

    /// Later by `by`; stays at the last representable instant instead of overflowing.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }

    /// Earlier by `by`.
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero when it is not after.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    fn date_time(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
            .to_offset(UtcOffset::UTC)
    }

    /// `2026-01-01T12:00:00Z`: whole seconds, as CometCMS and DatoCMS print them.
    pub fn to_seconds_string(self) -> String {
        let at = self.date_time();
        let (date, time) = (at.date(), at.time());
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
            date.year(),
            u8::from(date.month()),
            date.day(),
            time.hour(),
            time.minute(),
            time.second()
        )
    }
}

/// `2026-01-01T12:00:00.000Z`, always three digits of milliseconds.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.to_seconds_string();
        write!(f, "{}.{:03}Z", &seconds[..seconds.len() - 1], self.0.rem_euclid(1000))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Day {
    /// The first instant of the day.
    pub fn start(self) -> Timestamp {
        Timestamp(i64::from(self.0) * DAY_MS)
    }

    /// The day `days` before.
    #[must_use]
    pub fn minus(self, days: i32) -> Self {
        Self(self.0.saturating_sub(days))
    }
}

/// `2026-01-01`.
impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.start().to_seconds_string()[..10])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_reads_back() {
        let at = Timestamp::parse("2026-01-01T12:00:00.123456Z").expect("valid");
        assert_eq!(at.to_string(), "2026-01-01T12:00:00.123Z");
        assert_eq!(Timestamp::parse(&at.to_string()), Ok(at));
        assert_eq!(at.to_seconds_string(), "2026-01-01T12:00:00Z");
    }

    #[test]
    fn an_offset_is_folded_into_utc() {
        let at = Timestamp::parse("2026-01-01T01:30:00+02:00").expect("valid");
        assert_eq!(at.to_string(), "2025-12-31T23:30:00.000Z");
        assert_eq!(at.day().to_string(), "2025-12-31");
    }

    #[test]
    fn nonsense_is_refused_with_what_was_given() {
        let error = Timestamp::parse("yesterday").expect_err("invalid");
        assert!(error.to_string().contains("yesterday"), "{error}");
    }

    #[test]
    fn an_instant_before_the_epoch_keeps_its_milliseconds() {
        assert_eq!(Timestamp::from_unix_ms(-1).to_string(), "1969-12-31T23:59:59.999Z");
    }
}
