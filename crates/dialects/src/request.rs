//! What all outgoing requests share: method, URL, custom headers, basic authentication, User-Agent.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use postrider_domain::webhook::{BasicAuth, HttpTarget, Method, Render, Transformation};
use thiserror::Error;

use crate::dialect::Occasion;
use crate::pointer::{self, Reshaped};
use crate::{coalesced, contentful, mustache};

/// Who we say we are.
pub const USER_AGENT: &str = concat!("Postrider/", env!("CARGO_PKG_VERSION"));

/// With this header a body leaves in chunks, without `Content-Length`. It stands in the record as it is sent.
pub const IN_CHUNKS: (&str, &str) = ("Transfer-Encoding", "chunked");

/// Headers that belong to the connection (RFC 9110 §7.6.1) or that the client sets itself.
const RESERVED: [&str; 10] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A finished request, secrets inside.
#[derive(Clone, PartialEq, Eq)]
pub struct Rendered {
    /// POST unless the webhook says otherwise.
    pub method: Method,
    /// The full URL.
    pub url: String,
    /// In the order sent.
    pub headers: Vec<(String, String)>,
    /// `None` for GET and DELETE.
    pub body: Option<Bytes>,
}

/// Why a request cannot be made. The webhook's owner must mend it; no message holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RenderError {
    /// A header's name is no HTTP token.
    #[error("header name {0:?} is not valid: use letters, digits and !#$%&'*+-.^_`|~, at least one")]
    HeaderName(String),
    /// A header's value cannot be sent. The value itself may be secret and is not shown.
    #[error(
        "the value of header {0:?} is not valid: only visible ASCII characters, spaces and tabs, no line break"
    )]
    HeaderValue(String),
    /// The header is set by the connection.
    #[error("header {0:?} is set by Postrider itself: remove it from the webhook")]
    ReservedHeader(String),
    /// The user name of basic authentication has a colon or a control character (RFC 7617 §2).
    #[error("the basic-auth user name must not contain a colon or a control character")]
    UserName,
    /// The dialect signs, and there is no secret.
    #[error("dialect {0:?} signs every request but the webhook has no signing secret: add one")]
    NoSecret(&'static str),
    /// A signing secret is not of the form that its prefix promises.
    #[error("a signing secret starts with whsec_ but the rest is not Base64: replace the secret")]
    Secret,
    /// The URL, or what a template makes of it, is none.
    #[error("the URL cannot be called: {0}")]
    Url(String),
    /// The webhook demands the signature of the space's key pair, and there is none.
    #[error(
        "option signature demands an RSA signature but the space has no key pair yet: save the webhook again, or set \
         signature to auto"
    )]
    NoKeyPair,
    /// The webhook posts to Slack through a connection that is not there.
    #[error("the Slack connection {0:?} is gone: choose another one at the webhook, or connect Slack again")]
    NoSlackConnection(String),
    /// A bot needs to know the channel.
    #[error("the Slack action names no channel: choose one that the bot is in")]
    NoSlackChannel,
    /// The webhook's action is no HTTP call.
    #[error("the webhook posts to Slack, which no dialect writes")]
    NoUrl,
    /// The space's key pair is damaged.
    #[error("the space's key pair cannot sign: have a new one made")]
    KeyPair,
    /// The dialect has no words for the event.
    #[error("the event cannot be said in dialect {dialect:?}: {reason}")]
    NotExpressible {
        /// Which dialect.
        dialect: &'static str,
        /// Why not.
        reason: String,
    },
    /// A template cannot be rendered over this event.
    #[error("the template of the {part}, {fault}")]
    Template {
        /// `body`, `URL` or `header`.
        part: &'static str,
        /// Where, what, and how to mend it.
        fault: String,
    },
    /// What a template makes is not what the content type promises.
    #[error(
        "the template makes no valid JSON for content type {content_type}: {reason} of what it makes; put values in \
         quotes, insert objects and lists as {{{{{{x}}}}}}, or set another Content-Type"
    )]
    NotJson {
        /// Which JSON type.
        content_type: String,
        /// The parser's words, with line and column.
        reason: String,
    },
    /// Templates look into payloads, and this one cannot be looked into.
    #[error("templates need a payload that is JSON: choose another dialect")]
    PayloadNotJson,
}

/// Checks a custom header's name and value, as a request would; for refusing it when the webhook is made.
pub fn check_header(name: &str, value: &str) -> Result<(), RenderError> {
    let shown = || name.chars().take(64).collect::<String>();
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || name.len() > 256 || !name.bytes().all(token) {
        return Err(RenderError::HeaderName(shown()));
    }
    if RESERVED.iter().any(|reserved| name.eq_ignore_ascii_case(reserved)) {
        return Err(RenderError::ReservedHeader(shown()));
    }
    if !value.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~')) {
        return Err(RenderError::HeaderValue(shown()));
    }
    Ok(())
}

/// The value of `Authorization` for basic authentication (RFC 7617).
pub(crate) fn basic_credentials(username: &str, password: &str) -> String {
    STANDARD.encode(format!("{username}:{password}"))
}

pub(crate) fn target<'a>(occasion: &Occasion<'a>) -> &'a HttpTarget {
    static NOWHERE: HttpTarget = HttpTarget {
        url: String::new(),
        method: Method::Post,
        headers: Vec::new(),
        basic_auth: None,
        render: Render::Dialect,
    };
    // A webhook that calls no URL never comes as far as here: `assemble` refuses it.
    occasion.webhook.action.http().unwrap_or(&NOWHERE)
}

/// What a dialect says of an event, before the webhook's own template reshapes it and before anything is signed.
pub(crate) struct Said {
    /// The topic as the dialect's receivers know it.
    pub(crate) topic: String,
    /// The dialect's own headers, `Content-Type` among them; signatures come later.
    pub(crate) headers: Vec<(String, String)>,
    /// The default payload.
    pub(crate) payload: Bytes,
}

/// Puts a request together: the dialect's own headers, `User-Agent`, basic authentication, and the webhook's custom
/// headers last. A custom header replaces whatever has the same name in any case; two custom headers of one name are
/// both sent. GET and DELETE carry neither body nor `Content-Type`. `sign` gets the request as it leaves, and what it
/// returns is added, custom headers still first.
pub(crate) fn assemble(
    occasion: &Occasion<'_>,
    said: Said,
    sign: impl FnOnce(&Rendered) -> Result<Vec<(String, String)>, RenderError>,
) -> Result<Rendered, RenderError> {
    let target = occasion.webhook.action.http().ok_or(RenderError::NoUrl)?;
    let Reshaped { url, headers: custom, content_type, body } = match transformation(occasion) {
        Some(transformation) => pointer::reshape(occasion, transformation, &said)?,
        None => Reshaped::not(occasion, &said),
    };
    let mut headers = own_headers(occasion, said.headers, content_type)?;
    for (name, value) in &custom {
        check_header(name, value)?;
    }
    let replaced = |name: &str| custom.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
    let carries_body = target.method.carries_body();
    headers
        .retain(|(name, _)| !replaced(name) && (carries_body || !name.eq_ignore_ascii_case("content-type")));
    headers.extend(custom.iter().cloned());
    let content_type = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let content_type = content_type.map(|(_, value)| value.as_str());
    let (url, body) = match &target.render {
        Render::Dialect | Render::Transformation(_) => (url, body),
        Render::Mustache(templates) => {
            mustache::reshape(target, templates, content_type, body, occasion.coalesced)?
        }
    };
    let mut rendered = Rendered { method: target.method, url, headers, body: carries_body.then_some(body) };
    let signatures = sign(&rendered)?;
    rendered.headers.extend(signatures.into_iter().filter(|(name, _)| !replaced(name)));
    let asked = transformation(occasion).and_then(|transformation| transformation.include_content_length);
    if asked == Some(false) && carries_body {
        // After signing: how a body is framed is the connection's business.
        let (name, value) = IN_CHUNKS;
        rendered.headers.push((name.to_owned(), value.to_owned()));
    }
    Ok(rendered)
}

/// The transformation that counts: in Contentful, pointers in URL and headers need none.
fn transformation<'a>(occasion: &Occasion<'a>) -> Option<&'a Transformation> {
    static NONE: Transformation =
        Transformation { content_type: None, include_content_length: None, body: None };
    match &target(occasion).render {
        Render::Transformation(transformation) => Some(transformation),
        Render::Dialect if occasion.webhook.dialect == contentful::NAME => Some(&NONE),
        Render::Dialect | Render::Mustache(_) => None,
    }
}

/// What is sent besides the custom headers: what all dialects say, what this one says, and who calls.
fn own_headers(
    occasion: &Occasion<'_>,
    said: Vec<(String, String)>,
    content_type: Option<String>,
) -> Result<Vec<(String, String)>, RenderError> {
    let own = |name: &str| said.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
    // `Accept: */*` is what nearly every client says; said here, so that the record shows exactly what was sent.
    let common = [("User-Agent", USER_AGENT), ("Accept", "*/*")];
    let unsaid = common.into_iter().filter(|(name, _)| !own(name));
    let mut headers: Vec<_> = unsaid.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    headers.extend(said);
    let told =
        occasion.coalesced.map(|coalesced| (coalesced::HEADER.to_owned(), coalesced::header(coalesced)));
    headers.extend(told);
    if let Some(content_type) = content_type {
        headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
        headers.push(("Content-Type".to_owned(), content_type));
    }
    if let Some(auth) = &target(occasion).basic_auth {
        headers.push(("Authorization".to_owned(), authorization(auth, occasion)?));
    }
    Ok(headers)
}

impl Rendered {
    /// What a signature of the body covers: nothing where no body is sent.
    pub(crate) fn signed_body(&self) -> &[u8] {
        self.body.as_deref().unwrap_or_default()
    }
}

fn authorization(auth: &BasicAuth, occasion: &Occasion<'_>) -> Result<String, RenderError> {
    if auth.username.chars().any(|one| one == ':' || one.is_control()) {
        return Err(RenderError::UserName);
    }
    let password = occasion.secrets.basic_password.as_deref().unwrap_or_default();
    Ok(format!("Basic {}", basic_credentials(&auth.username, password)))
}

/// URL, headers and body may hold secrets: only method and sizes are shown.
impl fmt::Debug for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = self.body.as_ref().map_or(0, Bytes::len);
        write!(f, "Rendered({}, {} headers, {body} bytes)", self.method.as_str(), self.headers.len())
    }
}
