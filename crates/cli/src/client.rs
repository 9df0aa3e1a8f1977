//! How client commands speak to a server: where it is, who asks, and what its answers mean for the exit code.

use std::path::Path;

use clap::Args;
use postrider_adapter_http::operator::{OperatorClient, OperatorError, OperatorRequest, Reply};
use postrider_domain::webhook::Method;
use serde_json::Value;

use crate::Context;
use crate::exit::{Code, Failure};
use crate::settings::sections::data::Data;

/// Where the server is, and who asks.
#[derive(Clone, Args)]
pub struct Server {
    /// The server's address [default: that in cli.toml of the data folder]
    #[arg(long = "server", value_name = "URL", env = "POSTRIDER_SERVER", help_heading = "Server")]
    address: Option<String>,
    /// The API token; better given in the environment, where other users cannot read it [default: that in cli.toml]
    #[arg(
        long,
        value_name = "TOKEN",
        env = "POSTRIDER_TOKEN",
        hide_env_values = true,
        help_heading = "Server"
    )]
    token: Option<String>,
    /// Where events are published, when ingest has an address of its own (distributed) [default: the server]
    #[arg(long, value_name = "URL", env = "POSTRIDER_INGEST", help_heading = "Server")]
    ingest: Option<String>,
    /// The space
    #[arg(long, default_value = "default", env = "POSTRIDER_SPACE", help_heading = "Server")]
    space: String,
    /// The environment
    #[arg(long, default_value = "master", env = "POSTRIDER_ENVIRONMENT", help_heading = "Server")]
    environment: String,
}

/// A server to ask, as somebody, about one space.
pub struct Client {
    http: OperatorClient,
    base: String,
    ingest: Option<(OperatorClient, String)>,
    space: String,
    environment: String,
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

impl Server {
    /// The client that these flags, or the `cli.toml` of the data folder, describe.
    ///
    /// # Errors
    /// When nobody says where the server is or who asks.
    pub fn client(&self, context: &Context) -> anyhow::Result<Client> {
        let data = &context.settings.data;
        let file = read_cli_file(&data.cli_file())?;
        let from_file = |name| file.get(name).and_then(toml::Value::as_str).map(str::to_owned);
        let missing = |what: &str, flag: &str, variable: &str| {
            let cause = format!(
                "it is not known {what}: no {flag}, no {variable}, and no {}",
                data.cli_file().display()
            );
            Failure::new(Code::Invalid, cause).next(format!(
                "give {flag} or set {variable}; beside a running `postrider serve`, run this command in the same folder or \
                 give its --data-dir"
            ))
        };
        let base = self.address.clone().or_else(|| from_file("server"));
        let base = base.ok_or_else(|| missing("which server to ask", "--server", "POSTRIDER_SERVER"))?;
        let token = self.token.clone().or_else(|| from_file("token"));
        let token = token.ok_or_else(|| missing("who asks", "--token", "POSTRIDER_TOKEN"))?;
        let mut client = Client::new(&base, &token, self.space.clone(), self.environment.clone())?;
        if let Some(ingest) = &self.ingest {
            client.ingest = Some(http(ingest, &token)?);
        }
        Ok(client)
    }
}

/// What `serve` left for the client commands; empty when there is none.
fn read_cli_file(path: &Path) -> anyhow::Result<toml::Table> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(toml::Table::new()),
        Err(error) => {
            let cause = format!("{} cannot be read: {error}", path.display());
            return Err(Failure::new(Code::Invalid, cause).next("give --server and --token instead").into());
        }
    };
    toml::from_str(&text).map_err(|error| {
        let cause = format!("{} is not TOML: {error}", path.display());
        Failure::new(Code::Invalid, cause).next("delete it, and start `postrider serve --new-token`").into()
    })
}

/// Writes what the client commands beside a server need; only its owner may read it. `true` when a token is in it: the
/// given one, or the one of an earlier start.
///
/// # Errors
/// When the file cannot be written.
pub fn write_cli_file(data: &Data, server: &str, token: Option<&str>) -> std::io::Result<bool> {
    let path = data.cli_file();
    let mut table = read_cli_file(&path).unwrap_or_default();
    table.insert("server".to_owned(), server.into());
    if let Some(token) = token {
        table.insert("token".to_owned(), token.into());
    }
    let head = "# Written by `postrider serve`: where client commands that run in this folder find it. Keep it secret.\n";
    let new = path.with_extension("toml.new");
    crate::compose::files::write_private(&new, format!("{head}{table}").as_bytes())?;
    std::fs::rename(&new, &path)?;
    Ok(table.contains_key("token"))
}

/// A connection, and its address without a slash at the end.
fn http(address: &str, token: &str) -> anyhow::Result<(OperatorClient, String)> {
    let base = address.trim_end_matches('/').to_owned();
    let http = OperatorClient::new(&base, Some(token)).map_err(|error| failure(&error))?;
    Ok((http, base))
}

impl Client {
    /// A client of the server at `base`.
    ///
    /// # Errors
    /// When address or token cannot be used.
    pub fn new(base: &str, token: &str, space: String, environment: String) -> anyhow::Result<Self> {
        let (http, base) = http(base, token)?;
        Ok(Self { http, base, ingest: None, space, environment })
    }

    /// A path inside the space: `/spaces/{space}{rest}`.
    pub fn in_space(&self, rest: &str) -> String {
        format!("/spaces/{}{rest}", encode(&self.space))
    }

    /// A path inside the environment.
    pub fn in_environment(&self, rest: &str) -> String {
        format!("/spaces/{}/environments/{}{rest}", encode(&self.space), encode(&self.environment))
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
        let said = problem(&body)
            .unwrap_or_else(|| String::from_utf8_lossy(&reply.body).chars().take(500).collect());
        let cause = format!("{} answered {status}: {said}", self.base);
        Err(Failure { code, cause, next: next.map(str::to_owned) }.into())
    }
}

/// What an error body says, in lines for people: management speaks Contentful's form, ingest its own.
fn problem(body: &Value) -> Option<String> {
    let error = body.get("error").unwrap_or(body);
    let message = error.get("message")?.as_str()?;
    let details = error.pointer("/details/errors").or_else(|| error.get("details")).and_then(Value::as_array);
    let lines = details.into_iter().flatten().map(|detail| {
        let part = |name: &str| detail.get(name).and_then(Value::as_str).unwrap_or_default();
        let event = detail.get("index").map_or_else(String::new, |index| format!("event {index} "));
        let said = [part("details"), part("problem")].concat();
        format!("\n  - {event}{}: {said}; {}", part("path"), part("fix"))
    });
    let lines: Vec<String> = lines.collect();
    // Management repeats the details in its message, after the first colon.
    let head = if lines.is_empty() { message } else { message.split(": ").next().unwrap_or(message) };
    let text = format!("{head}{}", lines.concat());
    match error.get("fix").and_then(Value::as_str) {
        Some(fix) => Some(format!("{text}\n  {fix}")),
        None => Some(text),
    }
}

/// The text of `199 postrider "…"` (RFC 7234 §5.5).
fn warning(value: &str) -> String {
    let text = value.split_once('"').map_or(value, |(_, text)| text);
    text.trim_end_matches('"').to_owned()
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

/// The token is a secret.
impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Server({:?}, space {}, environment {})", self.address, self.space, self.environment)
    }
}
