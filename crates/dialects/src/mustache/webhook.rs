//! Templates of webhooks: a custom payload and a URL over the payload that the dialect would send.

use bytes::Bytes;
use postrider_domain::gathering::Coalesced;
use postrider_domain::webhook::{Escape, HttpTarget, MustacheTemplate};
use serde::de::IgnoredAny;

use super::address::{Address, has_dot_segment};
use super::{Data, Escaping, Fault, Limits, Node, Partials, Template, escape, render};
use crate::coalesced;
use crate::request::RenderError;

/// Longest URL that a template may make, in bytes: what proxies and servers agree on.
const LONGEST_MADE_URL: usize = 8 * 1024;

/// Checks the template of a custom payload; for refusing it when the webhook is made.
pub fn check_body(template: &str) -> Result<(), Vec<Fault>> {
    parse(template).map(|_| ())
}

/// Checks the template of a URL, and hands out a URL that it could make, every value an `x`: whoever takes the webhook
/// judges scheme and host by it.
pub fn check_url(template: &str) -> Result<String, Vec<Fault>> {
    let parsed = parse(template)?;
    let mut sample = String::new();
    let mut faults = Vec::new();
    write_sample(&parsed, &parsed.nodes, &mut sample, &mut faults);
    if faults.is_empty() { Ok(sample) } else { Err(faults) }
}

/// URL and body of a request of a webhook with templates, over the payload that its dialect would send. What a coalesced call
/// stands for is `coalesced` beside the payload's own members, unless it has that one itself.
pub(crate) fn reshape(
    target: &HttpTarget,
    templates: &MustacheTemplate,
    content_type: Option<&str>,
    payload: Bytes,
    coalesced: Option<&Coalesced>,
) -> Result<(String, Bytes), RenderError> {
    let text = std::str::from_utf8(&payload).map_err(|_| RenderError::PayloadNotJson)?;
    let whole;
    let mut data = Data::parse(text).map_err(|_| RenderError::PayloadNotJson)?;
    if let Some(coalesced) = coalesced.filter(|_| data.member(coalesced::MEMBER).0.is_none()) {
        whole = coalesced::beside(text, coalesced);
        data = Data::parse(&whole).map_err(|_| RenderError::PayloadNotJson)?;
    }
    let url = render_url(&target.url, &data)?;
    let body = match &templates.body {
        Some(template) if target.method.carries_body() => {
            let made = render_body(template, templates.escape, content_type.unwrap_or_default(), &data)?;
            Some(Bytes::from(made))
        }
        _ => None,
    };
    Ok((url, body.unwrap_or(payload)))
}

/// Renders a custom payload. Where the content type is a JSON type, so is what comes out, or it is an error.
fn render_body(
    template: &str,
    escape: Option<Escape>,
    content_type: &str,
    payload: &Data<'_>,
) -> Result<String, RenderError> {
    let suited = Escaping::of_content_type(content_type);
    let escaping = escape.map_or(suited, Escaping::from);
    let made = parse(template)
        .map_err(|faults| fault("body", &faults))?
        .render(payload, escaping, &Partials::default(), Limits::default())
        .map_err(|one| fault("body", &[one]))?;
    if suited == Escaping::Json
        && let Err(error) = serde_json::from_str::<IgnoredAny>(&made)
    {
        return Err(RenderError::NotJson {
            content_type: content_type.to_owned(),
            reason: error.to_string(),
        });
    }
    Ok(made)
}

/// Renders a URL.
fn render_url(template: &str, payload: &Data<'_>) -> Result<String, RenderError> {
    let parsed = parse(template).map_err(|faults| fault("URL", &faults))?;
    let limits = Limits { output: LONGEST_MADE_URL, ..Limits::default() };
    let made = render::render(&parsed, payload, &Address, &Partials::default(), limits)
        .map_err(|one| fault("URL", &[one]))?;
    if has_dot_segment(&made) && !has_dot_segment(template) {
        let problem = "a value makes a segment . or .. of the path, which leads elsewhere";
        let fix = "put a letter before the value, or move the value into the query";
        return Err(fault("URL", &[Fault::at(template, 0, problem, fix)]));
    }
    Ok(made)
}

/// Parses a template that has nothing to include.
fn parse(template: &str) -> Result<Template<'_>, Vec<Fault>> {
    let parsed = Template::parse(template)?;
    let mut faults = Vec::new();
    refuse_partials(template, &parsed.nodes, &mut faults);
    if faults.is_empty() { Ok(parsed) } else { Err(faults) }
}

fn refuse_partials(source: &str, nodes: &[Node<'_>], faults: &mut Vec<Fault>) {
    for node in nodes {
        match node {
            Node::Partial { name, at, .. } => {
                let problem =
                    format!("{{{{> {name}}}}} includes a template, and webhooks have none to include");
                faults.push(Fault::at(source, *at, problem, "write out what it should include"));
            }
            Node::Section { nodes, .. } => refuse_partials(source, nodes, faults),
            _ => {}
        }
    }
}

fn write_sample(template: &Template<'_>, nodes: &[Node<'_>], sample: &mut String, faults: &mut Vec<Fault>) {
    for node in nodes {
        match node {
            Node::Text { text, .. } => sample.push_str(text),
            Node::Value { escaped, at, .. } => {
                let written = escape::Escaper::write(&Address, sample, "x", *escaped);
                if let Err((problem, fix)) = written {
                    faults.push(Fault::at(template.source, *at, problem, fix));
                }
            }
            Node::Section { nodes, .. } => write_sample(template, nodes, sample, faults),
            Node::Line | Node::Partial { .. } => {}
        }
    }
}

/// The first fault of several: a stored template had none when it was taken, so there is hardly ever a second.
fn fault(part: &'static str, faults: &[Fault]) -> RenderError {
    let text = faults.first().map(ToString::to_string).unwrap_or_default();
    RenderError::Template { part, fault: text }
}
