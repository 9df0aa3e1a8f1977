//! A JSON payload as templates see it: read in place, each level when it is first looked at, so that numbers keep their
//! text, members keep their order, and what nobody asks for costs nothing.

use std::borrow::Cow;
use std::cell::OnceCell;

use serde_json::value::RawValue;

use crate::fields::Pairs;

/// A JSON value. Looking inside is only possible for the engine.
#[derive(Debug)]
pub struct Data<'a> {
    raw: &'a str,
    inside: OnceCell<Inside<'a>>,
}

#[derive(Debug)]
enum Inside<'a> {
    List(Vec<Data<'a>>),
    Object(Vec<(String, Data<'a>)>),
}

impl<'a> Data<'a> {
    /// Takes one well-formed JSON value, else the parser's reason.
    pub fn parse(text: &'a str) -> Result<Self, serde_json::Error> {
        if text.trim_start().starts_with('{') {
            // Checked and opened in one pass: a payload can be large, and templates look into it at once.
            let members = serde_json::from_str::<Pairs<'a>>(text)?;
            return Ok(Self { raw: text.trim(), inside: OnceCell::from(Self::opened(members)) });
        }
        serde_json::from_str::<&RawValue>(text).map(Self::of)
    }

    fn of(raw: &'a RawValue) -> Self {
        Self { raw: raw.get(), inside: OnceCell::new() }
    }

    /// The items, when it is a list.
    pub(super) fn list(&self) -> Option<&[Self]> {
        match self.inside() {
            Inside::List(items) if self.raw.starts_with('[') => Some(items),
            _ => None,
        }
    }

    /// A member of an object, or an item of a list; and how many members were looked at.
    pub(super) fn member(&self, name: &str) -> (Option<&Self>, usize) {
        match self.inside() {
            // Of two members of one name the last counts, as for most parsers.
            Inside::Object(members) => {
                let found = members.iter().rposition(|(given, _)| given == name);
                (found.map(|at| &members[at].1), members.len() - found.unwrap_or(0))
            }
            Inside::List(items) => (name.parse().ok().and_then(|at: usize| items.get(at)), 1),
        }
    }

    /// Whether a section about it is shown.
    pub(super) fn is_true(&self) -> bool {
        !matches!(self.raw, "null" | "false") && self.list().is_none_or(|items| !items.is_empty())
    }

    /// What a tag writes for it, before escaping. Nothing for `null`.
    pub(super) fn shown(&self) -> Cow<'a, str> {
        match self.raw.as_bytes().first() {
            Some(b'"') => serde_json::from_str(self.raw).map_or(Cow::Borrowed(""), Shown::into),
            Some(b'{' | b'[') => compact(self.raw),
            _ if self.raw == "null" => Cow::Borrowed(""),
            _ => Cow::Borrowed(self.raw),
        }
    }

    /// The text or number at the end of these names.
    pub(crate) fn text_at(&self, path: &[&str]) -> Option<String> {
        let found = path.iter().try_fold(self, |value, name| value.member(name).0)?;
        let is_text =
            found.raw.starts_with(|first: char| first == '"' || first == '-' || first.is_ascii_digit());
        is_text.then(|| found.shown().into_owned())
    }

    /// How many bytes its JSON has.
    pub(super) fn len(&self) -> usize {
        self.raw.len()
    }

    fn opened(members: Pairs<'a>) -> Inside<'a> {
        Inside::Object(members.0.into_iter().map(|(name, raw)| (name, Self::of(raw))).collect())
    }

    fn inside(&self) -> &Inside<'a> {
        self.inside.get_or_init(|| match self.raw.as_bytes().first() {
            Some(b'{') => Self::opened(serde_json::from_str(self.raw).unwrap_or_else(|_| Pairs(Vec::new()))),
            Some(b'[') => {
                let items = serde_json::from_str::<Vec<&'a RawValue>>(self.raw).unwrap_or_default();
                Inside::List(items.into_iter().map(Self::of).collect())
            }
            _ => Inside::Object(Vec::new()),
        })
    }
}

/// A text, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct Shown<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> From<Shown<'a>> for Cow<'a, str> {
    fn from(shown: Shown<'a>) -> Self {
        shown.0
    }
}

/// Well-formed JSON without the white space between its tokens.
pub(crate) fn compact(json: &str) -> Cow<'_, str> {
    let (mut in_string, mut escaped) = (false, false);
    let mut is_space = move |one: char| {
        match one {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            ' ' | '\t' | '\n' | '\r' if !in_string => return true,
            _ => {}
        }
        false
    };
    if json.chars().any(&mut is_space.clone()) {
        Cow::Owned(json.chars().filter(|one| !is_space(*one)).collect())
    } else {
        Cow::Borrowed(json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_goes_between_tokens_only() {
        assert_eq!(compact(" { \"a \\\" b\" :\n[ 1 , 2.10 ] } "), r#"{"a \" b":[1,2.10]}"#);
        assert!(matches!(compact(r#"{"a b":1}"#), Cow::Borrowed(_)));
    }

    #[test]
    fn of_two_members_of_one_name_the_last_counts() {
        let data = Data::parse(r#"{"a":1,"b":2,"a":3}"#).expect("JSON");
        assert_eq!(data.member("a").0.expect("found").shown(), "3");
        assert!(data.member("c").0.is_none());
    }
}
