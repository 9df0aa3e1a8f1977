//! Contentful's transformations: JSON pointers (RFC 6901) in braces, in the body, the URL and the values of headers.
//!
//! `{ /payload/sys/id }`: a brace, one space, the pointer, one space, a brace; anything else stays as it is. What is looked
//! into has three members: `topic` (as the dialect names it), `user` (a link to who did it, or `null`) and `payload` (what
//! the dialect would send). A text of a body that is one pointer and nothing else becomes the value itself, with its type;
//! elsewhere the value is put into the text. Member names of a body are not looked at.
//!
//! Contentful's documents leave open what follows; chosen here:
//! - A pointer to nowhere is `null` as a whole value, and nothing inside a text, as `null` is.
//! - Objects and arrays inside a text are compact JSON; numbers and booleans as the JSON writes them.
//! - In the URL a value is percent-encoded, so that it stays one segment of the path or one value of the query; none may
//!   stand before the path, and none may make a segment `.` or `..`.
//! - In a header, what is not visible ASCII is percent-encoded. Secret headers are sent as they are: what is recorded is
//!   searched for them.
//! - `{ /user }` is `{"sys":{"type":"Link","linkType":"User","id":…}}`.
//! - Forms are written in brackets (`form.rs`).

use bytes::Bytes;
use postrider_domain::event::Actor;
use postrider_domain::webhook::Transformation;

mod check;
mod parse;
mod render;
mod tree;

pub use check::{check, check_header, check_url};
pub(crate) use tree::Tree;

use crate::contentful::link_to;
use crate::dialect::Occasion;
use crate::form::{self, NoForm};
use crate::ordered::ObjectWriter;
use crate::request::{RenderError, Said, target};
use render::Renderer;

/// Longest body of a transformation, in bytes: 64 KiB, many times what people write by hand.
pub const LONGEST_TEMPLATE: usize = 64 * 1024;
/// Most pointers of one text or body: 1,000 values are more than any receiver asks for.
pub const MOST_POINTERS: usize = 1_000;
/// Longest body that a transformation may make: 1 MiB, four times the largest event (256 KiB by default).
pub const LONGEST_BODY: usize = 1024 * 1024;
/// Longest URL that a template may make, in bytes: what proxies and servers agree on.
pub const LONGEST_MADE_URL: usize = 8 * 1024;
/// Longest header value that a template may make, in bytes: what common servers take as one line.
pub const LONGEST_MADE_HEADER: usize = 8 * 1024;
/// Deepest nesting of what is made: what most JSON parsers read.
const DEEPEST_BODY: usize = 128;
/// The media type for which a body is written as a form.
const FORM: &str = "application/x-www-form-urlencoded";

/// What a transformation makes of a request.
pub(crate) struct Reshaped {
    pub(crate) url: String,
    /// The webhook's custom headers.
    pub(crate) headers: Vec<(String, String)>,
    /// Instead of the dialect's own.
    pub(crate) content_type: Option<String>,
    pub(crate) body: Bytes,
}

impl Reshaped {
    /// The request as its dialect means it.
    pub(crate) fn not(occasion: &Occasion<'_>, said: &Said) -> Self {
        Self {
            url: target(occasion).url.clone(),
            headers: occasion.secrets.headers.clone(),
            content_type: None,
            body: said.payload.clone(),
        }
    }
}

/// Applies a transformation to what the dialect says.
pub(crate) fn reshape(
    occasion: &Occasion<'_>,
    transformation: &Transformation,
    said: &Said,
) -> Result<Reshaped, RenderError> {
    let target = target(occasion);
    let payload = std::str::from_utf8(&said.payload).map_err(|_| RenderError::PayloadNotJson)?;
    let root = root(&said.topic, occasion.event.head.actor.as_ref(), payload);
    let renderer = Renderer::new(&root)?;
    let secret = &occasion.secrets.secret_headers;
    let custom = occasion.secrets.headers.iter().map(|(name, value)| {
        let value = if secret.contains(value) { value.clone() } else { renderer.header(name, value)? };
        Ok((name.clone(), value))
    });
    let body = match &transformation.body {
        _ if !target.method.carries_body() => Bytes::new(),
        template => {
            let made = template.as_ref().map(|template| renderer.body(template.as_str())).transpose()?;
            encode(transformation.content_type.as_deref(), made, said)?
        }
    };
    Ok(Reshaped {
        url: renderer.url(&target.url)?,
        headers: custom.collect::<Result<_, RenderError>>()?,
        content_type: transformation.content_type.clone(),
        body,
    })
}

/// What the pointers look into, as JSON.
fn root(topic: &str, actor: Option<&Actor>, payload: &str) -> String {
    let mut root = ObjectWriter::new();
    root.text("topic", topic);
    root.json("user", &actor.map_or_else(|| "null".to_owned(), link_to));
    root.json("payload", payload);
    root.finish()
}

/// The bytes of a body: as JSON, or as a form where the content type says so.
fn encode(content_type: Option<&str>, made: Option<String>, said: &Said) -> Result<Bytes, RenderError> {
    let is_form = content_type.is_some_and(|given| essence(given) == FORM);
    match made {
        made if is_form => {
            let json = match &made {
                Some(made) => made.as_str(),
                None => std::str::from_utf8(&said.payload).map_err(|_| RenderError::PayloadNotJson)?,
            };
            let fault = |fault: NoForm| match fault {
                NoForm::Scalar => "is no object: a form needs names for its values".to_owned(),
                NoForm::TooLong => format!("makes a form of more than {LONGEST_BODY} bytes: leave parts out"),
            };
            form::encode(json, LONGEST_BODY)
                .map(Bytes::from)
                .map_err(|no_form| RenderError::Template { part: "body", fault: fault(no_form) })
        }
        Some(made) => Ok(Bytes::from(made)),
        None => Ok(said.payload.clone()),
    }
}

/// A media type without its parameters, in lower case.
fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}
