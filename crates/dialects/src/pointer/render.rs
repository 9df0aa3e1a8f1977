//! Puts values in the place of pointers: in bodies, URLs and header values.

use std::borrow::Cow;
use std::fmt::Write;

use serde_json::value::RawValue;

use super::parse::{Part, parts, tokens};
use super::tree::Tree;
use super::{DEEPEST_BODY, LONGEST_BODY, LONGEST_MADE_HEADER, LONGEST_MADE_URL, MOST_POINTERS, check};
use crate::fields::{DEEPEST, depth};
use crate::mustache::has_dot_segment;
use crate::ordered::{compact, elements, members, quote, text};
use crate::percent;
use crate::request::RenderError;

/// Renders templates over one event.
pub(super) struct Renderer<'a> {
    root: Tree<'a>,
}

impl<'a> Renderer<'a> {
    /// `root` is what the pointers look into, as JSON.
    pub(super) fn new(root: &'a str) -> Result<Self, RenderError> {
        let raw: &RawValue = serde_json::from_str(root).map_err(|_| RenderError::PayloadNotJson)?;
        Ok(Self { root: Tree::new(raw) })
    }

    fn find(&self, pointer: &str) -> Option<&'a RawValue> {
        self.root.find(&tokens(pointer)?)
    }

    /// A value as it is put into a text.
    fn inside(&self, pointer: &str) -> Cow<'a, str> {
        match self.find(pointer).map(|raw| (raw, raw.get())) {
            None | Some((_, "null")) => Cow::Borrowed(""),
            Some((raw, json)) => match text(raw) {
                Some(text) => Cow::Owned(text),
                None if json.starts_with(['{', '[']) => Cow::Owned(compact(json)),
                None => Cow::Borrowed(json),
            },
        }
    }

    /// A text with `write` for each value.
    fn fill(&self, template: &str, out: &mut Bounded, write: impl Fn(&str) -> String) -> Result<(), String> {
        let parts = parts(template);
        if parts.len() > 2 * MOST_POINTERS {
            return Err(format!("it has more than {MOST_POINTERS} pointers: leave some out"));
        }
        for part in parts {
            match part {
                Part::Literal(literal) => out.push(literal)?,
                Part::Pointer { pointer, .. } => out.push(&write(&self.inside(pointer)))?,
            }
        }
        Ok(())
    }

    /// A body: any JSON, its texts filled in.
    pub(super) fn body(&self, template: &str) -> Result<String, RenderError> {
        let fault = |fault: String| RenderError::Template { part: "body", fault };
        if depth(template) > DEEPEST {
            return Err(fault(format!("it is nested deeper than {DEEPEST} levels: flatten it")));
        }
        let raw: &RawValue =
            serde_json::from_str(template).map_err(|error| fault(format!("it is not JSON: {error}")))?;
        let mut out = Bounded::new(LONGEST_BODY);
        self.value(raw, &mut out, &mut 0).map_err(fault)?;
        if depth(&out.text) > DEEPEST_BODY {
            return Err(fault(format!("it makes JSON deeper than {DEEPEST_BODY} levels: point further in")));
        }
        Ok(out.text)
    }

    /// The depth has been checked, so this ends. `used` counts the pointers so far.
    fn value(&self, raw: &RawValue, out: &mut Bounded, used: &mut usize) -> Result<(), String> {
        if let Some(members) = members(raw) {
            out.push("{")?;
            for (at, (name, value)) in members.iter().enumerate() {
                out.push(if at == 0 { "" } else { "," })?;
                out.push(&quote(name))?;
                out.push(":")?;
                self.value(value, out, used)?;
            }
            return out.push("}");
        }
        if let Some(elements) = elements(raw) {
            out.push("[")?;
            for (at, value) in elements.iter().enumerate() {
                out.push(if at == 0 { "" } else { "," })?;
                self.value(value, out, used)?;
            }
            return out.push("]");
        }
        let Some(template) = text(raw) else { return out.push(raw.get()) };
        let parts = parts(&template);
        *used += parts.iter().filter(|part| matches!(part, Part::Pointer { .. })).count();
        if *used > MOST_POINTERS {
            return Err(format!("it has more than {MOST_POINTERS} pointers: leave some out"));
        }
        match parts.as_slice() {
            [Part::Pointer { pointer, .. }] => out.push(self.find(pointer).map_or("null", RawValue::get)),
            parts if parts.iter().all(|part| matches!(part, Part::Literal(_))) => out.push(raw.get()),
            _ => {
                let mut filled = Bounded::new(LONGEST_BODY);
                self.fill(&template, &mut filled, str::to_owned)?;
                out.push(&quote(&filled.text))
            }
        }
    }

    /// A URL, its values percent-encoded.
    pub(super) fn url(&self, template: &str) -> Result<String, RenderError> {
        let fault = |fault: String| RenderError::Template { part: "URL", fault };
        if let Some(one) = check::check_url(template).err().and_then(|faults| faults.into_iter().next()) {
            return Err(fault(format!("{}; {}", one.problem, one.fix)));
        }
        let mut out = Bounded::new(LONGEST_MADE_URL);
        self.fill(template, &mut out, percent::encode).map_err(fault)?;
        if has_dot_segment(&out.text) && !has_dot_segment(template) {
            let problem = "a value makes a segment . or .. of the path, which leads elsewhere: put a letter before \
                           the value, or move it into the query";
            return Err(fault(problem.to_owned()));
        }
        Ok(out.text)
    }

    /// The value of a header; of what is filled in, all but visible ASCII is percent-encoded.
    pub(super) fn header(&self, name: &str, template: &str) -> Result<String, RenderError> {
        let mut out = Bounded::new(LONGEST_MADE_HEADER);
        let filled = self.fill(template, &mut out, visible);
        filled
            .map_err(|fault| RenderError::Template { part: "header", fault: format!("{name}: {fault}") })?;
        Ok(out.text)
    }
}

/// A text as a header can carry it: visible ASCII and spaces as they are, everything else percent-encoded as UTF-8.
fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if matches!(byte, b' '..=b'~') {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// A text that may not grow beyond its limit.
struct Bounded {
    text: String,
    longest: usize,
}

impl Bounded {
    fn new(longest: usize) -> Self {
        Self { text: String::new(), longest }
    }

    fn push(&mut self, more: &str) -> Result<(), String> {
        if self.text.len() + more.len() > self.longest {
            let longest = self.longest;
            return Err(format!("it makes more than {longest} bytes: point further in, or leave parts out"));
        }
        self.text.push_str(more);
        Ok(())
    }
}
