//! JSON with its members in the order in which they were written, and numbers as they were written: read and written
//! as texts, because a parsed value has lost both.

use serde_json::value::RawValue;

use crate::fields::Pairs;

/// The members of an object, duplicates included; `None` for anything else.
pub(crate) fn members(raw: &RawValue) -> Option<Vec<(String, &RawValue)>> {
    let object = raw.get().starts_with('{').then(|| serde_json::from_str::<Pairs<'_>>(raw.get()));
    object?.ok().map(|pairs| pairs.0)
}

/// The elements of an array; `None` for anything else.
pub(crate) fn elements(raw: &RawValue) -> Option<Vec<&RawValue>> {
    raw.get().starts_with('[').then(|| serde_json::from_str(raw.get()).ok())?
}

/// The text of a JSON string; `None` for anything else.
pub(crate) fn text(raw: &RawValue) -> Option<String> {
    raw.get().starts_with('"').then(|| serde_json::from_str(raw.get()).ok())?
}

/// The member of this name. Of duplicates the last counts, as for `JSON.parse`.
pub(crate) fn member<'a>(members: &[(String, &'a RawValue)], name: &str) -> Option<&'a RawValue> {
    members.iter().rev().find(|(given, _)| given == name).map(|(_, raw)| *raw)
}

/// A text as a JSON string.
pub(crate) fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Well-formed JSON without the white space between its tokens.
pub(crate) fn compact(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let (mut in_string, mut escaped) = (false, false);
    for one in json.chars() {
        match one {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            ' ' | '\t' | '\n' | '\r' if !in_string => continue,
            _ => {}
        }
        out.push(one);
    }
    out
}

/// An object that is being written.
pub(crate) struct ObjectWriter(String);

impl ObjectWriter {
    pub(crate) fn new() -> Self {
        Self("{".to_owned())
    }

    /// A member whose value is JSON.
    pub(crate) fn json(&mut self, name: &str, value: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&quote(name));
        self.0.push(':');
        self.0.push_str(value);
    }

    /// A member whose value is a text.
    pub(crate) fn text(&mut self, name: &str, value: &str) {
        self.json(name, &quote(value));
    }

    pub(crate) fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_goes_only_between_tokens() {
        assert_eq!(compact("{ \"a b\" :\t[ 1.0 ,\n\"c \\\" } d\" ] }"), r#"{"a b":[1.0,"c \" } d"]}"#);
    }

    #[test]
    fn members_keep_their_order_and_the_last_duplicate_counts() {
        let raw: &RawValue = serde_json::from_str(r#"{"z":1,"a":2.50,"z":3}"#).expect("JSON");
        let members = members(raw).expect("an object");
        let names: Vec<_> = members.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["z", "a", "z"]);
        assert_eq!(member(&members, "z").map(RawValue::get), Some("3"));
        assert_eq!(member(&members, "a").map(RawValue::get), Some("2.50"));
    }

    #[test]
    fn an_object_is_written_as_it_is_told() {
        let mut object = ObjectWriter::new();
        object.text("a\"", "b\n");
        object.json("c", "[1]");
        assert_eq!(object.finish(), r#"{"a\"":"b\n","c":[1]}"#);
        assert_eq!(ObjectWriter::new().finish(), "{}");
    }
}
