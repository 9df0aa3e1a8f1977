//! An array cut into its elements as they are written, and how deep they are nested. Nothing here recurses, whatever
//! the input.

use std::fmt;

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// How deep well-formed JSON is nested: brackets outside strings.
pub(crate) fn depth(text: &str) -> usize {
    let (mut now, mut deepest) = (0_usize, 0);
    let (mut in_string, mut is_escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
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

/// Cuts an array into its elements as they are written; beyond `most` they are only counted.
pub(crate) struct Slices {
    pub(crate) most: usize,
}

pub(crate) struct Cut<'a> {
    pub(crate) kept: Vec<&'a RawValue>,
    pub(crate) count: usize,
}

impl<'de> Visitor<'de> for Slices {
    type Value = Cut<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Cut<'de>, A::Error> {
        let mut cut = Cut { kept: Vec::new(), count: 0 };
        while cut.count < self.most {
            let Some(one) = array.next_element()? else { return Ok(cut) };
            cut.kept.push(one);
            cut.count += 1;
        }
        while array.next_element::<IgnoredAny>()?.is_some() {
            cut.count += 1;
        }
        Ok(cut)
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
}
