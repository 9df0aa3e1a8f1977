//! Connecting a Slack workspace: is the bot's token good, and which channels are there (sources: docs.slack.dev, auth.test and
//! conversations.list)? Requests to make and answers to read; nothing is sent here.

use postrider_domain::call::RecordedResponse;
use postrider_domain::webhook::Method;
use serde_json::Value;

use super::answer::{Fault, fault};
use crate::request::{Rendered, USER_AGENT};

/// Most channels of one page. A channel takes some 800 bytes, and its topic and purpose up to 250 characters of 6 bytes each
/// (`\\u00e9`): 50 × 3,800 bytes stay below the 200,000 that are read of an answer.
const PAGE: usize = 50;
/// What an incoming webhook's URL begins with. What begins with `/triggers/` or `/workflows/` starts a workflow and takes no
/// message.
const INCOMING: &str = "https://hooks.slack.com/services/";
/// The header in which Slack names what a token may do, on every answer of its API.
const SCOPES: &str = "x-oauth-scopes";
/// What a bot needs to post.
const POST: &str = "chat:write";

/// Who a token belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    /// The workspace's name.
    pub team: String,
    /// Its id (`T…`).
    pub team_id: String,
    /// The bot's name.
    pub bot: String,
    /// Whether the token may post, as far as Slack says.
    pub may_post: bool,
}

/// A channel a message can go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Its id (`C…`), which a webhook names.
    pub id: String,
    /// Its name, for people.
    pub name: String,
    /// Nobody can post into it.
    pub is_archived: bool,
    /// Only its members see it.
    pub is_private: bool,
    /// The bot is in it.
    pub is_member: bool,
}

/// Asks who a bot's token belongs to.
pub fn ask_who(base_url: &str, token: &str) -> Rendered {
    call(base_url, "auth.test", token)
}

/// Reads the answer to [`ask_who`].
pub fn read_who(response: &RecordedResponse) -> Result<Workspace, Fault> {
    let answer = taken(response)?;
    let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let scopes = response.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(SCOPES));
    let may_post = scopes.is_none_or(|(_, scopes)| scopes.split(',').any(|scope| scope.trim() == POST));
    Ok(Workspace { team: text("team"), team_id: text("team_id"), bot: text("user"), may_post })
}

/// Asks for a page of channels, archived ones included, so that they can be shown as such. `cursor` is that of
/// [`read_channels`].
pub fn ask_channels(base_url: &str, token: &str, cursor: Option<&str>) -> Rendered {
    let query =
        cursor.map_or_else(String::new, |cursor| format!("&cursor={}", crate::percent::encode(cursor)));
    let method = format!("conversations.list?types=public_channel,private_channel&limit={PAGE}{query}");
    call(base_url, &method, token)
}

/// Reads the answer to [`ask_channels`]: the channels, and the cursor of the next page if there is one. What has no id is
/// left out.
pub fn read_channels(response: &RecordedResponse) -> Result<(Vec<Channel>, Option<String>), Fault> {
    let answer = taken(response)?;
    let listed = answer.get("channels").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let channels = listed.iter().filter_map(|one| {
        let is = |name: &str| one.get(name).and_then(Value::as_bool).unwrap_or_default();
        let id = one.get("id")?.as_str().filter(|id| !id.is_empty())?;
        Some(Channel {
            id: id.to_owned(),
            name: one.get("name").and_then(Value::as_str).unwrap_or(id).to_owned(),
            is_archived: is("is_archived"),
            is_private: is("is_private"),
            is_member: is("is_member"),
        })
    });
    let cursor = answer.pointer("/response_metadata/next_cursor").and_then(Value::as_str);
    Ok((channels.collect(), cursor.filter(|cursor| !cursor.is_empty()).map(str::to_owned)))
}

/// Whether a text looks like the URL of an incoming webhook; `base_url` other than Slack's own (a stand-in) allows any.
pub fn is_incoming(url: &str, base_url: &str) -> bool {
    let path = url.strip_prefix(INCOMING);
    path.is_some_and(|path| !path.is_empty()) || base_url != super::BASE_URL
}

fn call(base_url: &str, method: &str, token: &str) -> Rendered {
    let headers = [
        ("User-Agent", USER_AGENT.to_owned()),
        ("Accept", "*/*".to_owned()),
        ("Authorization", format!("Bearer {token}")),
    ];
    Rendered {
        method: Method::Get,
        url: format!("{}/{method}", base_url.trim_end_matches('/')),
        headers: headers.map(|(name, value)| (name.to_owned(), value)).into(),
        body: None,
    }
}

/// What Slack answered, if it took the request.
fn taken(response: &RecordedResponse) -> Result<Value, Fault> {
    if let Some(fault) = fault(response) {
        return Err(fault);
    }
    Ok(serde_json::from_slice(&response.body).unwrap_or_default())
}
