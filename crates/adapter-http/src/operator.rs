//! The command line's own connection to a Postrider server.
//!
//! Not guarded on purpose: the person at the terminal named the server, mostly on this very machine or in a private network,
//! and no webhook can direct it. It follows no redirect, because the token would go along, and uses no proxy.

use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use postrider_domain::webhook::Method;
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use thiserror::Error;
use url::Url;

/// How long opening the connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How long an ordinary call may take. Following has no end.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// The largest answer that is read: 64 MiB.
const ANSWER_LIMIT: usize = 64 * 1024 * 1024;
/// The longest line that is read while following: 8 MiB holds a call record with both bodies, escaped.
const LINE_LIMIT: usize = 8 * 1024 * 1024;

/// What to ask of the server.
#[derive(Clone, Default)]
pub struct OperatorRequest {
    /// POST unless said otherwise.
    pub method: Method,
    /// From the slash on, query included: `/spaces/default/webhook_definitions?limit=10`.
    pub path: String,
    /// Beside `Authorization`.
    pub headers: Vec<(String, String)>,
    /// Its `Content-Type` is `application/json` unless `headers` say otherwise.
    pub body: Option<Bytes>,
}

/// What the server answered, whatever the status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// Lower-case names, in the order received.
    pub headers: Vec<(String, String)>,
    /// All of it.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OperatorError {
    /// The server's address is not usable.
    #[error("{address:?} is not the address of a server ({reason}): give one such as http://127.0.0.1:8080")]
    Address {
        /// As given.
        address: String,
        /// Why not.
        reason: String,
    },
    /// The token or a header cannot be sent.
    #[error("{0} contains characters that cannot be sent in a header: check that it was copied whole")]
    Header(String),
    /// Nobody answers there.
    #[error(
        "cannot connect to {address} ({cause}): start the server with `postrider serve`, or name its address"
    )]
    Connect {
        /// Of the server.
        address: String,
        /// The system's word for it.
        cause: String,
    },
    /// The server took longer than a minute.
    #[error("{0} did not answer within 60 s: look at its log, and try again")]
    Timeout(String),
    /// The connection broke, or what answers does not speak HTTP.
    #[error("the connection to {address} broke ({cause}): is it a Postrider server? Try again")]
    Broken {
        /// Of the server.
        address: String,
        /// What happened.
        cause: String,
    },
    /// The answer is larger than what is read.
    #[error("the answer of {0} is too large: ask for less with a limit")]
    TooLarge(String),
}

/// The connection to one server with one token. Its debug form does not show the token.
#[derive(Clone)]
pub struct OperatorClient {
    address: Url,
    token: Option<HeaderValue>,
    client: Client,
}

impl OperatorClient {
    /// For a server's address (`http://127.0.0.1:8080`, possibly with a path before all others) and a token.
    pub fn new(address: &str, token: Option<&str>) -> Result<Self, OperatorError> {
        let unusable = |reason: String| OperatorError::Address { address: address.to_owned(), reason };
        let url = Url::parse(address).map_err(|error| unusable(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(unusable("it must begin with http:// or https://".to_owned()));
        }
        let token = token.map(bearer).transpose()?;
        let builder = Client::builder().no_proxy().redirect(Policy::none()).connect_timeout(CONNECT_WITHIN);
        // Reading the machine's certificates takes a while, and there may be none: only where they are needed.
        let builder = if url.scheme() == "https" { builder } else { builder.tls_certs_only([]) };
        let client = builder.build().map_err(|error| unusable(error.to_string()))?;
        Ok(Self { address: url, token, client })
    }

    /// Makes one call and reads the whole answer.
    pub async fn call(&self, request: OperatorRequest) -> Result<Reply, OperatorError> {
        let whole = async {
            let response = self.start(request).await?;
            self.whole(response).await
        };
        tokio::time::timeout(ANSWER_WITHIN, whole)
            .await
            .unwrap_or_else(|_| Err(OperatorError::Timeout(self.address.to_string())))
    }

    /// Makes one call whose answer comes line by line, until the server ends it. An answer outside 2xx is read at once.
    pub async fn follow(&self, request: OperatorRequest) -> Result<Result<Lines, Reply>, OperatorError> {
        let response = tokio::time::timeout(ANSWER_WITHIN, self.start(request))
            .await
            .unwrap_or_else(|_| Err(OperatorError::Timeout(self.address.to_string())))?;
        if response.status().is_success() {
            Ok(Ok(Lines {
                address: self.address.to_string(),
                response,
                waiting: BytesMut::new(),
                ended: false,
            }))
        } else {
            self.whole(response).await.map(Err)
        }
    }

    async fn start(&self, request: OperatorRequest) -> Result<Response, OperatorError> {
        let text = format!("{}{}", self.address.as_str().trim_end_matches('/'), request.path);
        let url = Url::parse(&text)
            .map_err(|error| OperatorError::Address { address: text, reason: error.to_string() })?;
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Patch => reqwest::Method::PATCH,
            Method::Delete => reqwest::Method::DELETE,
        };
        let mut built = reqwest::Request::new(method, url);
        let headers = built.headers_mut();
        if request.body.is_some() {
            headers.insert("content-type", HeaderValue::from_static("application/json"));
        }
        if let Some(token) = &self.token {
            headers.insert("authorization", token.clone());
        }
        for (name, value) in request.headers {
            let unusable = |_| OperatorError::Header(format!("header {name:?}"));
            let value = HeaderValue::try_from(value)
                .map_err(|_| OperatorError::Header(format!("header {name:?}")))?;
            headers.insert(HeaderName::try_from(name.as_str()).map_err(unusable)?, value);
        }
        *built.body_mut() = request.body.map(Into::into);
        self.client.execute(built).await.map_err(|error| self.failed(&error))
    }

    async fn whole(&self, mut response: Response) -> Result<Reply, OperatorError> {
        let status = response.status().as_u16();
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failed(&error))? {
            if body.len() + chunk.len() > ANSWER_LIMIT {
                return Err(OperatorError::TooLarge(self.address.to_string()));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply { status, headers, body: body.freeze() })
    }

    fn failed(&self, error: &reqwest::Error) -> OperatorError {
        failed(self.address.to_string(), error)
    }
}

fn bearer(token: &str) -> Result<HeaderValue, OperatorError> {
    let mut value = HeaderValue::try_from(format!("Bearer {token}"))
        .map_err(|_| OperatorError::Header("the token".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

fn failed(address: String, error: &reqwest::Error) -> OperatorError {
    let cause = crate::failure::cause(error);
    if error.is_connect() {
        OperatorError::Connect { address, cause }
    } else {
        OperatorError::Broken { address, cause }
    }
}

impl OperatorRequest {
    /// Asks for what stands at a path.
    pub fn get(path: impl Into<String>) -> Self {
        Self { method: Method::Get, path: path.into(), ..Self::default() }
    }

    /// Sends a JSON text to a path.
    pub fn send(method: Method, path: impl Into<String>, json: impl Into<Bytes>) -> Self {
        Self { method, path: path.into(), headers: Vec::new(), body: Some(json.into()) }
    }

    /// Adds a header.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// The lines of an answer that goes on.
pub struct Lines {
    address: String,
    response: Response,
    waiting: BytesMut,
    ended: bool,
}

impl Lines {
    /// The next line without its end (LF or CR LF), `None` when the server has ended. Cancelling loses nothing.
    pub async fn next(&mut self) -> Result<Option<String>, OperatorError> {
        loop {
            if let Some(end) = self.waiting.iter().position(|byte| *byte == b'\n') {
                let line = self.waiting.split_to(end + 1);
                let line = line.strip_suffix(b"\n").unwrap_or(&line);
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                return Ok(Some(String::from_utf8_lossy(line).into_owned()));
            }
            if self.ended {
                let rest = self.waiting.split();
                return Ok((!rest.is_empty()).then(|| String::from_utf8_lossy(&rest).into_owned()));
            }
            match self.response.chunk().await.map_err(|error| failed(self.address.clone(), &error))? {
                Some(chunk) if self.waiting.len() + chunk.len() > LINE_LIMIT => {
                    return Err(OperatorError::TooLarge(self.address.clone()));
                }
                Some(chunk) => self.waiting.extend_from_slice(&chunk),
                None => self.ended = true,
            }
        }
    }
}

/// Headers and body may hold secrets.
impl fmt::Debug for OperatorRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OperatorRequest({} {})", self.method.as_str(), self.path)
    }
}

impl fmt::Debug for OperatorClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OperatorClient({})", self.address)
    }
}
