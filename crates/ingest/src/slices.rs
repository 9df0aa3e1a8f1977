//! An array cut into its elements as they are written.

use std::fmt;

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

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
