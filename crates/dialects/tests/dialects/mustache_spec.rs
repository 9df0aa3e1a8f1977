//! The official cases of the Mustache specification's required modules (`tests/mustache_spec/README.md`).

use std::collections::BTreeMap;

use postrider_dialects::mustache::{Data, Escaping, Limits, Partials, Template};
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Module {
    tests: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    data: Box<RawValue>,
    template: String,
    #[serde(default)]
    partials: BTreeMap<String, String>,
    expected: String,
}

/// Runs a module, all of whose cases must make what they say.
fn passes(module: &str, cases: usize) {
    let module: Module = serde_json::from_str(module).expect("the specification's form");
    assert_eq!(module.tests.len(), cases);
    for case in module.tests {
        let partials = case.partials.iter().map(|(name, source)| (name.as_str(), source.as_str()));
        let partials = Partials::parse(partials).expect(&case.name);
        let template = Template::parse(&case.template).expect(&case.name);
        let data = Data::parse(case.data.get()).expect(&case.name);
        let made = template.render(&data, Escaping::Html, &partials, Limits::default());
        assert_eq!(made.as_deref(), Ok(case.expected.as_str()), "{}: {}", case.name, case.template);
    }
}

#[test]
fn comments_are_as_specified() {
    passes(include_str!("../mustache_spec/comments.json"), 12);
}

#[test]
fn delimiters_are_as_specified() {
    passes(include_str!("../mustache_spec/delimiters.json"), 14);
}

#[test]
fn interpolation_is_as_specified() {
    passes(include_str!("../mustache_spec/interpolation.json"), 42);
}

#[test]
fn inverted_sections_are_as_specified() {
    passes(include_str!("../mustache_spec/inverted.json"), 22);
}

#[test]
fn partials_are_as_specified() {
    passes(include_str!("../mustache_spec/partials.json"), 12);
}

#[test]
fn sections_are_as_specified() {
    passes(include_str!("../mustache_spec/sections.json"), 34);
}
