//! JSON as `JSON.stringify(JSON.parse(text))` writes it (ECMA-262 §25.5.2, §6.1.6.1.20), which is what a receiver signs that
//! reads a body with JavaScript before it verifies it.
//!
//! No white space; texts with only the escapes that JSON needs (lone surrogates as `\udXXX`); numbers as the shortest text
//! of their double; of members given twice the last value at the first place; members whose names are array indices first
//! and ascending. A number beyond 2^53 is rounded as JavaScript rounds it; one that no double holds is refused, because
//! JavaScript would write `null` for it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::Write;

use crate::fields::DEEPEST;

/// Deeper values are refused before anything recurses into them: what a payload may have, and our own members around it.
const DEEPEST_BODY: usize = DEEPEST + 8;

/// A JSON value as JavaScript keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Js {
    /// A text, number, boolean or null, as it is written.
    Scalar(String),
    /// An array.
    Array(Vec<Js>),
    /// An object: names as they are written between their quotes.
    Object(Vec<(String, Js)>),
}

/// Why a text cannot be written as JavaScript would.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unwritable(pub(crate) String);

impl Js {
    /// Reads one JSON value.
    pub(crate) fn parse(text: &str) -> Result<Self, Unwritable> {
        if crate::fields::depth(text) > DEEPEST_BODY {
            return Err(Unwritable(format!("it is nested deeper than {DEEPEST_BODY} levels")));
        }
        let mut reader = Reader { rest: text };
        let value = reader.value()?;
        reader.skip_space();
        if reader.rest.is_empty() { Ok(value) } else { Err(malformed()) }
    }

    /// A text.
    pub(crate) fn text(text: &str) -> Self {
        let mut out = String::with_capacity(text.len() + 2);
        out.push('"');
        text.chars().for_each(|one| push_char(&mut out, one));
        out.push('"');
        Self::Scalar(out)
    }

    /// A text, or null.
    pub(crate) fn optional(text: Option<&str>) -> Self {
        text.map_or_else(Self::null, Self::text)
    }

    pub(crate) fn null() -> Self {
        Self::Scalar("null".to_owned())
    }

    /// An object of members in their order; names that JSON need not escape.
    pub(crate) fn object<const N: usize>(members: [(&str, Self); N]) -> Self {
        Self::Object(members.map(|(name, value)| (name.to_owned(), value)).into())
    }

    pub(crate) fn is_object(&self) -> bool {
        matches!(self, Self::Object(_))
    }

    /// A member of an object.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        let Self::Object(members) = self else { return None };
        members.iter().find(|(given, _)| given == name).map(|(_, value)| value)
    }

    /// Sets a member where it stands, or behind the others. Nothing happens to what is no object.
    pub(crate) fn set(&mut self, name: &str, value: Self) {
        let Self::Object(members) = self else { return };
        match members.iter_mut().find(|(given, _)| given == name) {
            Some((_, old)) => *old = value,
            None => members.push((name.to_owned(), value)),
        }
    }

    /// As JavaScript writes it.
    pub(crate) fn write(&self) -> String {
        let mut out = String::new();
        self.write_into(&mut out);
        out
    }

    fn write_into(&self, out: &mut String) {
        let open = |out: &mut String, at: usize, bracket| out.push(if at == 0 { bracket } else { ',' });
        match self {
            Self::Scalar(text) => out.push_str(text),
            Self::Array(values) if values.is_empty() => out.push_str("[]"),
            Self::Object(members) if members.is_empty() => out.push_str("{}"),
            Self::Array(values) => {
                for (at, value) in values.iter().enumerate() {
                    open(out, at, '[');
                    value.write_into(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                for (at, (name, value)) in members.iter().enumerate() {
                    open(out, at, '{');
                    out.push('"');
                    out.push_str(name);
                    out.push_str("\":");
                    value.write_into(out);
                }
                out.push('}');
            }
        }
    }
}

fn malformed() -> Unwritable {
    Unwritable("it is not well-formed JSON".to_owned())
}

/// Reads JSON that was checked before: what is malformed all the same is refused, but not explained.
struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn take(&mut self, wanted: char) -> bool {
        self.skip_space();
        let rest = self.rest.strip_prefix(wanted);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, wanted: char) -> Result<(), Unwritable> {
        if self.take(wanted) { Ok(()) } else { Err(malformed()) }
    }

    fn value(&mut self) -> Result<Js, Unwritable> {
        self.skip_space();
        match self.rest.as_bytes().first() {
            Some(b'{') => self.object(),
            Some(b'[') => self.array(),
            Some(b'"') => Ok(Js::Scalar(format!("\"{}\"", self.string()?))),
            Some(b't' | b'f' | b'n') => self.word(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(malformed()),
        }
    }

    fn object(&mut self) -> Result<Js, Unwritable> {
        self.expect('{')?;
        let mut members: Vec<(String, Js)> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        if self.take('}') {
            return Ok(Js::Object(members));
        }
        loop {
            self.skip_space();
            let name = self.string()?;
            self.expect(':')?;
            let value = self.value()?;
            match places.entry(name.clone()) {
                Entry::Occupied(place) => members[*place.get()].1 = value,
                Entry::Vacant(place) => {
                    place.insert(members.len());
                    members.push((name, value));
                }
            }
            if !self.take(',') {
                break;
            }
        }
        self.expect('}')?;
        // The sort is stable: names that are no index keep their order, behind those that are.
        members.sort_by_key(|(name, _)| index(name).map_or((1, 0), |index| (0, index)));
        Ok(Js::Object(members))
    }

    fn array(&mut self) -> Result<Js, Unwritable> {
        self.expect('[')?;
        let mut values = Vec::new();
        if self.take(']') {
            return Ok(Js::Array(values));
        }
        loop {
            values.push(self.value()?);
            if !self.take(',') {
                break;
            }
        }
        self.expect(']')?;
        Ok(Js::Array(values))
    }

    fn word(&mut self) -> Result<Js, Unwritable> {
        let found = ["true", "false", "null"].into_iter().find(|word| self.rest.starts_with(word));
        let word = found.ok_or_else(malformed)?;
        self.rest = &self.rest[word.len()..];
        Ok(Js::Scalar(word.to_owned()))
    }

    fn number(&mut self) -> Result<Js, Unwritable> {
        let part = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
        let end = self.rest.bytes().position(|byte| !part(byte)).unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        let number: f64 = text.parse().map_err(|_| malformed())?;
        if !number.is_finite() {
            let shown: String = text.chars().take(32).collect();
            return Err(Unwritable(format!("the number {shown} is beyond what JavaScript can hold")));
        }
        Ok(Js::Scalar(number_text(number)))
    }

    /// What stands between the quotes of a text, as JavaScript would write it.
    fn string(&mut self) -> Result<String, Unwritable> {
        self.expect('"')?;
        let mut out = String::new();
        loop {
            let plain = self.rest.find(['"', '\\']).ok_or_else(malformed)?;
            self.rest[..plain].chars().for_each(|one| push_char(&mut out, one));
            let closed = self.rest[plain..].starts_with('"');
            self.rest = &self.rest[plain + 1..];
            if closed {
                return Ok(out);
            }
            self.escape(&mut out)?;
        }
    }

    /// What follows a backslash.
    fn escape(&mut self, out: &mut String) -> Result<(), Unwritable> {
        let kind = self.rest.chars().next().ok_or_else(malformed)?;
        self.rest = &self.rest[kind.len_utf8()..];
        let one = match kind {
            '"' | '\\' | '/' => kind,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => return self.unicode(out),
            _ => return Err(malformed()),
        };
        push_char(out, one);
        Ok(())
    }

    fn unicode(&mut self, out: &mut String) -> Result<(), Unwritable> {
        let first = self.unit()?;
        let ahead = self.rest;
        let second = match ahead.strip_prefix("\\u") {
            Some(rest) if (0xd800..0xdc00).contains(&first) => {
                self.rest = rest;
                Some(self.unit()?)
            }
            _ => None,
        };
        if let Some(Ok(one)) = char::decode_utf16([first].into_iter().chain(second)).next() {
            push_char(out, one);
        } else {
            // A lone surrogate: what follows it is read by itself.
            self.rest = ahead;
            // Writing to a String cannot fail.
            let _ = write!(out, "\\u{first:04x}");
        }
        Ok(())
    }

    fn unit(&mut self) -> Result<u16, Unwritable> {
        let digits = self.rest.get(..4).filter(|digits| digits.bytes().all(|one| one.is_ascii_hexdigit()));
        let digits = digits.ok_or_else(malformed)?;
        let unit = u16::from_str_radix(digits, 16).map_err(|_| malformed())?;
        self.rest = &self.rest[4..];
        Ok(unit)
    }
}

/// QuoteJSONString of ECMA-262.
fn push_char(out: &mut String, one: char) {
    match one {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\0'..='\u{1f}' => {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\u{:04x}", u32::from(one));
        }
        _ => out.push(one),
    }
}

/// An array index in the sense of ECMA-262: 0 to 2^32 − 2, written without leading zeros.
fn index(name: &str) -> Option<u32> {
    let index: u32 = name.parse().ok()?;
    (index != u32::MAX && index.to_string() == name).then_some(index)
}

/// Number::toString of ECMA-262, radix 10. Rust and ECMA-262 choose the same shortest digits; only their layout differs.
fn number_text(number: f64) -> String {
    if number == 0.0 {
        return "0".to_owned();
    }
    let printed = format!("{:e}", number.abs());
    let (mantissa, exponent) = printed.split_once('e').unwrap_or((&printed, "0"));
    let digits = mantissa.replace('.', "");
    // The value is 0.digits × 10^point.
    let point = exponent.parse::<i32>().unwrap_or(0) + 1;
    let length = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or(0));
    let sign = if number < 0.0 { "-" } else { "" };
    let at = usize::try_from(point).unwrap_or(0);
    match point {
        1..=21 if length <= point => format!("{sign}{digits}{}", zeros(point - length)),
        1..=21 => format!("{sign}{}.{}", &digits[..at], &digits[at..]),
        -5..=0 => format!("{sign}0.{}{digits}", zeros(-point)),
        _ => {
            let (first, rest) = digits.split_at(1);
            let dot = if rest.is_empty() { "" } else { "." };
            let exponent = point - 1;
            let plus = if exponent < 0 { "" } else { "+" };
            format!("{sign}{first}{dot}{rest}e{plus}{exponent}")
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(text: &str) -> String {
        Js::parse(text).expect(text).write()
    }

    /// Each line checked with Node 20: `JSON.stringify(JSON.parse(text))`.
    #[test]
    fn values_are_written_as_javascript_writes_them() {
        for (given, expected) in [
            (" { \"b\" : 1.0 , \"a\" : [ ] , \"c\":{ } } ", r#"{"b":1,"a":[],"c":{}}"#),
            (
                "[1e21,1e20,123456789012345680000,1E-6,1e-7,-0,-0.0,0.1,1.5e300]",
                "[1e+21,100000000000000000000,123456789012345680000,0.000001,1e-7,0,0,0.1,1.5e+300]",
            ),
            (
                "[9007199254740993,12345678901234567890,5e-324,1.7976931348623157e308,123.456,-1.25e-9]",
                "[9007199254740992,12345678901234567000,5e-324,1.7976931348623157e+308,123.456,-1.25e-9]",
            ),
            (
                r#"["\/","\u00e9","\u0000\u001f","\u007f\u2028","\ud83d\ude00","\ud83d","\ude00\ud83dx","\ud83d\u0041","\ud83d\ud83d\ude00"]"#,
                "[\"/\",\"é\",\"\\u0000\\u001f\",\"\u{7f}\u{2028}\",\"😀\",\"\\ud83d\",\"\\ude00\\ud83dx\",\"\\ud83dA\",\"\\ud83d😀\"]",
            ),
            (
                r#"{"b":1,"10":2,"9":3,"a":4,"b":5,"01":6,"4294967294":7,"4294967295":8,"-1":9,"__proto__":10}"#,
                r#"{"9":3,"10":2,"4294967294":7,"b":5,"a":4,"01":6,"4294967295":8,"-1":9,"__proto__":10}"#,
            ),
            (r#"["\b\f\n\r\t\"\\",true,false,null]"#, r#"["\b\f\n\r\t\"\\",true,false,null]"#),
        ] {
            assert_eq!(written(given), expected, "{given}");
        }
    }

    #[test]
    fn what_javascript_cannot_hold_is_refused() {
        assert!(Js::parse("1e999").expect_err("infinite").0.contains("1e999"));
        assert!(Js::parse(&"[".repeat(500)).is_err());
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        assert!(Js::parse(&deep).expect_err("deep").0.contains("108"));
        for bad in ["", "{", "[1", "{\"a\"}", "\"\\u12\"", "tru", "1 2", "\"\\x\"", "-", "{\"a\":1,}"] {
            assert!(Js::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn members_are_found_and_set_in_their_place() {
        let mut value = Js::parse(r#"{"a":1,"b":2}"#).expect("JSON");
        value.set("a", Js::text("ä\n"));
        value.set("c", Js::null());
        assert_eq!(value.write(), r#"{"a":"ä\n","b":2,"c":null}"#);
        assert_eq!(value.get("b"), Some(&Js::Scalar("2".into())));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_and_what_is_written_is_written_again_the_same(text in any::<String>()) {
            if let Ok(value) = Js::parse(&text) {
                prop_assert_eq!(written(&value.write()), value.write());
            }
            let quoted = Js::text(&text).write();
            prop_assert_eq!(serde_json::from_str::<String>(&quoted).expect("a text"), text);
        }

        #[test]
        fn numbers_keep_their_double(number in any::<f64>().prop_filter("finite", |one| one.is_finite())) {
            let read: f64 = number_text(number).parse().expect("a number");
            // JavaScript has no -0 in JSON.
            prop_assert_eq!(read.to_bits(), (number + 0.0).to_bits());
        }
    }
}
