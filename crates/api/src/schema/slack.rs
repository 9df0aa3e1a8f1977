//! Slack connections: ways into workspaces.

use utoipa::ToSchema;

use super::link::{ArraySys, Link, Pages};
use super::only;
use super::text::{ConnectionId, Instant, Name};

only!(ConnectionType = "SlackConnection", ChannelType = "SlackChannel");

/// A Slack connection as it is sent to us: with the token of a bot, or with the URL of an incoming webhook, not with both. Both
/// are stored sealed and never answered; a connection that is there keeps what it has when neither is given.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Editors", "token": "xoxb-0000000000-made-up"}))]
pub(crate) struct SlackConnectionBody {
    name: Name,
    /// A bot's token: `xoxb-…`, with the scopes `chat:write`, `channels:read` and `groups:read`. Slack is asked about it.
    #[schema(min_length = 8, max_length = 512, pattern = "^[!-~]{8,512}$", write_only)]
    token: Option<String>,
    /// The URL of an incoming webhook: `https://hooks.slack.com/services/…`.
    #[schema(max_length = 2048, write_only)]
    url: Option<String>,
    /// Taken and left aside, so that what was read can be changed and sent back.
    #[schema(value_type = Option<Value>)]
    sys: Option<()>,
    /// Taken and left aside, so that what was read can be changed and sent back.
    #[schema(value_type = Option<Value>)]
    r#type: Option<()>,
    /// Taken and left aside, so that what was read can be changed and sent back.
    #[schema(value_type = Option<Value>)]
    team: Option<()>,
}

/// A way into Slack; never what opens the door.
#[derive(ToSchema)]
pub(crate) struct SlackConnection {
    sys: ConnectionSys,
    name: String,
    #[schema(inline)]
    r#type: AccessType,
    /// The name of the bot's workspace, as Slack told it.
    #[schema(nullable = false, examples("Acme"))]
    team: Option<String>,
}

/// What opens the door.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum AccessType {
    /// A bot: posts into the channel that each webhook names.
    Bot,
    /// An incoming webhook: posts into the one channel it was made for.
    Incoming,
}

/// Which connection; when and by whom what opens the door was given.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConnectionSys {
    #[schema(inline)]
    r#type: ConnectionType,
    id: ConnectionId,
    space: Link,
    created_at: Instant,
    created_by: Link,
}

/// The Slack connections of a space, by id.
#[derive(ToSchema)]
pub(crate) struct SlackConnectionList {
    sys: ArraySys,
    total: u64,
    skip: u64,
    limit: u64,
    items: Vec<SlackConnection>,
    pages: Pages,
}

/// A channel of the bot's workspace.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SlackChannel {
    sys: ChannelSys,
    name: String,
    /// Nobody can post into it.
    is_archived: bool,
    /// Only its members see it.
    is_private: bool,
    /// The bot is in it; into others it posts only with the scope `chat:write.public`.
    is_member: bool,
}

/// Which channel.
#[derive(ToSchema)]
pub(crate) struct ChannelSys {
    #[schema(inline)]
    r#type: ChannelType,
    /// What a webhook names.
    #[schema(examples("C0123456789"))]
    id: String,
}

/// A part of the channels, as many as Slack gives at once.
#[derive(ToSchema)]
pub(crate) struct SlackChannelList {
    sys: ArraySys,
    items: Vec<SlackChannel>,
    pages: Pages,
}
