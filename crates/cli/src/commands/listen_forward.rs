//! `postrider listen --forward-to`: a webhook for this session, whose calls are passed on to a receiver.

use std::net::SocketAddr;

use axum::http::StatusCode;
use clap::Args;
use postrider_adapter_http::operator::{OperatorClient, OperatorRequest};
use postrider_domain::webhook::Method;
use serde_json::{Value, json};

use super::listen_leftover::{Mark, sweep};
use crate::Context;
use crate::client::{Client, Server, encode};
use crate::exit::{Code, Failure};
use crate::output::note;
use crate::receiver::Call;

/// What is answered when the receiver gave no answer: 502, Bad Gateway (RFC 9110 §15.6.3), which is retried.
const NO_ANSWER: StatusCode = StatusCode::BAD_GATEWAY;
/// Headers of one connection only (RFC 9110 §7.6.1), and those that the next hop makes anew.
const NOT_PASSED_ON: [&str; 7] =
    ["connection", "content-length", "host", "keep-alive", "te", "transfer-encoding", "upgrade"];

/// The flags that make a webhook for this session.
#[derive(Debug, Args)]
pub(super) struct Forwarding {
    /// Make a webhook for this session, pass its calls on to this receiver, and remove it at the end; one that a killed session
    /// left behind is removed by the next
    #[arg(long, value_name = "URL", conflicts_with = "status")]
    forward_to: Option<String>,
    /// With --forward-to: what the webhook wants, Type.action (repeatable) [default: *.*]
    #[arg(long = "topic", value_name = "TOPIC", requires = "forward_to")]
    topics: Vec<String>,
    /// With --forward-to: where the server reaches this command, if not at the address it listens on
    #[arg(long, value_name = "URL", requires = "forward_to")]
    public_url: Option<String>,
    #[command(flatten)]
    server: Server,
}

/// A webhook that is there as long as this session.
pub(super) struct Session {
    server: Client,
    receiver: OperatorClient,
    /// The client leaves out a slash at the end of its address, which may matter to the receiver.
    path: &'static str,
    webhook: String,
    mark: Option<Mark>,
    /// What its calls are signed with.
    pub(super) secret: String,
}

impl Forwarding {
    /// Makes the webhook, if one is asked for.
    pub(super) async fn begin(&self, addr: SocketAddr, context: &Context) -> anyhow::Result<Option<Session>> {
        let Some(receiver) = &self.forward_to else { return Ok(None) };
        let path = if receiver.ends_with('/') { "/" } else { "" };
        // The person at the terminal named the receiver, mostly on this machine: no webhook can direct it elsewhere.
        let receiver = OperatorClient::new(receiver, None)
            .map_err(|error| Failure::new(Code::Invalid, format!("--forward-to: {error}")))?;
        let server = self.server.client(context)?;
        sweep(&server).await;
        let url = self.public_url.clone().unwrap_or_else(|| format!("http://{addr}/"));
        let topics = if self.topics.is_empty() { vec!["*.*".to_owned()] } else { self.topics.clone() };
        let name = format!("postrider listen at {addr}");
        let body = json!({ "name": name, "url": url, "topics": topics, "dialect": "standard-webhooks", "signing": true });
        let made = server.post(&server.in_space("/webhook_definitions"), &body).await?.body;
        let of = |pointer| made.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let (Some(webhook), Some(secret)) = (of("/sys/id"), of("/signing/secret")) else {
            return Err(Failure::new(
                Code::Server,
                "the server made a webhook without an id or a signing secret",
            )
            .into());
        };
        let mark = Mark::set(&webhook, &server);
        Ok(Some(Session { server, receiver, path, webhook, mark, secret }))
    }
}

impl Session {
    /// The webhook's id.
    pub(super) fn webhook(&self) -> &str {
        &self.webhook
    }

    /// Passes a call on; the status that the receiver answered.
    pub(super) async fn pass_on(&self, call: &Call) -> StatusCode {
        let Some(method) = Method::parse(&call.method) else { return StatusCode::METHOD_NOT_ALLOWED };
        let headers =
            call.headers.iter().filter(|(name, _)| !NOT_PASSED_ON.contains(&name.as_str())).cloned();
        let body = (!call.body.is_empty()).then(|| call.body.clone().into());
        let request =
            OperatorRequest { method, path: self.path.to_owned(), headers: headers.collect(), body };
        match self.receiver.call(request).await {
            Ok(reply) => StatusCode::from_u16(reply.status).unwrap_or(NO_ANSWER),
            Err(error) => {
                note(&format!("not passed on: {error}"));
                NO_ANSWER
            }
        }
    }

    /// Removes the webhook.
    ///
    /// # Errors
    /// When the server cannot be asked; the message says how to remove it by hand.
    pub(super) async fn end(&self) -> anyhow::Result<()> {
        let path = self.server.in_space(&format!("/webhook_definitions/{}", encode(&self.webhook)));
        let removed = self.server.delete(&path).await;
        if let Some(mark) = self.mark.as_ref().filter(|_| removed.is_ok()) {
            mark.clear();
        }
        removed.map(drop).map_err(|error| {
            error.context(format!(
                "webhook {0} is still there; remove it: postrider webhooks delete {0}",
                self.webhook
            ))
        })
    }
}
