//! Reads given texts as what they must be, and keeps every fault instead of stopping at the first.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::Fault;
use super::layers::Layers;

/// Turns texts into values.
pub(super) struct Reader<'a> {
    layers: &'a Layers,
    faults: &'a mut Vec<Fault>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(layers: &'a Layers, faults: &'a mut Vec<Fault>) -> Self {
        Self { layers, faults }
    }

    /// The value of a key, or `None` with a fault noted.
    pub(super) fn value<T>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        self.list(name, parse)?.pop()
    }

    /// The values of a key that takes a list.
    pub(super) fn list<T>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let given = self.layers.get(name)?;
        let mut values = Vec::new();
        let mut failed = false;
        for text in &given.values {
            match parse(text) {
                Ok(value) => values.push(value),
                Err(what) => {
                    failed = true;
                    self.faults.push(Fault { source: given.source.clone(), key: name.to_owned(), what });
                }
            }
        }
        (!failed).then_some(values)
    }
}

/// Anything that reads itself from text; `expected` says what would be right.
pub(super) fn parsed<T: FromStr>(expected: &'static str) -> impl Fn(&str) -> Result<T, String> {
    move |text| text.trim().parse().map_err(|_| format!("{text:?} is not {expected}"))
}

/// A whole number within bounds.
pub(super) fn between<T>(low: T, high: T) -> impl Fn(&str) -> Result<T, String>
where
    T: FromStr + PartialOrd + fmt::Display + Copy,
{
    move |text| {
        let number = text.trim().replace('_', "").parse::<T>().ok();
        number
            .filter(|number| (low..=high).contains(number))
            .ok_or_else(|| format!("{text:?} is not a whole number from {low} to {high}"))
    }
}

/// A duration such as `30s`, `5m` or `1h 30m`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text.trim())
        .map_err(|error| format!("{text:?} is not a duration such as 30s, 5m or 1h 30m ({error})"))
}

/// A number of bytes: `4096`, `256 KiB`, `1 MB`.
pub(super) fn bytes(text: &str) -> Result<usize, String> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let unit: usize = match text[end..].trim() {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "KiB" => 1 << 10,
        "MB" => 1_000_000,
        "MiB" => 1 << 20,
        "GB" => 1_000_000_000,
        "GiB" => 1 << 30,
        _ => 0,
    };
    text[..end]
        .parse::<usize>()
        .ok()
        .and_then(|number| number.checked_mul(unit))
        .filter(|_| unit > 0)
        .ok_or_else(|| format!("{text:?} is not a size such as 4096, 256 KiB or 1 MB"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_and_without_unit() {
        assert_eq!(bytes("4096"), Ok(4096));
        assert_eq!(bytes("256 KiB"), Ok(262_144));
        assert_eq!(bytes("1MB"), Ok(1_000_000));
        for bad in ["", "KiB", "1 parsec", "-1", "1.5 MiB", "99999999999999999999"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_number_out_of_bounds_is_refused_with_the_bounds() {
        assert_eq!(between(1_u32, 9)("7"), Ok(7));
        let error = between(1_u32, 9)("10").expect_err("too large");
        assert!(error.contains("from 1 to 9"), "{error}");
    }
}
