//! Rules over one source file: its shape, and what must not be written in it.

use std::path::Path;

use syn::visit::{self, Visit};
use syn::{Block, FnArg, ImplItemFn, ItemFn, ItemMod, ItemTrait, Signature, TraitItem, TraitItemFn};

use super::Breach;
use super::source::Source;

/// Lines of one file. 300 is usual; beyond 500 a file holds more than one thing.
pub const FILE_WALL: usize = 500;
/// Lines of one function, from `fn` to its closing brace. 40 is usual.
pub const FUNCTION_WALL: usize = 80;
/// Parameters of one function, `self` not counted. More of them are a struct that has no name yet.
pub const PARAMETER_WALL: usize = 6;
/// Methods of one port. More of them are two ports.
pub const PORT_WALL: usize = 6;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 7] = ["util", "utils", "common", "helper", "helpers", "misc", "mod"];

/// Something that must not be written, and where.
#[derive(Debug, Clone, Copy)]
pub struct Ban {
    /// What.
    pub what: Pattern,
    /// In which code.
    pub scope: Scope,
    /// Paths (or beginnings of paths) where it may.
    pub except: &'static [&'static str],
    /// Why, and what to write instead.
    pub why: &'static str,
}

/// How something banned looks.
#[derive(Debug, Clone, Copy)]
pub enum Pattern {
    /// These tokens in a row, separated by blanks here.
    Tokens(&'static str),
    /// A call of a function of this name (not of a method).
    Call(&'static str),
    /// An attribute.
    Attribute(&'static str),
    /// A text literal that contains this.
    Text(&'static str),
    /// A comment that contains this.
    Comment(&'static str),
}

/// Which code a [`Ban`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All of it.
    Everywhere,
    /// What is delivered.
    Code,
    /// What is only compiled for tests.
    Tests,
}

/// What is wrong with the shape of a file.
pub fn shape(source: &Source) -> Vec<Breach> {
    let mut breaches = wall(&source.path, &source.text);
    if !source.text.starts_with("//!") {
        breaches.push(Breach::at(
            &source.path,
            1,
            "begins without `//!`; say in one line what the file is for",
        ));
    }
    if EMPTY_NAMES.contains(&Path::new(&source.path).file_stem().and_then(|stem| stem.to_str()).unwrap_or(""))
    {
        breaches.push(Breach::new(&source.path, "has a name that says nothing; name it by what is inside"));
    }
    let mut shape = Shape { source, breaches: &mut breaches };
    shape.visit_file(&source.syntax);
    breaches
}

/// What is too long about a file, whatever language it is in.
pub fn wall(path: &str, text: &str) -> Vec<Breach> {
    let lines = text.lines().count();
    if lines <= FILE_WALL {
        return Vec::new();
    }
    vec![Breach::new(
        path,
        format!("has {lines} lines, the wall is {FILE_WALL}; it holds more than one thing"),
    )]
}

/// What is written in a file though it must not be.
pub fn banned(source: &Source, bans: &[Ban]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for ban in bans.iter().filter(|ban| !ban.except.iter().any(|start| source.path.starts_with(start))) {
        for line in ban.what.lines(source) {
            let applies = match ban.scope {
                Scope::Everywhere => true,
                Scope::Code => !source.is_test(line),
                Scope::Tests => source.is_test(line),
            };
            if applies {
                breaches.push(Breach::at(&source.path, line, format!("{}: {}", ban.what.shown(), ban.why)));
            }
        }
    }
    breaches
}

impl Pattern {
    /// The lines where it stands.
    fn lines(self, source: &Source) -> Vec<usize> {
        let tokens = &source.tokens;
        let before =
            |at: usize| at.checked_sub(1).and_then(|at| tokens.get(at)).map_or("", |token| &token.text);
        let after = |at: usize| tokens.get(at + 1).map_or("", |token| &token.text);
        let matching = |is_match: &dyn Fn(usize) -> bool| {
            (0..tokens.len()).filter(|at| is_match(*at)).map(|at| tokens[at].line).collect()
        };
        match self {
            Self::Tokens(row) => {
                let row: Vec<&str> = row.split(' ').collect();
                matching(&|at| {
                    row.iter()
                        .enumerate()
                        .all(|(n, text)| tokens.get(at + n).is_some_and(|token| token.text == *text))
                })
            }
            Self::Call(name) => matching(&|at| {
                tokens[at].text == name && after(at) == "(" && !["fn", "."].contains(&before(at))
            }),
            Self::Attribute(name) => matching(&|at| {
                let inside = tokens[at].attribute.as_deref();
                tokens[at].text == name
                    && inside.is_some()
                    && (before(at) == "[" || inside == Some("cfg_attr"))
            }),
            Self::Text(part) => {
                matching(&|at| tokens[at].text.contains('"') && tokens[at].text.contains(part))
            }
            Self::Comment(word) => {
                let says = |line: &str| line.find("//").is_some_and(|start| line[start..].contains(word));
                let lines = source.text.lines().enumerate();
                lines.filter(|(_, line)| says(line)).map(|(number, _)| number + 1).collect()
            }
        }
    }

    /// As a person would write it.
    fn shown(self) -> String {
        match self {
            Self::Tokens(row) => format!("`{}`", row.replace(' ', "")),
            Self::Call(name) => format!("`{name}(…)`"),
            Self::Attribute(name) => format!("`#[{name}]`"),
            Self::Text(part) => format!("the text \"{part}\""),
            Self::Comment(word) => format!("a comment with {word}"),
        }
    }
}

struct Shape<'a> {
    source: &'a Source,
    breaches: &'a mut Vec<Breach>,
}

impl Shape<'_> {
    fn breach(&mut self, line: usize, what: String) {
        self.breaches.push(Breach::at(&self.source.path, line, what));
    }

    fn function(&mut self, signature: &Signature, block: Option<&Block>) {
        let name = &signature.ident;
        let start = signature.fn_token.span.start().line;
        let parameters = signature.inputs.iter().filter(|input| matches!(input, FnArg::Typed(_))).count();
        if parameters > PARAMETER_WALL {
            self.breach(
                start,
                format!("fn {name} has {parameters} parameters, the wall is {PARAMETER_WALL}"),
            );
        }
        let Some(block) = block else { return };
        let lines = block.brace_token.span.close().end().line - start + 1;
        if lines > FUNCTION_WALL {
            self.breach(start, format!("fn {name} has {lines} lines, the wall is {FUNCTION_WALL}"));
        }
    }
}

impl Visit<'_> for Shape<'_> {
    fn visit_item_fn(&mut self, item: &ItemFn) {
        self.function(&item.sig, Some(&item.block));
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &ImplItemFn) {
        self.function(&item.sig, Some(&item.block));
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &TraitItemFn) {
        self.function(&item.sig, item.default.as_ref());
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_item_trait(&mut self, item: &ItemTrait) {
        let methods = item.items.iter().filter(|item| matches!(item, TraitItem::Fn(_))).count();
        if self.source.path.starts_with("crates/ports/") && methods > PORT_WALL {
            let line = item.ident.span().start().line;
            self.breach(line, format!("port {} has {methods} methods, the wall is {PORT_WALL}", item.ident));
        }
        visit::visit_item_trait(self, item);
    }

    fn visit_item_mod(&mut self, item: &ItemMod) {
        let name = item.ident.to_string();
        if EMPTY_NAMES.contains(&name.as_str()) {
            let line = item.ident.span().start().line;
            self.breach(
                line,
                format!("module {name} has a name that says nothing; name it by what is inside"),
            );
        }
        visit::visit_item_mod(self, item);
    }
}
