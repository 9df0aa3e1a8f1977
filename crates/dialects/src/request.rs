//! What all outgoing requests share: method, URL, custom headers, basic authentication, User-Agent.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use postrider_domain::webhook::{BasicAuth, HttpTarget, Method, WebhookAction};
use thiserror::Error;

use crate::dialect::Occasion;

/// Who we say we are.
pub const USER_AGENT: &str = concat!("Postrider/", env!("CARGO_PKG_VERSION"));

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
    /// The dialect has no words for the event.
    #[error("the event cannot be said in dialect {dialect:?}: {reason}")]
    NotExpressible {
        /// Which dialect.
        dialect: &'static str,
        /// Why not.
        reason: String,
    },
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
    let WebhookAction::Http(target) = &occasion.webhook.action;
    target
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
    let target = target(occasion);
    let mut headers = vec![
        ("User-Agent".to_owned(), USER_AGENT.to_owned()),
        // What nearly every client says; said here, so that the record shows exactly what was sent.
        ("Accept".to_owned(), "*/*".to_owned()),
    ];
    headers.extend(said.headers);
    if let Some(auth) = &target.basic_auth {
        headers.push(("Authorization".to_owned(), authorization(auth, occasion)?));
    }
    let custom = &occasion.secrets.headers;
    for (name, value) in custom {
        check_header(name, value)?;
    }
    let replaced = |name: &str| custom.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
    let carries_body = target.method.carries_body();
    headers
        .retain(|(name, _)| !replaced(name) && (carries_body || !name.eq_ignore_ascii_case("content-type")));
    headers.extend(custom.iter().cloned());
    let mut rendered = Rendered {
        method: target.method,
        url: target.url.clone(),
        headers,
        body: carries_body.then_some(said.payload),
    };
    let signatures = sign(&rendered)?;
    rendered.headers.extend(signatures.into_iter().filter(|(name, _)| !replaced(name)));
    Ok(rendered)
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
