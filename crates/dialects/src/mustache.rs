//! Mustache templates: the required modules of its specification (<https://github.com/mustache/spec>), over JSON.
//!
//! Our own engine, because `{{x}}` must escape for what the template makes (a title's quote must not break a JSON body),
//! because templates and data are strangers', so that output, depth and work are bounded, and because nothing here may
//! read a file. Lambdas, inheritance and dynamic names, which the specification leaves optional, are refused.
//!
//! What the specification leaves open is settled so:
//! - Numbers are written as the JSON writes them, `true` and `false` as such, `null` and what is missing as nothing; objects
//!   and arrays as compact JSON, escaped like a text by `{{x}}` and as they are by `{{{x}}}`.
//! - `false`, `null`, what is missing and the empty list are false; `0`, `""` and `{}` are true.
//! - A whole number in a dotted name picks from a list: `{{related_entities.0.id}}`.
//! - `'` is escaped for HTML too (`&#39;`), so that a value is safe in either kind of quotes.

use std::collections::BTreeMap;
use std::fmt;

use postrider_domain::webhook::Escape;

mod address;
mod data;
mod escape;
mod parse;
mod render;
mod webhook;

pub(crate) use address::has_dot_segment;
pub use data::Data;
pub(crate) use webhook::reshape;
pub use webhook::{check_body, check_url};

/// What a rendering may take. What it would take beyond that ends it with a fault that names the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that it may make.
    pub output: usize,
    /// How deep sections and partials may be nested.
    pub depth: usize,
    /// Work: tags, members looked at, and 64 bytes of JSON written, each one step.
    pub steps: usize,
}

/// Longest template, in bytes: 64 KiB, many times what people write by hand.
pub const LONGEST_TEMPLATE: usize = 64 * 1024;

/// 1 MiB, four times the largest event (256 KiB by default); 64 levels; a million steps, which is some 50 ms at most.
impl Default for Limits {
    fn default() -> Self {
        Self { output: 1024 * 1024, depth: 64, steps: 1_000_000 }
    }
}

/// What `{{x}}` makes a value safe for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escaping {
    /// The inside of a JSON string (RFC 8259 §7).
    Json,
    /// HTML and XML text, attributes in quotes included.
    Html,
    /// One value of `application/x-www-form-urlencoded`: percent-encoded.
    Form,
    /// Nothing.
    None,
}

/// A template, parsed.
#[derive(Debug, Clone)]
pub struct Template<'t> {
    source: &'t str,
    nodes: Vec<Node<'t>>,
}

/// Templates that others include by name (`{{> name}}`).
#[derive(Debug, Clone, Default)]
pub struct Partials<'t>(BTreeMap<&'t str, Template<'t>>);

/// What is wrong with a template, where, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub problem: String,
    /// How to mend it.
    pub fix: String,
}

/// A part of a template. Places are byte offsets into its source.
#[derive(Debug, Clone)]
enum Node<'t> {
    Text {
        text: &'t str,
        at: usize,
    },
    /// Here a line of the source begins; only in partials, which may be indented.
    Line,
    Value {
        name: Name<'t>,
        escaped: bool,
        at: usize,
    },
    Section {
        name: Name<'t>,
        inverted: bool,
        nodes: Vec<Node<'t>>,
        at: usize,
    },
    Partial {
        name: &'t str,
        /// The white space before it, when it stands alone on its line.
        indent: Option<&'t str>,
        at: usize,
    },
}

/// `a.b.c` as its parts; empty for `.`, the present value itself.
type Name<'t> = Vec<&'t str>;

impl<'t> Template<'t> {
    /// Parses a template of at most [`LONGEST_TEMPLATE`] bytes. Names every fault it finds, up to twenty.
    pub fn parse(source: &'t str) -> Result<Self, Vec<Fault>> {
        Ok(Self { source, nodes: parse::parse(source, false)? })
    }

    /// Renders it.
    pub fn render(
        &self,
        data: &Data<'_>,
        escaping: Escaping,
        partials: &Partials<'_>,
        limits: Limits,
    ) -> Result<String, Fault> {
        render::render(self, data, &escape::Values(escaping), partials, limits)
    }
}

impl<'t> Partials<'t> {
    /// Parses them all.
    pub fn parse(sources: impl IntoIterator<Item = (&'t str, &'t str)>) -> Result<Self, Vec<Fault>> {
        let parsed = sources.into_iter().map(|(name, source)| {
            let template = Template { source, nodes: parse::parse(source, true)? };
            Ok((name, template))
        });
        parsed.collect::<Result<_, _>>().map(Self)
    }
}

impl Escaping {
    /// What suits a content type: JSON (`application/json`, `…+json`), HTML and XML, forms; nothing for all others.
    pub fn of_content_type(content_type: &str) -> Self {
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/json" | "text/json" => Self::Json,
            "text/html" | "text/xml" | "application/xml" => Self::Html,
            "application/x-www-form-urlencoded" => Self::Form,
            other if other.ends_with("+json") => Self::Json,
            other if other.ends_with("+xml") => Self::Html,
            _ => Self::None,
        }
    }
}

impl From<Escape> for Escaping {
    fn from(escape: Escape) -> Self {
        match escape {
            Escape::Json => Self::Json,
            Escape::Html => Self::Html,
            Escape::None => Self::None,
        }
    }
}

impl Fault {
    /// A fault at a byte offset of a source.
    fn at(source: &str, offset: usize, problem: impl Into<String>, fix: impl Into<String>) -> Self {
        let before = source.get(..offset).unwrap_or(source);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            problem: problem.into(),
            fix: fix.into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}; {}", self.line, self.column, self.problem, self.fix)
    }
}

impl std::error::Error for Fault {}
