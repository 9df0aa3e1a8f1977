//! What can be said against a template before there is an event: for refusing it when the webhook is made.

use postrider_domain::webhook::Transformation;
use serde_json::value::RawValue;

use super::parse::{Part, parts, tokens};
use super::{FORM, LONGEST_TEMPLATE, MOST_POINTERS, essence};
use crate::fields::{DEEPEST, Faults, depth};
use crate::ordered::{elements, members, text};
use crate::read_error::{ReadError, ReadErrors};

/// What a pointer can begin with.
const ROOTS: [&str; 3] = ["topic", "user", "payload"];
/// What Contentful lets a transformation send; each may be followed by `; charset=utf-8`.
const CONTENT_TYPES: [&str; 3] = ["application/vnd.contentful.management.v1+json", "application/json", FORM];

/// All faults of a transformation, each with its place as a JSON pointer (`/contentType`, `/body/text`).
pub fn check(transformation: &Transformation) -> Result<(), ReadErrors> {
    let mut faults = Faults::default();
    if let Some(content_type) = &transformation.content_type {
        faults.good(check_content_type(content_type));
    }
    if let Some(body) = &transformation.body {
        check_body(body.as_str(), &mut faults);
    }
    faults.into_result()
}

/// Checks a header's value; `path` is where it stands.
pub fn check_header(path: &str, value: &str) -> Result<(), ReadErrors> {
    let mut faults = Faults::default();
    let mut used = 0;
    check_text(path, value, &mut used, &mut faults);
    faults.into_result()
}

/// Checks the template of a URL, and hands out a URL that it could make, every value an `x`: whoever takes the webhook
/// judges scheme, host and characters by it.
pub fn check_url(template: &str) -> Result<String, ReadErrors> {
    let mut faults = Faults::default();
    let mut used = 0;
    check_text("/url", template, &mut used, &mut faults);
    let mut sample = String::with_capacity(template.len());
    for part in parts(template) {
        match part {
            Part::Literal(literal) => sample.push_str(literal),
            Part::Pointer { pointer, at } => {
                let behind_host =
                    sample.split_once("://").is_some_and(|(_, rest)| rest.contains(['/', '?', '#', '\\']));
                if !behind_host {
                    let problem = format!(
                        "the pointer {pointer} at character {} stands before the path",
                        characters(template, at)
                    );
                    let fix = "write scheme and host out: an event must not choose where its secrets go";
                    faults.add(ReadError::new("/url", problem, fix));
                }
                sample.push('x');
            }
        }
    }
    faults.into_result().map(|()| sample)
}

fn check_content_type(given: &str) -> Result<(), ReadError> {
    let parameters = given.split_once(';').map(|(_, rest)| rest.trim().to_ascii_lowercase());
    let known = CONTENT_TYPES.contains(&essence(given).as_str());
    if known && parameters.is_none_or(|rest| rest == "charset=utf-8") {
        return Ok(());
    }
    let problem =
        format!("{:?} is not a content type of transformations", given.chars().take(64).collect::<String>());
    let fix = format!("use {}, each with or without \"; charset=utf-8\"", CONTENT_TYPES.join(", "));
    Err(ReadError::new("/contentType", problem, fix))
}

fn check_body(body: &str, faults: &mut Faults) {
    if body.len() > LONGEST_TEMPLATE {
        let problem = format!("has {} bytes, more than {LONGEST_TEMPLATE}", body.len());
        return faults.add(ReadError::new("/body", problem, "shorten it"));
    }
    if depth(body) > DEEPEST {
        let problem = format!("is nested deeper than {DEEPEST} levels");
        return faults.add(ReadError::new("/body", problem, "flatten it"));
    }
    match serde_json::from_str::<&RawValue>(body) {
        Ok(raw) => check_value("/body", raw, &mut 0, faults),
        Err(error) => {
            faults.add(ReadError::new(
                "/body",
                format!("is not valid JSON: {error}"),
                "write one JSON value",
            ));
        }
    }
}

fn check_value(path: &str, raw: &RawValue, used: &mut usize, faults: &mut Faults) {
    if let Some(members) = members(raw) {
        for (name, value) in members {
            let name: String = name.chars().take(64).collect();
            let path = format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"));
            check_value(&path, value, used, faults);
        }
    } else if let Some(elements) = elements(raw) {
        for (at, value) in elements.into_iter().enumerate() {
            check_value(&format!("{path}/{at}"), value, used, faults);
        }
    } else if let Some(text) = text(raw) {
        check_text(path, &text, used, faults);
    }
}

fn check_text(path: &str, text: &str, used: &mut usize, faults: &mut Faults) {
    for part in parts(text) {
        let Part::Pointer { pointer, at } = part else { continue };
        *used += 1;
        if *used == MOST_POINTERS + 1 {
            let problem = format!("has more than {MOST_POINTERS} pointers");
            faults.add(ReadError::new(path, problem, "leave some out"));
        }
        let shown: String = pointer.chars().take(64).collect();
        let place = format!("the pointer {shown} at character {}", characters(text, at));
        match tokens(pointer) {
            None => {
                let fix = "write ~0 for ~ and ~1 for / within a name (RFC 6901)";
                faults.add(ReadError::new(path, format!("{place} has a ~ that means nothing"), fix));
            }
            Some(tokens) if !tokens.first().is_some_and(|first| ROOTS.contains(&first.as_str())) => {
                let fix = "begin with /payload, /user or /topic, for example { /payload/sys/id }";
                faults.add(ReadError::new(path, format!("{place} leads nowhere"), fix));
            }
            Some(_) => {}
        }
    }
}

/// How many characters stand before a byte, counted from 1 as people do.
fn characters(text: &str, at: usize) -> usize {
    text[..at].chars().count() + 1
}
