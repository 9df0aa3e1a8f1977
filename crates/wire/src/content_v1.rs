//! The large part of an event, version 1: inside messages, in the body store, and beside an event in the log.
//!
//! JSON texts stand in it as they came, but for white space around a whole value, which RFC 8259 §2 gives no meaning.
//! Only a source's body keeps that too, because a signature covers it.

use std::borrow::Cow;

use postrider_domain::event::{Content, Source};
use postrider_domain::json::Json;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::fields::present;
use crate::object::Object;
use crate::version::{self, V1};
use crate::{DecodeError, Wire};

#[derive(Deserialize)]
pub(crate) struct ContentV1<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
    #[serde(borrow, default, deserialize_with = "present")]
    prev: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    related: Option<&'a RawValue>,
    #[serde(borrow, default)]
    src: Option<SourceV1<'a>>,
}

/// Of `body` and `text` one is there: the body as JSON, or, when white space surrounds it, as a string that holds it.
#[derive(Deserialize)]
struct SourceV1<'a> {
    #[serde(borrow)]
    dialect: Cow<'a, str>,
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(borrow, default, deserialize_with = "present")]
    body: Option<&'a RawValue>,
    #[serde(default)]
    text: Option<String>,
}

#[derive(Deserialize)]
struct EnvelopeV1<'a> {
    #[serde(rename = "v")]
    _v: V1,
    #[serde(borrow)]
    content: ContentV1<'a>,
}

impl Wire for Content {
    fn encode(&self) -> Vec<u8> {
        // 64 bytes hold the names of the envelope and of the four texts.
        let mut out = Vec::with_capacity(self.size() + 64);
        let mut envelope = Object::open(&mut out);
        envelope.field("v", &V1);
        write(envelope.name("content"), self);
        envelope.close();
        out
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        version::read::<EnvelopeV1<'_>>(bytes)?.content.into_domain()
    }
}

pub(crate) fn write(out: &mut Vec<u8>, content: &Content) {
    let mut object = Object::open(out);
    object.text("data", &content.data);
    if let Some(previous) = &content.previous {
        object.text("prev", previous);
    }
    if let Some(related) = &content.related {
        object.text("related", related);
    }
    if let Some(source) = &content.source {
        write_source(object.name("src"), source);
    }
    object.close();
}

fn write_source(out: &mut Vec<u8>, source: &Source) {
    let mut object = Object::open(out);
    object.field("dialect", &source.dialect);
    object.field("headers", &source.headers);
    let body = source.body.as_str();
    if body.trim_ascii().len() == body.len() {
        object.text("body", &source.body);
    } else {
        object.field("text", &body);
    }
    object.close();
}

impl ContentV1<'_> {
    pub(crate) fn into_domain(self) -> Result<Content, DecodeError> {
        Ok(Content {
            data: json(self.data),
            previous: self.prev.map(json),
            related: self.related.map(json),
            source: self.src.map(SourceV1::into_domain).transpose()?,
        })
    }
}

impl SourceV1<'_> {
    fn into_domain(self) -> Result<Source, DecodeError> {
        let body = match (self.body, self.text) {
            (Some(body), _) => json(body),
            (None, Some(text)) => Json::from_checked(text),
            (None, None) => {
                return Err(DecodeError::Malformed("content.src: neither body nor text is there".into()));
            }
        };
        Ok(Source { dialect: self.dialect.into_owned(), headers: self.headers, body })
    }
}

fn json(raw: &RawValue) -> Json {
    Json::from_checked(raw.get())
}
