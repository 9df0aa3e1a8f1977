//! CloudEvents 1.0, out (specification: cloudevents/spec, spec.md, formats/json-format.md, bindings/http-protocol-binding.md).
//!
//! The table of [`super`] read from right to left: `type` is `Type.action` behind the prefix of option `typePrefix`, `source`
//! option `source` or else `/spaces/{space}/environments/{environment}`, `id` the event's id, `subject` the resource's id,
//! `time` when it happened, and everything else that the event tells an extension. `previous` and `related` have no place in
//! CloudEvents and stay behind.
//!
//! Structured mode sends one JSON object as `application/cloudevents+json`. Binary mode sends the data as the body and each
//! attribute as a header `ce-…`, in which a space, `"`, `%` and everything outside U+0021 to U+007E is percent-encoded
//! (HTTP binding §3.1.3.2). Control characters, which no attribute may hold (spec §3.1), become spaces; empty attributes are
//! left out. A coalesced call has the extensions `coalescedcount` and `coalescedids`. A webhook with signing secrets also gets the headers of Standard Webhooks.

use std::fmt::Write;

use bytes::Bytes;
use postrider_domain::event::EventHead;

use super::STRUCTURED;
use crate::coalesced;
use crate::dialect::{Dialect, Occasion};
use crate::options::{self, Switch};
use crate::request::{RenderError, Rendered, Said, assemble};
use crate::standard_webhooks;

/// The name webhooks choose it by.
pub const NAME: &str = "cloudevents";
/// The fields that are stamped anew with each attempt: none, so that a repeat is known by `source` and `id`.
pub const STAMPED: [&str; 0] = [];
/// `mode`: where the attributes stand.
pub const MODE: Switch = Switch {
    name: "mode",
    values: &["structured", "binary"],
    meaning: "structured: one JSON object; binary: the data as the body, attributes as ce- headers",
};
/// `source`: the attribute of that name.
pub const SOURCE: Switch = Switch {
    name: "source",
    values: &[],
    meaning: "the attribute source, a URI or a path; /spaces/{space}/environments/{environment} unless set",
};
/// `typePrefix`: what stands in front of the type.
pub const TYPE_PREFIX: Switch = Switch {
    name: "typePrefix",
    values: &[],
    meaning: "what stands in front of the type, for example com.example for com.example.Entry.publish",
};

/// CloudEvents' way to speak.
#[derive(Debug, Clone, Copy)]
pub struct CloudEvents;

impl Dialect for CloudEvents {
    fn name(&self) -> &'static str {
        NAME
    }

    fn write(&self, occasion: &Occasion<'_>) -> Result<Rendered, RenderError> {
        let attributes = attributes(occasion);
        let data = occasion.event.content.data.as_str();
        let binary = options::value(&MODE, &occasion.webhook.options) == "binary";
        let mut headers = vec![(
            "Content-Type".to_owned(),
            if binary { "application/json" } else { STRUCTURED }.to_owned(),
        )];
        let payload = if binary {
            headers.extend(attributes.iter().map(|(name, value)| (format!("ce-{name}"), encoded(value))));
            data.to_owned()
        } else {
            structured(&attributes, data)
        };
        let said = Said { topic: occasion.event.head.topic(), headers, payload: Bytes::from(payload) };
        assemble(occasion, said, |rendered| {
            if occasion.secrets.signing.is_empty() {
                return Ok(Vec::new());
            }
            Ok(standard_webhooks::sign(occasion, rendered.signed_body())?.into())
        })
    }

    fn switches(&self) -> &'static [Switch] {
        &[MODE, SOURCE, TYPE_PREFIX]
    }
}

/// The attributes in the order they are written, none of them empty.
fn attributes(occasion: &Occasion<'_>) -> Vec<(&'static str, String)> {
    let head = &occasion.event.head;
    let set =
        |switch| Some(options::value(switch, &occasion.webhook.options)).filter(|text| !text.is_empty());
    let prefix = set(&TYPE_PREFIX).map(|prefix| format!("{}.", prefix.trim_end_matches('.')));
    let own = || format!("/spaces/{}/environments/{}", head.scope.space, head.scope.environment);
    let mut all = vec![
        ("specversion", "1.0".to_owned()),
        ("id", head.id.to_string()),
        ("source", set(&SOURCE).map_or_else(own, str::to_owned)),
        ("type", prefix.unwrap_or_default() + &head.topic()),
        ("subject", clean(&head.resource.id)),
        ("time", head.occurred_at.to_string()),
    ];
    let extensions = extensions(head).into_iter().filter_map(|(name, value)| Some((name, clean(&value?))));
    all.extend(extensions);
    if let Some(coalesced) = occasion.coalesced {
        all.push(("coalescedcount", coalesced.count.to_string()));
        all.push(("coalescedids", coalesced::ids(coalesced)));
    }
    all.retain(|(_, value)| !value.is_empty());
    all
}

/// Names and meanings are those that [`super::read_structured`] reads.
fn extensions(head: &EventHead) -> [(&'static str, Option<String>); 15] {
    let (resource, actor) = (&head.resource, head.actor.as_ref());
    let (flow, cause) = (head.workflow.as_ref(), head.cause.as_ref());
    [
        ("contenttype", resource.content_type.clone()),
        ("locale", resource.locale.clone()),
        ("slug", resource.slug.clone()),
        ("resourceversion", resource.version.map(|version| version.to_string())),
        ("resourcetitle", resource.title.clone()),
        ("resourcestate", resource.state.clone()),
        ("resourceurl", resource.url.clone()),
        ("actorid", actor.map(|actor| actor.id.clone())),
        ("actortype", actor.and_then(|actor| actor.kind.clone())),
        ("branch", head.branch.clone()),
        ("workflowfrom", flow.and_then(|flow| flow.from.clone())),
        ("workflowto", flow.and_then(|flow| flow.to.clone())),
        ("causekind", cause.map(|cause| cause.kind.clone())),
        ("causeid", cause.and_then(|cause| cause.id.clone())),
        ("causetitle", cause.and_then(|cause| cause.title.clone())),
    ]
}

fn structured(attributes: &[(&'static str, String)], data: &str) -> String {
    let mut text = String::with_capacity(data.len() + 512);
    for (at, (name, value)) in attributes.iter().enumerate() {
        let value = serde_json::Value::from(value.as_str());
        // Writing to a String cannot fail.
        let _ = write!(text, "{}\"{name}\":{value}", if at == 0 { '{' } else { ',' });
    }
    text.push_str(",\"datacontenttype\":\"application/json\",\"data\":");
    text.push_str(data);
    text.push('}');
    text
}

/// Spaces for characters that no attribute may hold: U+0000 to U+001F, U+007F to U+009F, and what is no character.
fn clean(text: &str) -> String {
    let forbidden = |one: char| {
        let code = u32::from(one);
        one.is_control() || code & 0xfffe == 0xfffe || (0xfdd0..=0xfdef).contains(&code)
    };
    text.chars().map(|one| if forbidden(one) { ' ' } else { one }).collect()
}

/// An attribute as a header carries it.
fn encoded(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        if matches!(byte, b'!'..=b'~') && !matches!(byte, b'"' | b'%') {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
