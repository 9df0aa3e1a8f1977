//! Instants as people write them on a command line: so long ago or ahead, a day, or an instant.

use std::time::Duration;

use postrider_domain::timestamp::Timestamp;
use postrider_ports::clock::Clock;

use crate::compose::clock::SystemClock;

/// What is given where something begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// So far from now; the flag says into which direction.
    Away(Duration),
    /// Then.
    At(Timestamp),
}

impl When {
    /// Reads `12h`, `30days`, `2027-01-01` (its beginning in UTC) or `2027-01-01T00:00:00Z`.
    ///
    /// # Errors
    /// When it is none of these; the text says what to write.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let day = || Timestamp::parse(&format!("{text}T00:00:00Z")).map(When::At);
        let away = humantime::parse_duration(text).map(When::Away);
        away.or_else(|_| Timestamp::parse(text).map(When::At)).or_else(|_| day()).map_err(|_| {
            "write a duration such as 12h or 30days, a day such as 2027-01-01, or an instant such as 2027-01-01T00:00:00Z"
                .to_owned()
        })
    }

    /// The instant, where a duration means so long ago.
    pub(super) fn past(self) -> Timestamp {
        match self {
            Self::Away(duration) => SystemClock::new().now().minus(duration),
            Self::At(at) => at,
        }
    }

    /// The instant, where a duration means in so long.
    pub(super) fn future(self) -> Timestamp {
        match self {
            Self::Away(duration) => SystemClock::new().now().plus(duration),
            Self::At(at) => at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_days_and_instants_are_read_and_nothing_else() {
        let instant = |text| When::At(Timestamp::parse(text).expect("an instant"));
        for (text, when) in [
            ("12h", When::Away(Duration::from_hours(12))),
            ("30days", When::Away(Duration::from_hours(30 * 24))),
            ("2027-01-01", instant("2027-01-01T00:00:00Z")),
            ("2027-01-01T10:00:00+02:00", instant("2027-01-01T08:00:00Z")),
        ] {
            assert_eq!(When::read(text), Ok(when), "{text}");
        }
        for bad in ["", "tomorrow", "2027-13-01", "12"] {
            assert!(When::read(bad).is_err(), "{bad}");
        }
    }
}
