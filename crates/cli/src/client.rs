//! How client commands speak to a server: where it is, who asks, and what its answers mean for the exit code.

use postrider_adapter_http::operator::{OperatorClient, OperatorError, OperatorRequest, Reply};
use postrider_domain::webhook::Method;
use serde_json::Value;

use crate::exit::{Code, Failure};

mod problem;
mod server;

use problem::{problem, warning};
pub use server::{Account, Door, Place, Server, write_cli_file};

/// The environment that every space has.
const DEFAULT_ENVIRONMENT: &str = "master";

/// The status of a body that breaks rules (RFC 9110 §15.5.21).
const UNPROCESSABLE: u16 = 422;

/// A server to ask, as somebody, about one space.
pub struct Client {
    http: OperatorClient,
    base: String,
    token: Option<String>,
    ingest: Option<(OperatorClient, String)>,
    space: String,
    environment: Option<String>,
}

/// What a server answered to something it took.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The JSON of the body; null when there is none.
    pub body: Value,
    /// The same as it came.
    pub text: String,
    /// What the server wants to be known: its `Warning` headers.
    pub warnings: Vec<String>,
}

/// A connection, and its address without a slash at the end.
fn http(address: &str, token: Option<&str>) -> anyhow::Result<(OperatorClient, String)> {
    let base = address.trim_end_matches('/').to_owned();
    let http = OperatorClient::new(&base, token).map_err(|error| failure(&error))?;
    Ok((http, base))
}

impl Client {
    /// A client of the server at `base`; without a token it is a stranger.
    ///
    /// # Errors
    /// When address or token cannot be used.
    pub fn new(
        base: &str,
        token: Option<&str>,
        space: String,
        environment: Option<String>,
    ) -> anyhow::Result<Self> {
        let (http, base) = http(base, token)?;
        Ok(Self { http, base, token: token.map(str::to_owned), ingest: None, space, environment })
    }

    /// The same, with events going in at another address.
    ///
    /// # Errors
    /// When the address cannot be used.
    pub fn entering_at(mut self, ingest: &str) -> anyhow::Result<Self> {
        self.ingest = Some(http(ingest, self.token.as_deref())?);
        Ok(self)
    }

    /// A path inside the space: `/spaces/{space}{rest}`.
    pub fn in_space(&self, rest: &str) -> String {
        format!("/spaces/{}{rest}", encode(&self.space))
    }

    /// A path inside the environment: the one that was named, else `master`.
    pub fn in_environment(&self, rest: &str) -> String {
        let environment = self.environment.as_deref().unwrap_or(DEFAULT_ENVIRONMENT);
        format!("/spaces/{}/environments/{}{rest}", encode(&self.space), encode(environment))
    }

    /// A path inside the environment if one was named, else inside the space.
    pub fn in_place(&self, rest: &str) -> String {
        if self.environment.is_some() { self.in_environment(rest) } else { self.in_space(rest) }
    }

    /// The environment that was named.
    pub fn environment(&self) -> Option<&str> {
        self.environment.as_deref()
    }

    /// The space that is asked about.
    pub fn space(&self) -> &str {
        &self.space
    }

    /// Where the server is.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Where events go.
    pub fn ingest_base(&self) -> &str {
        self.ingest.as_ref().map_or(&self.base, |(_, base)| base)
    }

    /// Makes one request to where events go, and judges the answer.
    ///
    /// # Errors
    /// A [`Failure`] for everything but 2xx.
    pub async fn publish(&self, request: OperatorRequest) -> anyhow::Result<Answer> {
        let http = self.ingest.as_ref().map_or(&self.http, |(http, _)| http);
        let reply = http.call(request).await.map_err(|error| failure(&error))?;
        self.judge(&reply)
    }

    /// Asks.
    pub async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.send(OperatorRequest::get(path)).await
    }

    /// Sends JSON.
    pub async fn post(&self, path: &str, json: &Value) -> anyhow::Result<Answer> {
        self.send(OperatorRequest::send(Method::Post, path, json.to_string())).await
    }

    /// Puts JSON at a path; with the version that it replaces, if one is known.
    pub async fn put(&self, path: &str, json: &Value, version: Option<u64>) -> anyhow::Result<Answer> {
        let request = OperatorRequest::send(Method::Put, path, json.to_string());
        self.send(match version {
            Some(version) => request.with("x-contentful-version", version.to_string()),
            None => request,
        })
        .await
    }

    /// Deletes what stands at a path.
    pub async fn delete(&self, path: &str) -> anyhow::Result<Answer> {
        self.send(OperatorRequest {
            method: Method::Delete,
            path: path.to_owned(),
            ..OperatorRequest::default()
        })
        .await
    }

    /// Makes one request and judges the answer.
    ///
    /// # Errors
    /// A [`Failure`] for everything but 2xx.
    pub async fn send(&self, request: OperatorRequest) -> anyhow::Result<Answer> {
        let reply = self.http.call(request).await.map_err(|error| failure(&error))?;
        self.judge(&reply)
    }

    /// Makes one request and says what the server finds wrong with it; `None` when nothing.
    ///
    /// # Errors
    /// A [`Failure`] for everything but 2xx and what is wrong with the body (422).
    pub async fn faults(&self, request: OperatorRequest) -> anyhow::Result<Option<String>> {
        let reply = self.http.call(request).await.map_err(|error| failure(&error))?;
        if reply.status == UNPROCESSABLE {
            let body = serde_json::from_slice(&reply.body).unwrap_or_default();
            return Ok(Some(problem(&body).unwrap_or_else(|| "it is not valid".to_owned())));
        }
        self.judge(&reply).map(|_| None)
    }

    fn judge(&self, reply: &Reply) -> anyhow::Result<Answer> {
        let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        if (200..300).contains(&reply.status) {
            let warnings = reply.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("warning"));
            let text = String::from_utf8_lossy(&reply.body).into_owned();
            return Ok(Answer { body, text, warnings: warnings.map(|(_, value)| warning(value)).collect() });
        }
        let status = reply.status;
        let (code, next) = match status {
            401 => (Code::Refused, Some("give a valid token with --token or POSTRIDER_TOKEN")),
            403 => (Code::Refused, Some("use a token whose role allows this")),
            404 => (Code::NotFound, None),
            429 => (Code::Server, Some("wait a moment and try again")),
            500..=599 => {
                (Code::Server, Some("the server's log says more; /readyz says which part is not ready"))
            }
            _ => (Code::Invalid, None),
        };
        let after = reply.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("retry-after"));
        let next = match after {
            Some((_, seconds)) if seconds.parse::<u32>().is_ok() => Some(format!("try again in {seconds} s")),
            // The answer itself says what to do.
            _ => next
                .filter(|_| body.get("error").and_then(|error| error.get("fix")).is_none())
                .map(str::to_owned),
        };
        let said = problem(&body)
            .unwrap_or_else(|| String::from_utf8_lossy(&reply.body).chars().take(500).collect());
        let cause = format!("{} answered {status}: {said}", self.base);
        Err(Failure { code, cause, next }.into())
    }
}

/// No answer at all: the message says what to do.
fn failure(error: &OperatorError) -> anyhow::Error {
    let code = match error {
        OperatorError::Address { .. } | OperatorError::Header(_) => Code::Invalid,
        _ => Code::Server,
    };
    Failure::new(code, error.to_string()).into()
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// One segment of a path, percent-encoded: everything but RFC 3986's unreserved characters.
pub fn encode(segment: &str) -> String {
    let mut text = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push('%');
            text.extend([byte >> 4, byte & 15].map(|digit| char::from(HEX[usize::from(digit)])));
        }
    }
    text
}
