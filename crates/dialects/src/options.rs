//! The switches of a dialect: what a webhook may set in `options`, and what that means.

use std::collections::BTreeMap;

use crate::read_error::{ReadError, ReadErrors};

/// Longest value of an option, in bytes: the longest is the name of a header or a source URI.
const LONGEST_VALUE: usize = 256;

/// One switch of a dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Switch {
    /// Its name in `options`.
    pub name: &'static str,
    /// What it can be, the default first. Empty: any text.
    pub values: &'static [&'static str],
    /// What it does, for people.
    pub meaning: &'static str,
}

/// The values of a switch that is off unless set.
pub const OFF_OR_ON: &[&str] = &["false", "true"];

/// Refuses options that a dialect does not have, and values they cannot take; all at once.
pub(crate) fn check(
    dialect: &str,
    switches: &[Switch],
    options: &BTreeMap<String, String>,
) -> Result<(), ReadErrors> {
    let faults: ReadErrors =
        options.iter().filter_map(|(name, value)| fault(dialect, switches, name, value)).collect();
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

fn fault(dialect: &str, switches: &[Switch], name: &str, value: &str) -> Option<ReadError> {
    let shown = |text: &str| text.chars().take(64).collect::<String>();
    let path = format!("/options/{}", shown(name).replace('~', "~0").replace('/', "~1"));
    let Some(switch) = switches.iter().find(|switch| switch.name == name) else {
        let known: Vec<_> = switches.iter().map(|switch| switch.name).collect();
        let fix = match known.as_slice() {
            [] => "remove it".to_owned(),
            known => format!("known are {}", known.join(", ")),
        };
        return Some(ReadError::new(path, format!("the dialect {dialect} has no such option"), fix));
    };
    if switch.values.is_empty() {
        let good = (1..=LONGEST_VALUE).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_graphic());
        let fix = format!("write 1 to {LONGEST_VALUE} visible ASCII characters without spaces");
        return (!good).then(|| ReadError::new(path, "is not a value it can have", fix));
    }
    let fix = || format!("use one of {}", switch.values.join(", "));
    let unknown = !switch.values.contains(&value);
    unknown.then(|| ReadError::new(path, format!("is {:?}, which it cannot be", shown(value)), fix()))
}

/// The value of a switch in use: as set, else its default (empty for a free text).
pub(crate) fn value<'a>(switch: &Switch, options: &'a BTreeMap<String, String>) -> &'a str {
    let default: &'static str = switch.values.first().copied().unwrap_or_default();
    options.get(switch.name).map_or(default, String::as_str)
}

/// Whether a switch of [`OFF_OR_ON`] is on.
pub(crate) fn is_on(switch: &Switch, options: &BTreeMap<String, String>) -> bool {
    value(switch, options) == "true"
}

#[cfg(test)]
mod tests {
    use super::*;

    const SWITCHES: &[Switch] = &[
        Switch { name: "concise", values: OFF_OR_ON, meaning: "short" },
        Switch { name: "header", values: &[], meaning: "free" },
    ];

    fn given(options: &[(&str, &str)]) -> BTreeMap<String, String> {
        options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn every_option_that_cannot_be_is_named_with_what_can() {
        let options = given(&[("concise", "yes"), ("header", "two words"), ("concice", "true")]);
        let faults = check("contentstack", SWITCHES, &options).expect_err("three faults");
        let paths: Vec<_> = faults.iter().map(|fault| fault.path.as_str()).collect();
        assert_eq!(paths, ["/options/concice", "/options/concise", "/options/header"]);
        assert!(faults[0].fix.contains("concise, header"), "{}", faults[0]);
        assert!(faults[1].fix.contains("false, true"), "{}", faults[1]);
        assert!(check("x", SWITCHES, &given(&[("concise", "true"), ("header", "X-Mine")])).is_ok());
        assert!(check("x", &[], &given(&[("a", "b")])).is_err());
    }

    #[test]
    fn a_switch_that_is_not_set_has_its_first_value() {
        assert!(!is_on(&SWITCHES[0], &given(&[])));
        assert!(is_on(&SWITCHES[0], &given(&[("concise", "true")])));
        assert_eq!(value(&SWITCHES[1], &given(&[])), "");
    }
}
