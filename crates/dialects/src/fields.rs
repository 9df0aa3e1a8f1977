//! Reading a JSON object field by field: strict, keeping raw parts as they are, collecting every fault.

use std::collections::HashSet;
use std::fmt;

use postrider_domain::json::Json;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::read_error::{ReadError, ReadErrors};

/// Deepest nesting of a payload. serde_json reads 128 levels; dialects wrap the data in a few more of their own.
pub(crate) const DEEPEST: usize = 100;
/// Longest text of a field, in bytes.
pub(crate) const LONGEST_TEXT: usize = 1024;
/// Longest URL of a resource, in bytes: what browsers and proxies agree on.
pub(crate) const LONGEST_URL: usize = 2048;
/// More faults than this are not listed: nobody mends more at once.
const MOST_FAULTS: usize = 20;

/// The faults found so far.
#[derive(Debug, Default)]
pub(crate) struct Faults(ReadErrors);

impl Faults {
    pub(crate) fn add(&mut self, fault: ReadError) {
        if self.0.len() < MOST_FAULTS {
            self.0.push(fault);
        }
    }

    /// Notes the fault and goes on without the value.
    pub(crate) fn good<T>(&mut self, result: Result<T, ReadError>) -> Option<T> {
        result.map_err(|fault| self.add(fault)).ok()
    }

    pub(crate) fn into_result(self) -> Result<(), ReadErrors> {
        if self.0.is_empty() { Ok(()) } else { Err(self.0) }
    }

    /// All that was found; for when a required value is missing, so that there is at least one.
    pub(crate) fn into_list(self) -> ReadErrors {
        self.0
    }
}

/// The fields of one object that have not been read yet.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    path: String,
    left: Vec<(String, &'a RawValue)>,
}

impl<'a> Fields<'a> {
    /// Reads a whole payload that must be one object, no deeper than [`DEEPEST`].
    pub(crate) fn of_payload(text: &'a str, faults: &mut Faults) -> Option<Self> {
        let raw = faults.good(value(text, ""))?;
        Self::of(raw, String::new(), faults)
    }

    pub(crate) fn of(raw: &'a RawValue, path: String, faults: &mut Faults) -> Option<Self> {
        if !raw.get().starts_with('{') {
            let problem = format!("must be an object, not {}", kind(raw));
            faults.add(ReadError::new(path, problem, "write { … }"));
            return None;
        }
        let left: Pairs<'a> =
            faults.good(serde_json::from_str(raw.get()).map_err(|error| malformed(&path, &error)))?;
        let fields = Self { path, left: left.0 };
        fields.refuse_duplicates(faults);
        Some(fields)
    }

    fn refuse_duplicates(&self, faults: &mut Faults) {
        let mut seen = HashSet::with_capacity(self.left.len());
        for (name, _) in &self.left {
            if !seen.insert(name.as_str()) {
                faults.add(ReadError::new(self.at(name), "is given twice", "keep one of the two"));
            }
        }
    }

    /// The JSON pointer of a field.
    pub(crate) fn at(&self, name: &str) -> String {
        format!("{}/{}", self.path, shown(name).replace('~', "~0").replace('/', "~1"))
    }

    /// Looks at a field without taking it.
    pub(crate) fn peek(&self, name: &str) -> Option<&'a RawValue> {
        self.left.iter().find(|(given, _)| given == name).map(|(_, raw)| *raw)
    }

    /// Takes a field as it is written; `null` counts as absent.
    pub(crate) fn raw(&mut self, name: &str) -> Option<&'a RawValue> {
        self.written(name).filter(|raw| raw.get() != "null")
    }

    /// Takes a field as it is written, `null` included.
    pub(crate) fn written(&mut self, name: &str) -> Option<&'a RawValue> {
        let at = self.left.iter().position(|(given, _)| given == name)?;
        Some(self.left.swap_remove(at).1)
    }

    /// Takes a text of at most `longest` bytes.
    pub(crate) fn text(&mut self, name: &str, longest: usize, faults: &mut Faults) -> Option<String> {
        let raw = self.raw(name)?;
        let path = self.at(name);
        let text = faults.good(serde_json::from_str::<String>(raw.get()).map_err(|_| {
            ReadError::new(path.clone(), format!("must be a text, not {}", kind(raw)), "put it in quotes")
        }))?;
        faults.good(bounded(&path, text, longest))
    }

    /// Takes a text that must be there and must not be empty.
    pub(crate) fn required(&mut self, name: &str, fix: &str, faults: &mut Faults) -> Option<String> {
        if !self.left.iter().any(|(given, raw)| given == name && raw.get() != "null") {
            faults.add(ReadError::new(self.at(name), "is missing", fix));
            return None;
        }
        let text = self.text(name, LONGEST_TEXT, faults)?;
        if text.is_empty() {
            faults.add(ReadError::new(self.at(name), "is empty", fix));
            return None;
        }
        Some(text)
    }

    /// Takes a whole number that fits 64 bits.
    pub(crate) fn integer(&mut self, name: &str, faults: &mut Faults) -> Option<i64> {
        let raw = self.raw(name)?;
        let path = self.at(name);
        faults.good(serde_json::from_str(raw.get()).map_err(|_| {
            ReadError::new(
                path,
                "must be a whole number between -2^63 and 2^63 - 1",
                "write it without quotes, fraction or exponent",
            )
        }))
    }

    /// Takes an object.
    pub(crate) fn object(&mut self, name: &str, faults: &mut Faults) -> Option<Self> {
        let raw = self.raw(name)?;
        Self::of(raw, self.at(name), faults)
    }

    /// Takes an array, as it is written.
    pub(crate) fn array(&mut self, name: &str, faults: &mut Faults) -> Option<Json> {
        let raw = self.raw(name)?;
        if !raw.get().starts_with('[') {
            let problem = format!("must be an array, not {}", kind(raw));
            faults.add(ReadError::new(self.at(name), problem, "write [ … ]"));
            return None;
        }
        Some(json(raw))
    }

    /// Refuses what has not been taken, naming the known field that comes closest.
    pub(crate) fn refuse_rest(self, known: &[&str], faults: &mut Faults) {
        for (name, _) in &self.left {
            // A second copy of a known field has already been refused as such.
            if !known.contains(&name.as_str()) {
                let fix = match closest(name, known) {
                    Some(near) => {
                        format!("did you mean {near:?}? What belongs to the resource goes into \"data\"")
                    }
                    None => format!(
                        "known here are {}; what belongs to the resource goes into \"data\"",
                        known.join(", ")
                    ),
                };
                faults.add(ReadError::new(self.at(name), "is not a known field", fix));
            }
        }
    }
}

/// Refuses texts that are too long or hold NUL, which no database column takes.
pub(crate) fn bounded(path: &str, text: String, longest: usize) -> Result<String, ReadError> {
    if text.len() > longest {
        let problem = format!("has {} bytes, more than {longest}", text.len());
        return Err(ReadError::new(path, problem, "shorten it, or put it into \"data\""));
    }
    if text.contains('\0') {
        return Err(ReadError::new(path, "contains the character U+0000", "remove it"));
    }
    Ok(text)
}

/// Reads one JSON value as it is written, no deeper than [`DEEPEST`].
pub(crate) fn value<'a>(text: &'a str, path: &str) -> Result<&'a RawValue, ReadError> {
    let raw = serde_json::from_str(text).map_err(|error| malformed(path, &error))?;
    if depth(text) > DEEPEST {
        let problem = format!("is nested deeper than {DEEPEST} levels");
        return Err(ReadError::new(path, problem, "flatten it"));
    }
    Ok(raw)
}

/// A raw value as the domain keeps it.
pub(crate) fn json(raw: &RawValue) -> Json {
    Json::from_checked(raw.get())
}

/// What kind of JSON value it is, for people.
pub(crate) fn kind(raw: &RawValue) -> &'static str {
    match raw.get().as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b'"') => "a text",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}

fn malformed(path: &str, error: &serde_json::Error) -> ReadError {
    ReadError::new(path, format!("is not valid JSON: {error}"), "send one well-formed JSON value in UTF-8")
}

fn shown(name: &str) -> String {
    name.chars().take(64).collect()
}

/// How deep well-formed JSON is nested: brackets outside strings. It does not recurse, whatever the text.
pub fn depth(text: &str) -> usize {
    let (mut now, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                now += 1;
                deepest = deepest.max(now);
            }
            b'}' | b']' if !in_string => now = now.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// The known name that a person most likely meant: equal but for case and punctuation, or at most two edits away.
fn closest<'a>(given: &str, known: &[&'a str]) -> Option<&'a str> {
    let plain =
        |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    let given = plain(&shown(given));
    let (distance, near) = known
        .iter()
        .map(|name| (edits(&given, &plain(name)), *name))
        .min_by_key(|(distance, _)| *distance)?;
    (distance <= 2 && distance < near.len() / 2).then_some(near)
}

/// Levenshtein distance, one row at a time.
fn edits(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in to.bytes().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

/// The members of an object in order, duplicates included.
pub(crate) struct Pairs<'a>(pub(crate) Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Pairs(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_brackets_outside_strings_only() {
        assert_eq!(depth("1"), 0);
        assert_eq!(depth(r#"{"a":["[{\"[",[]]}"#), 3);
    }

    #[test]
    fn the_closest_name_is_found_across_case_punctuation_and_two_slips() {
        let known = ["occurredAt", "resource", "id"];
        assert_eq!(closest("occurred_at", &known), Some("occurredAt"));
        assert_eq!(closest("resorce", &known), Some("resource"));
        assert_eq!(closest("payload", &known), None);
        assert_eq!(closest("x", &known), None);
    }
}
