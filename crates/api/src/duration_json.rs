//! Durations in JSON: numbers of seconds, or texts such as `"90s"`, `"1m 30s"`, `"250ms"`, `"6h"`, `"2d"`.

use std::time::Duration;

use serde_json::{Number, Value, json};

/// What a duration may look like, for faults.
pub(crate) const FORM: &str =
    "give seconds as a number, or a text such as \"30s\", \"5m\", \"1h 30m\", \"250ms\"";

/// Longest text that is read, in characters: all five units with decimals need 40.
pub(crate) const LONGEST_TEXT: usize = 64;
/// Longest duration that is read, in seconds: 100 years. Bounds that mean something are control's.
const LONGEST: f64 = 100.0 * 365.25 * 86_400.0;

/// Reads either form; nothing negative, nothing beyond 100 years, nothing finer than a nanosecond.
pub(crate) fn read(value: &Value) -> Option<Duration> {
    let seconds = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) if text.chars().count() <= LONGEST_TEXT => read_text(text)?,
        _ => return None,
    };
    (0.0..=LONGEST).contains(&seconds).then(|| Duration::from_secs_f64(seconds))
}

/// Whole seconds as an integer, else as a decimal.
pub(crate) fn write(duration: Duration) -> Value {
    if duration.subsec_nanos() == 0 {
        return json!(duration.as_secs());
    }
    Number::from_f64(duration.as_secs_f64()).map_or(Value::Null, Value::Number)
}

/// Milliseconds with their fraction, as timings are shown.
pub(crate) fn write_ms(duration: Duration) -> Value {
    // Microseconds are as fine as anything here is measured.
    let micros = u32::try_from(duration.as_micros()).unwrap_or(u32::MAX);
    json!(f64::from(micros) / 1000.0)
}

/// Numbers with units, one after the other: `1h 30m`.
fn read_text(text: &str) -> Option<f64> {
    let mut rest = text.trim();
    let mut seconds = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|one: char| !one.is_ascii_digit() && one != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        let unit = rest[digits..].trim_start();
        let end = unit.find(|one: char| !one.is_ascii_alphabetic()).unwrap_or(unit.len());
        seconds += number * unit_seconds(&unit[..end])?;
        rest = unit[end..].trim_start();
    }
    Some(seconds)
}

fn unit_seconds(unit: &str) -> Option<f64> {
    Some(match unit {
        "ms" => 0.001,
        "s" | "sec" | "second" | "seconds" => 1.0,
        "m" | "min" | "minute" | "minutes" => 60.0,
        "h" | "hour" | "hours" => 3_600.0,
        "d" | "day" | "days" => 86_400.0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_and_texts_say_the_same() {
        for (value, millis) in [
            (json!(30), 30_000),
            (json!(0.25), 250),
            (json!("250ms"), 250),
            (json!("1h 30m"), 5_400_000),
            (json!("1h30m"), 5_400_000),
            (json!("1.5 s"), 1_500),
            (json!("2 days"), 172_800_000),
        ] {
            assert_eq!(read(&value), Some(Duration::from_millis(millis)), "{value}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for bad in [
            json!(-1),
            json!("30"),
            json!(""),
            json!("s"),
            json!("1 x"),
            json!("-5s"),
            json!(format!("5s{}", " ".repeat(LONGEST_TEXT))),
            json!(1e300),
            json!([]),
        ] {
            assert_eq!(read(&bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(millis in 0u64..10_000_000_000) {
            let duration = Duration::from_millis(millis);
            let back = read(&write(duration)).expect("written here");
            prop_assert!(back.abs_diff(duration) < Duration::from_micros(1));
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            read(&json!(text));
        }
    }
}
