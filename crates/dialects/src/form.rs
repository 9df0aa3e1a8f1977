//! JSON as `application/x-www-form-urlencoded` (WHATWG URL §5.2).
//!
//! A form is flat and JSON is not, and Contentful says only that it converts. Chosen here is the bracket form that PHP,
//! Rails and the npm package `qs` read: `{"a":{"b":[1,null]},"c":true}` is `a[b][0]=1&a[b][1]=&c=true`. Members stand in
//! their order, numbers as they were written; `null` is the empty text; empty objects and arrays leave nothing.

use serde_json::value::RawValue;
use url::form_urlencoded::byte_serialize;

use crate::ordered::{elements, members, text};

/// Why a value is no form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoForm {
    /// Only objects and arrays have names for their parts.
    Scalar,
    /// The form would be longer than allowed.
    TooLong,
}

/// Writes well-formed JSON, whose depth the caller has bounded, as a form of at most `longest` bytes.
pub(crate) fn encode(json: &str, longest: usize) -> Result<String, NoForm> {
    let raw: &RawValue = serde_json::from_str(json).map_err(|_| NoForm::Scalar)?;
    if !raw.get().starts_with(['{', '[']) {
        return Err(NoForm::Scalar);
    }
    let mut form = Form { out: String::new(), longest };
    form.write(&mut String::new(), raw)?;
    Ok(form.out)
}

struct Form {
    out: String,
    longest: usize,
}

impl Form {
    fn write(&mut self, name: &mut String, raw: &RawValue) -> Result<(), NoForm> {
        if let Some(members) = members(raw) {
            for (key, value) in members {
                self.part(name, &key, value)?;
            }
        } else if let Some(elements) = elements(raw) {
            for (at, value) in elements.into_iter().enumerate() {
                self.part(name, &at.to_string(), value)?;
            }
        } else {
            let value = match raw.get() {
                "null" => String::new(),
                plain => text(raw).unwrap_or_else(|| plain.to_owned()),
            };
            self.pair(name, &value)?;
        }
        Ok(())
    }

    /// A part of a value, under its name in brackets unless it stands at the top.
    fn part(&mut self, name: &mut String, key: &str, value: &RawValue) -> Result<(), NoForm> {
        let before = name.len();
        if before == 0 {
            name.push_str(key);
        } else {
            name.extend(["[", key, "]"]);
        }
        if name.len() > self.longest {
            return Err(NoForm::TooLong);
        }
        let written = self.write(name, value);
        name.truncate(before);
        written
    }

    fn pair(&mut self, name: &str, value: &str) -> Result<(), NoForm> {
        if !self.out.is_empty() {
            self.out.push('&');
        }
        self.out.extend(byte_serialize(name.as_bytes()));
        self.out.push('=');
        self.out.extend(byte_serialize(value.as_bytes()));
        if self.out.len() > self.longest { Err(NoForm::TooLong) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use url::form_urlencoded::parse;

    use super::*;

    /// The form, decoded again, in one readable line.
    fn pairs(json: &str) -> Vec<(String, String)> {
        parse(encode(json, 1 << 16).expect("a form").as_bytes()).into_owned().collect()
    }

    #[test]
    fn parts_of_parts_stand_in_brackets_in_their_order() {
        let told = pairs(r#"{"z":{"b":[1.0,null,{"x":"ü&="}]},"c":true,"empty":{},"none":[],"a":""}"#);
        let expected = [("z[b][0]", "1.0"), ("z[b][1]", ""), ("z[b][2][x]", "ü&="), ("c", "true"), ("a", "")];
        assert_eq!(told, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(encode(r#"{"a b":"c+d"}"#, 99).as_deref(), Ok("a+b=c%2Bd"));
        assert_eq!(encode(r#"["x","y"]"#, 99).as_deref(), Ok("0=x&1=y"));
        assert_eq!(encode("{}", 99).as_deref(), Ok(""));
    }

    #[test]
    fn what_has_no_names_is_no_form_and_what_is_too_long_is_refused() {
        for scalar in ["1", "\"a\"", "null", "true", ""] {
            assert_eq!(encode(scalar, 99), Err(NoForm::Scalar), "{scalar}");
        }
        assert_eq!(encode(r#"{"a":"123"}"#, 4), Err(NoForm::TooLong));
        assert_eq!(encode(r#"{"12345":{"a":1}}"#, 4), Err(NoForm::TooLong));
    }

    proptest! {
        #[test]
        fn flat_texts_come_back_as_they_went(given in proptest::collection::btree_map("\\PC{1,9}", ".{0,9}", 0..6)) {
            let json = serde_json::to_string(&given).expect("JSON");
            let expected: Vec<_> = given.into_iter().collect();
            prop_assert_eq!(pairs(&json), expected);
        }
    }
}
