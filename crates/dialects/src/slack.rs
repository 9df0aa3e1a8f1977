//! Messages to Slack: from an event to a request, and what Slack's answer means (sources: docs.slack.dev, chat.postMessage,
//! incoming webhooks, Block Kit, "Formatting message text", rate limits).
//!
//! A bot posts to `chat.postMessage` under the base URL of the settings with its token in `Authorization`; an incoming webhook
//! is its own URL and has its own channel. [`message`] writes what people read, [`answer`] judges what comes back. Both token
//! and URL are secrets: [`crate::mask::Mask`] hides them.

use bytes::Bytes;
use postrider_domain::space::SlackAccess;
use postrider_domain::webhook::{Method, SlackTarget};

use crate::dialect::Occasion;
use crate::request::{RenderError, Rendered, USER_AGENT};

pub mod answer;
pub mod message;
pub mod workspace;

pub use answer::{Fault, failure, fault, judge};

/// Where Slack's API is, unless the settings say otherwise.
pub const BASE_URL: &str = "https://slack.com/api/";

/// Makes the request of a webhook whose action is a Slack message. `base_url` is that of the settings.
pub fn write(occasion: &Occasion<'_>, target: &SlackTarget, base_url: &str) -> Result<Rendered, RenderError> {
    let connection = occasion.space.slack(&target.connection);
    let (Some(connection), Some(secret)) = (connection, occasion.secrets.slack.as_deref()) else {
        return Err(RenderError::NoSlackConnection(target.connection.clone()));
    };
    let mut headers = vec![
        ("User-Agent".to_owned(), USER_AGENT.to_owned()),
        ("Accept".to_owned(), "*/*".to_owned()),
        ("Content-Type".to_owned(), "application/json; charset=utf-8".to_owned()),
    ];
    let mut message = message::write(occasion, target)?;
    let url = match &connection.access {
        SlackAccess::Bot { .. } => {
            let channel = target.channel.as_deref().ok_or(RenderError::NoSlackChannel)?;
            message.insert("channel".to_owned(), channel.into());
            headers.push(("Authorization".to_owned(), format!("Bearer {secret}")));
            format!("{}/chat.postMessage", base_url.trim_end_matches('/'))
        }
        SlackAccess::Incoming { .. } => secret.to_owned(),
    };
    let body = Bytes::from(serde_json::Value::Object(message).to_string());
    Ok(Rendered { method: Method::Post, url, headers, body: Some(body) })
}
