//! One source file as the rules see it: its tokens with their lines, and which lines are tests.

use std::collections::BTreeSet;
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, ItemFn, ItemImpl, ItemMod};

use super::Breach;

/// A parsed Rust file.
pub struct Source {
    /// From the root, with `/`.
    pub path: String,
    /// As it stands in the file.
    pub text: String,
    /// Its syntax.
    pub syntax: syn::File,
    /// Every token, groups opened up, documentation left out.
    pub tokens: Vec<Token>,
    test_lines: Vec<RangeInclusive<usize>>,
}

/// One token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// As written; `::` is one token.
    pub text: String,
    /// From 1.
    pub line: usize,
    /// The first word of the attribute it stands in, if it stands in one.
    pub attribute: Option<String>,
}

impl Source {
    /// Parses a file.
    ///
    /// # Errors
    /// A breach that says where the syntax is wrong.
    pub fn parse(path: &str, text: &str) -> Result<Self, Breach> {
        let fault = |line: usize, why: String| Breach::at(path, line, format!("cannot be parsed: {why}"));
        let syntax =
            syn::parse_file(text).map_err(|error| fault(error.span().start().line, error.to_string()))?;
        let stream: TokenStream =
            text.parse().map_err(|error: proc_macro2::LexError| fault(0, error.to_string()))?;
        let mut tokens = Vec::new();
        flatten(stream, None, &mut tokens);
        let mut finder = TestFinder::default();
        finder.visit_file(&syntax);
        Ok(Self { path: path.to_owned(), text: text.to_owned(), syntax, tokens, test_lines: finder.lines })
    }

    /// Whether this line is only ever compiled for tests.
    pub fn is_test(&self, line: usize) -> bool {
        is_test_path(&self.path) || self.test_lines.iter().any(|lines| lines.contains(&line))
    }

    /// Every word of the code, and of its texts: attributes such as `#[serde(with = "…")]` name crates in texts.
    pub fn words(&self) -> BTreeSet<String> {
        let is_word = |character: char| character.is_alphanumeric() || character == '_';
        let words = self.tokens.iter().flat_map(|token| token.text.split(move |c| !is_word(c)));
        words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }
}

/// Whether everything under this path is only ever compiled for tests.
pub fn is_test_path(path: &str) -> bool {
    let inside =
        |folder: &str| path.starts_with(&format!("{folder}/")) || path.contains(&format!("/{folder}/"));
    inside("tests") || inside("benches") || path.starts_with("crates/testkit/")
}

/// The files of the repository under these folders with one of these endings, from the root, sorted.
///
/// # Panics
/// When a folder cannot be read.
pub fn files(root: &Path, folders: &[&str], endings: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = folders.iter().map(|folder| root.join(folder)).collect();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("the folder can be read") {
            let path = entry.expect("the entry can be read").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && ![".git", "target", "vendor"].contains(&name.as_str()) {
                open.push(path);
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                found.push(path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    found
}

/// Opens up all groups. `attribute` is the first word of the attribute that the stream is part of.
fn flatten(stream: TokenStream, attribute: Option<&str>, into: &mut Vec<Token>) {
    let token =
        |text: &str, line| Token { text: text.to_owned(), line, attribute: attribute.map(str::to_owned) };
    // After `#` or `#!`, a group in brackets is an attribute; after a colon that is joined to the next, so is `::`.
    let (mut after_hash, mut after_colon) = (false, false);
    for tree in stream {
        let line = tree.span().start().line;
        let (mut hash, mut colon) = (false, false);
        match tree {
            TokenTree::Group(group) => {
                let is_attribute = after_hash && group.delimiter() == Delimiter::Bracket;
                let head = is_attribute.then(|| head(&group.stream()));
                if head.as_deref() != Some("doc") {
                    let (open, close) = delimiters(group.delimiter());
                    into.push(token(open, line));
                    flatten(group.stream(), head.as_deref().or(attribute), into);
                    into.push(token(close, group.span_close().start().line));
                }
            }
            TokenTree::Punct(punct) if punct.as_char() == ':' && after_colon => {
                into.pop();
                into.push(token("::", line));
            }
            TokenTree::Punct(punct) => {
                hash = punct.as_char() == '#' || (after_hash && punct.as_char() == '!');
                colon = punct.as_char() == ':' && punct.spacing() == Spacing::Joint;
                into.push(token(&punct.to_string(), line));
            }
            TokenTree::Ident(ident) => into.push(token(&ident.to_string(), line)),
            TokenTree::Literal(literal) => into.push(token(&literal.to_string(), line)),
        }
        (after_hash, after_colon) = (hash, colon);
    }
}

/// The first word of an attribute.
fn head(attribute: &TokenStream) -> String {
    attribute.clone().into_iter().next().map(|tree| tree.to_string()).unwrap_or_default()
}

fn delimiters(delimiter: Delimiter) -> (&'static str, &'static str) {
    match delimiter {
        Delimiter::Parenthesis => ("(", ")"),
        Delimiter::Brace => ("{", "}"),
        Delimiter::Bracket => ("[", "]"),
        Delimiter::None => ("", ""),
    }
}

#[derive(Default)]
struct TestFinder {
    lines: Vec<RangeInclusive<usize>>,
}

impl TestFinder {
    fn note(&mut self, attributes: &[Attribute], item: &impl Spanned) {
        if attributes.iter().any(is_test_attribute) {
            let span = item.span();
            self.lines.push(span.start().line..=span.end().line);
        }
    }
}

impl Visit<'_> for TestFinder {
    fn visit_item_mod(&mut self, item: &ItemMod) {
        self.note(&item.attrs, item);
        visit::visit_item_mod(self, item);
    }

    fn visit_item_fn(&mut self, item: &ItemFn) {
        self.note(&item.attrs, item);
        visit::visit_item_fn(self, item);
    }

    fn visit_item_impl(&mut self, item: &ItemImpl) {
        self.note(&item.attrs, item);
        visit::visit_item_impl(self, item);
    }
}

/// `#[cfg(test)]`, `#[test]`, `#[tokio::test]`.
fn is_test_attribute(attribute: &Attribute) -> bool {
    if attribute.path().is_ident("cfg") {
        return attribute.meta.require_list().is_ok_and(|list| list.tokens.to_string() == "test");
    }
    attribute.path().segments.last().is_some_and(|last| last.ident == "test")
}
