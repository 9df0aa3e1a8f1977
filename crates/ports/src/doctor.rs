//! What `postrider doctor` learns of a server: findings, each with its weight and the sentence that says what to change.

use std::time::Duration;

use postrider_domain::timestamp::Timestamp;

/// How far a server's clock may be from ours before it is worth a word: deliveries are on time to a second (DESIGN §4.2).
pub const CLOCKS_APART: Duration = Duration::from_secs(1);

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// As it should be; worth knowing.
    Fine,
    /// It works, but not as well or as safely as it could. Something to change.
    Warning,
    /// It does not work, or will lose something. Something to change first.
    Fault,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How much it weighs.
    pub severity: Severity,
    /// What was looked at, in a few words: `version`, `maxmemory-policy`.
    pub subject: String,
    /// What was found, never with a secret: `Redis 7.0.15`.
    pub found: String,
    /// What to change and why, as a sentence; `None` exactly when it is fine.
    pub change: Option<String>,
}

impl Finding {
    /// As it should be.
    pub fn fine(subject: impl Into<String>, found: impl Into<String>) -> Self {
        Self { severity: Severity::Fine, subject: subject.into(), found: found.into(), change: None }
    }

    /// Something to change.
    pub fn warning(subject: impl Into<String>, found: impl Into<String>, change: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, change: Some(change.into()), ..Self::fine(subject, found) }
    }

    /// Something to change first.
    pub fn fault(subject: impl Into<String>, found: impl Into<String>, change: impl Into<String>) -> Self {
        Self { severity: Severity::Fault, change: Some(change.into()), ..Self::fine(subject, found) }
    }

    /// Compares the clock of a server with ours, which was read before and after the server was asked: what lies between
    /// is the way there and back, and no fault of the clock's.
    pub fn clock(theirs: Timestamp, before: Timestamp, after: Timestamp) -> Self {
        let (ahead, behind) = (theirs.since(after), before.since(theirs));
        let subject = "clock";
        let (by, how) = if ahead > behind { (ahead, "ahead of") } else { (behind, "behind") };
        if by <= CLOCKS_APART {
            return Self::fine(subject, format!("within {} s of this process's", CLOCKS_APART.as_secs()));
        }
        let found = format!("{:.1} s {how} this process's", by.as_secs_f64());
        Self::warning(
            subject,
            found,
            "Let NTP set the clocks of all machines: retries, windows and rate limits of processes whose clocks differ are \
             off by the difference.",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_unix_ms(1_000_000 + ms)
    }

    #[test]
    fn a_clock_within_a_second_is_fine_whatever_the_way_took() {
        for theirs in [-1000, 0, 2500, 5000, 6000] {
            assert_eq!(Finding::clock(at(theirs), at(0), at(5000)).severity, Severity::Fine, "{theirs}");
        }
    }

    #[test]
    fn a_clock_further_off_is_told_by_how_much_and_in_which_direction() {
        for (theirs, words) in
            [(-1001, "1.0 s behind"), (-600_000, "600.0 s behind"), (7000, "2.0 s ahead of")]
        {
            let finding = Finding::clock(at(theirs), at(0), at(5000));
            assert_eq!(finding.severity, Severity::Warning);
            assert!(finding.found.starts_with(words), "{finding:?}");
            assert!(finding.change.is_some_and(|change| change.contains("NTP")));
        }
    }
}
