//! A stand-in of Slack on 127.0.0.1: `auth.test`, `conversations.list`, `chat.postMessage` and incoming webhooks, with the
//! answers and limits of their documents (docs.slack.dev: the pages of the methods, "Sending messages using incoming webhooks",
//! "Rate limits", Block Kit's reference of blocks). Workspace, channels and tokens are what a test makes of them; what it
//! scripts comes before what the stand-in would answer by itself.

mod blocks;

use std::collections::{HashMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long [`FakeSlack::posted`] waits before it fails the test.
const PATIENCE: Duration = Duration::from_secs(60);
/// The path of incoming webhooks; what follows is their key.
const INCOMING: &str = "/services/T0/B0/";

/// The stand-in. It stops when it is dropped.
pub struct FakeSlack {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

/// A message that came, whether it was taken or not.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The channel it was for: the one it names, or the one of its incoming webhook.
    pub channel: String,
    /// The whole of it.
    pub body: Value,
    /// What it was answered: `ok`, or Slack's code.
    pub said: String,
    /// When it came.
    pub at: tokio::time::Instant,
}

/// An answer that a test wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// `200` with `ok: false` and this code; an incoming webhook answers 400 with the code as its body.
    Code(&'static str),
    /// 429 that asks to wait so many seconds.
    Limited(u32),
    /// This status, and this body of whoever answers in Slack's place.
    Other(u16, &'static str),
}

/// A channel.
#[derive(Debug, Clone, Default)]
struct Channel {
    id: String,
    name: String,
    is_private: bool,
    is_archived: bool,
    is_member: bool,
}

#[derive(Default)]
struct Workspace {
    team: String,
    /// Tokens, and whether each still counts.
    tokens: HashMap<String, bool>,
    channels: Vec<Channel>,
    /// Keys of incoming webhooks, with the channel each was made for.
    incoming: HashMap<String, String>,
    /// By method; `incoming` for incoming webhooks.
    scripts: HashMap<String, VecDeque<Reply>>,
}

struct Shared {
    workspace: Mutex<Workspace>,
    messages: watch::Sender<Vec<Message>>,
}

impl FakeSlack {
    /// A workspace of this name without channels and tokens.
    pub async fn start(team: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let workspace = Workspace { team: team.to_owned(), ..Workspace::default() };
        let shared =
            Arc::new(Shared { workspace: Mutex::new(workspace), messages: watch::Sender::default() });
        let routes = Router::new()
            .route("/api/{method}", any(method))
            .route("/services/T0/B0/{key}", post(incoming))
            .with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move {
            axum::serve(listener, routes).await.expect("it serves");
        });
        Self { address, shared, server }
    }

    /// What `slack.base_url` is set to.
    pub fn base_url(&self) -> String {
        format!("http://{}/api/", self.address)
    }

    /// A token that counts from now on.
    pub fn issue(&self, token: &str) {
        self.shared.workspace().tokens.insert(token.to_owned(), true);
    }

    /// The workspace disconnects the app of this token.
    pub fn revoke(&self, token: &str) {
        self.shared.workspace().tokens.insert(token.to_owned(), false);
    }

    /// Makes a public channel that the bot is in; returns its id.
    pub fn channel(&self, name: &str) -> String {
        self.add(Channel { name: name.to_owned(), is_member: true, ..Channel::default() })
    }

    /// Makes a private channel that the bot was not invited to; returns its id.
    pub fn private(&self, name: &str) -> String {
        self.add(Channel { name: name.to_owned(), is_private: true, ..Channel::default() })
    }

    /// Makes a public channel that the bot is not in; returns its id.
    pub fn foreign(&self, name: &str) -> String {
        self.add(Channel { name: name.to_owned(), ..Channel::default() })
    }

    /// Somebody archives a channel.
    pub fn archive(&self, id: &str) {
        let mut workspace = self.shared.workspace();
        let channel = workspace.channels.iter_mut().find(|channel| channel.id == id);
        channel.expect("there is such a channel").is_archived = true;
    }

    /// The URL of a new incoming webhook for a channel.
    pub fn incoming(&self, key: &str, channel: &str) -> String {
        self.shared.workspace().incoming.insert(key.to_owned(), channel.to_owned());
        format!("http://{}{INCOMING}{key}", self.address)
    }

    /// Somebody removes an incoming webhook.
    pub fn remove_incoming(&self, key: &str) {
        self.shared.workspace().incoming.remove(key);
    }

    /// How the next calls of a method end (`chat.postMessage`, …; `incoming`), one after the other; then it answers by itself
    /// again.
    pub fn script(&self, method: &str, replies: impl IntoIterator<Item = Reply>) {
        self.shared.workspace().scripts.entry(method.to_owned()).or_default().extend(replies);
    }

    /// Waits until so many messages came, and returns all of them.
    pub async fn posted(&self, count: usize) -> Vec<Message> {
        let mut messages = self.shared.messages.subscribe();
        let enough = messages.wait_for(|messages| messages.len() >= count);
        let waited = tokio::time::timeout(PATIENCE, enough).await.is_ok();
        let messages = self.messages();
        assert!(waited, "of {count} messages only {} came", messages.len());
        messages
    }

    /// Every message so far.
    pub fn messages(&self) -> Vec<Message> {
        self.shared.messages.borrow().clone()
    }

    fn add(&self, channel: Channel) -> String {
        let mut workspace = self.shared.workspace();
        let id = format!("C{:010}", workspace.channels.len() + 1);
        workspace.channels.push(Channel { id: id.clone(), ..channel });
        id
    }
}

impl Drop for FakeSlack {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    fn workspace(&self) -> MutexGuard<'_, Workspace> {
        self.workspace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, channel: &str, body: &[u8], said: &str) {
        let body = serde_json::from_slice(body).unwrap_or_default();
        let (channel, said) = (channel.to_owned(), said.to_owned());
        let message = Message { channel, body, said, at: tokio::time::Instant::now() };
        self.messages.send_modify(|messages| messages.push(message));
    }
}

impl Workspace {
    fn scripted(&mut self, method: &str) -> Option<Reply> {
        self.scripts.get_mut(method)?.pop_front()
    }

    /// What the token of a request is worth.
    fn admits(&self, headers: &HeaderMap) -> Result<(), &'static str> {
        let given = headers.get("authorization").and_then(|value| value.to_str().ok());
        let token = given.and_then(|value| value.strip_prefix("Bearer ")).ok_or("not_authed")?;
        match self.tokens.get(token) {
            Some(true) => Ok(()),
            Some(false) => Err("token_revoked"),
            None => Err("invalid_auth"),
        }
    }

    /// Whether a bot's message is taken.
    fn takes(&self, message: &Value) -> Result<(), &'static str> {
        let wanted = message["channel"].as_str().unwrap_or_default();
        let channel = self.channels.iter().find(|channel| channel.id == wanted);
        match channel.ok_or("channel_not_found")? {
            Channel { is_private: true, is_member: false, .. } => Err("channel_not_found"),
            Channel { is_archived: true, .. } => Err("is_archived"),
            Channel { is_member: false, .. } => Err("not_in_channel"),
            _ => blocks::check(message),
        }
    }

    /// A page of channels: those from the number on that the cursor names.
    fn list(&self, query: &str) -> Value {
        let parameter = |name: &str| {
            query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name)
        };
        let number = |name| parameter(name).and_then(|(_, value)| value.parse::<usize>().ok());
        let (from, limit) = (number("cursor").unwrap_or(0), number("limit").unwrap_or(100).clamp(1, 1000));
        let seen = self.channels.iter().filter(|channel| channel.is_member || !channel.is_private);
        let seen: Vec<Value> = seen.map(Channel::written).collect();
        let until = (from + limit).min(seen.len());
        let next = if until < seen.len() { until.to_string() } else { String::new() };
        let page = seen.get(from.min(until)..until).unwrap_or_default();
        json!({"ok": true, "channels": page, "response_metadata": {"next_cursor": next}})
    }
}

impl Channel {
    fn written(&self) -> Value {
        json!({
            "id": self.id, "name": self.name, "is_channel": true, "is_private": self.is_private,
            "is_archived": self.is_archived, "is_member": self.is_member,
        })
    }
}

/// A method of the API.
async fn method(
    State(shared): State<Arc<Shared>>,
    Path(method): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let message: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mut workspace = shared.workspace();
    let scripted = workspace.scripted(&method);
    let answer = match (method.as_str(), workspace.admits(&headers)) {
        (_, Err(code)) => Err(code),
        ("auth.test", Ok(())) => Ok(json!({
            "ok": true, "url": "https://made-up.slack.com/", "team": workspace.team, "user": "postrider",
            "team_id": "T0", "user_id": "U0", "bot_id": "B0",
        })),
        ("conversations.list", Ok(())) => Ok(workspace.list(&query.unwrap_or_default())),
        ("chat.postMessage", Ok(())) if !is_json(&headers) => Err("invalid_form_data"),
        ("chat.postMessage", Ok(())) => {
            let taken = workspace.takes(&message);
            taken.map(|()| json!({"ok": true, "channel": message["channel"], "ts": "1767268800.000100"}))
        }
        _ => Err("unknown_method"),
    };
    drop(workspace);
    let said = match (&scripted, &answer) {
        (Some(reply), _) => reply.named(),
        (None, Err(code)) => (*code).to_owned(),
        (None, Ok(_)) => "ok".to_owned(),
    };
    if method == "chat.postMessage" {
        shared.note(message["channel"].as_str().unwrap_or_default(), &body, &said);
    }
    match (scripted, answer) {
        (Some(Reply::Code(code)), _) | (None, Err(code)) => json_answer(&json!({"ok": false, "error": code})),
        (Some(reply), _) => reply.foreign(r#"{"ok":false,"error":"ratelimited"}"#),
        (None, Ok(answer)) => json_answer(&answer),
    }
}

/// An incoming webhook.
async fn incoming(
    State(shared): State<Arc<Shared>>,
    Path(key): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let message: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mut workspace = shared.workspace();
    let channel = workspace.incoming.get(&key).cloned().unwrap_or_default();
    let is_archived = workspace.channels.iter().any(|one| one.id == channel && one.is_archived);
    let scripted = workspace.scripted("incoming");
    drop(workspace);
    let (status, said) = match &scripted {
        Some(reply) => (400, reply.named()),
        None if channel.is_empty() => (404, "no_service".to_owned()),
        None if is_archived => (410, "channel_is_archived".to_owned()),
        None if !is_json(&headers) || !message.is_object() => (400, "invalid_payload".to_owned()),
        None => {
            blocks::check(&message).map_or_else(|code| (400, code.to_owned()), |()| (200, "ok".to_owned()))
        }
    };
    shared.note(&channel, &body, &said);
    match scripted {
        Some(Reply::Code(code)) => text(400, code),
        Some(reply) => reply.foreign("rate_limited"),
        None => text(status, &said),
    }
}

impl Reply {
    fn named(&self) -> String {
        match self {
            Self::Code(code) => (*code).to_owned(),
            Self::Limited(_) => "ratelimited".to_owned(),
            Self::Other(status, _) => format!("http_{status}"),
        }
    }

    /// As a whole answer; `limited` is the body of a 429.
    fn foreign(&self, limited: &'static str) -> Response {
        match self {
            Self::Code(code) => text(400, code),
            Self::Limited(seconds) => {
                (StatusCode::TOO_MANY_REQUESTS, [("retry-after", seconds.to_string())], limited)
                    .into_response()
            }
            Self::Other(status, body) => text(*status, body),
        }
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.starts_with("application/json")
}

fn text(status: u16, body: &str) -> Response {
    let status = StatusCode::from_u16(status).expect("a status");
    (status, [("content-type", "text/html")], body.to_owned()).into_response()
}

fn json_answer(answer: &Value) -> Response {
    let headers = [
        ("content-type", "application/json; charset=utf-8"),
        ("x-oauth-scopes", "chat:write,channels:read,groups:read"),
    ];
    (headers, answer.to_string()).into_response()
}
