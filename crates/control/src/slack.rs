//! Slack connections: ways into workspaces, by which webhooks post messages.
//!
//! A connection is a bot's token, which Slack is asked about before it is taken, or the URL of an incoming webhook. Both are
//! secrets. To connect, change and disconnect needs `integrations:manage`; whoever may change webhooks may use what is
//! connected.

use std::fmt;

use postrider_dialects::Rendered;
use postrider_dialects::slack::{Fault, workspace};
use postrider_domain::call::RecordedResponse;
use postrider_domain::id::{ConnectionId, SpaceId};
use postrider_domain::space::{SlackAccess, SlackConnection};
use postrider_domain::token::Permission;
use postrider_domain::webhook::Webhook;
use postrider_ports::secrets::{Place, SLACK};
use postrider_ports::sender::Request;

use crate::access::Actor;
use crate::error::{ControlError, ControlResult, FieldFault};
use crate::pacing::LONGEST_TIMEOUT;
use crate::{Control, names, random_text, target_url};

pub use postrider_dialects::slack::workspace::Channel;

/// Most connections of a space. Every dispatcher holds them in memory, some 500 bytes each.
pub const MOST_CONNECTIONS: usize = 50;
/// Longest token in characters; Slack's have 50 to 255, and it asks to leave room for more.
const LONGEST_TOKEN: usize = 512;
/// Shortest token: what is recorded is searched for it, and shorter ones would be found everywhere.
const SHORTEST_TOKEN: usize = 8;
/// Longest name of a workspace that is kept, in characters.
const LONGEST_TEAM: usize = 256;
/// How many of the webhooks that stand in the way are named.
const NAMED: usize = 10;

/// A connection as asked for. One of token and URL; neither keeps what a connection has.
#[derive(Clone, Default)]
pub struct SlackDraft {
    /// For people, 1 to 256 characters.
    pub name: String,
    /// A bot's token (`xoxb-…`).
    pub token: Option<String>,
    /// The URL of an incoming webhook.
    pub url: Option<String>,
}

/// A connection just made or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedSlack {
    /// As it stands now.
    pub connection: SlackConnection,
    /// What is odd about it, in words.
    pub warnings: Vec<String>,
    /// Whether it was made just now.
    pub created: bool,
}

/// Channels of a workspace, and where the list goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channels {
    /// In Slack's order; archived ones are among them, so that they can be shown as such.
    pub channels: Vec<Channel>,
    /// What leads to the next ones.
    pub next: Option<String>,
}

/// Neither token nor URL is shown.
impl fmt::Debug for SlackDraft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SlackDraft").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Control {
    /// The Slack connections of a space, without their secrets. Needs `webhooks:list`.
    pub async fn slack_connections(
        &self,
        actor: &Actor,
        space: &SpaceId,
    ) -> ControlResult<Vec<SlackConnection>> {
        self.enter(actor, space, Permission::WebhooksList).await?;
        Ok(self.settings_of(space).await?.slack)
    }

    /// One of them. Needs `webhooks:list`.
    pub async fn slack_connection(
        &self,
        actor: &Actor,
        space: &SpaceId,
        id: &ConnectionId,
    ) -> ControlResult<SlackConnection> {
        self.enter(actor, space, Permission::WebhooksList).await?;
        self.connection(space, id).await
    }

    /// Connects Slack under a drawn id. Needs `integrations:manage`.
    pub async fn connect_slack(
        &self,
        actor: &Actor,
        space: &SpaceId,
        draft: SlackDraft,
    ) -> ControlResult<SavedSlack> {
        let id = ConnectionId::new(&random_text::id(&*self.deps.random))
            .map_err(|error| ControlError::Conflict(error.to_string()))?;
        self.put_slack_connection(actor, space, &id, draft).await
    }

    /// Replaces a connection, or connects Slack under this id. With another token or URL its webhooks post through that from
    /// the next message on, everywhere within a second. Needs `integrations:manage`.
    pub async fn put_slack_connection(
        &self,
        actor: &Actor,
        space: &SpaceId,
        id: &ConnectionId,
        draft: SlackDraft,
    ) -> ControlResult<SavedSlack> {
        self.enter(actor, space, Permission::IntegrationsManage).await?;
        let before = self.settings_of(space).await?.slack(id.as_str()).cloned();
        self.check_slack(&draft, before.is_some())?;
        let access = self.slack_access(space, id, &draft).await?;
        let warnings = access.as_ref().zip(before.as_ref()).and_then(moved).into_iter().collect();
        let (now, by) = (self.now(), actor.token.to_string());
        self.settle(space, |settings| {
            let place = settings.slack.iter().position(|one| one.id == id.as_str());
            let kept = place.map(|at| settings.slack[at].clone());
            let connection = match (&access, kept) {
                (Some(access), _) => SlackConnection {
                    id: id.to_string(),
                    name: draft.name.clone(),
                    access: access.clone(),
                    created_at: now,
                    created_by: by.clone(),
                },
                (None, Some(kept)) => SlackConnection { name: draft.name.clone(), ..kept },
                (None, None) => return Err(ControlError::missing("Slack connection", id)),
            };
            match place {
                Some(at) => settings.slack[at] = connection,
                None if settings.slack.len() >= MOST_CONNECTIONS => return Err(full()),
                None => settings.slack.push(connection),
            }
            Ok(())
        })
        .await?;
        let connection = self.connection(space, id).await?;
        Ok(SavedSlack { connection, warnings, created: before.is_none() })
    }

    /// Disconnects Slack, unless webhooks still post through it: those are named. Needs `integrations:manage`.
    pub async fn disconnect_slack(
        &self,
        actor: &Actor,
        space: &SpaceId,
        id: &ConnectionId,
    ) -> ControlResult<()> {
        self.enter(actor, space, Permission::IntegrationsManage).await?;
        self.connection(space, id).await?;
        let (webhooks, _) = self.deps.registry.list(space, 0, usize::MAX).await?;
        let posts = |webhook: &&Webhook| {
            webhook.action.slack().is_some_and(|target| target.connection == id.as_str())
        };
        let users: Vec<&Webhook> = webhooks.iter().filter(posts).collect();
        if !users.is_empty() {
            return Err(in_use(id, &users));
        }
        self.settle(space, |settings| {
            settings.slack.retain(|one| one.id != id.as_str());
            Ok(())
        })
        .await
    }

    /// A page of the channels that a bot can see; `cursor` is that of the page before. Slack is asked each time. Needs
    /// `webhooks:update`, as who chooses a channel has it.
    pub async fn slack_channels(
        &self,
        actor: &Actor,
        space: &SpaceId,
        id: &ConnectionId,
        cursor: Option<&str>,
    ) -> ControlResult<Channels> {
        self.enter(actor, space, Permission::WebhooksUpdate).await?;
        let connection = self.connection(space, id).await?;
        let SlackAccess::Bot { token, .. } = &connection.access else {
            return Err(ControlError::Conflict(format!(
                "the connection {id} is an incoming webhook, which posts into the one channel it was made for; connect a \
                 bot to choose among channels"
            )));
        };
        let place = Place { space, owner: id.as_str(), field: SLACK };
        let token = self.deps.secrets.open(place, token).map_err(crate::keys::shut)?;
        let base = &self.settings.slack_base_url;
        let answer = self.ask_slack(workspace::ask_channels(base, &token, cursor)).await?;
        match workspace::read_channels(&answer) {
            Ok((channels, next)) => Ok(Channels { channels, next }),
            Err(fault) if fault.code == "invalid_cursor" => {
                let fix = "hand back what `pages.next` gave, unchanged";
                Err(ControlError::fault(FieldFault::new("cursor", "format", "Slack does not know it", fix)))
            }
            Err(fault) => Err(refused(&fault)),
        }
    }

    async fn connection(&self, space: &SpaceId, id: &ConnectionId) -> ControlResult<SlackConnection> {
        let found = self.settings_of(space).await?.slack(id.as_str()).cloned();
        found.ok_or_else(|| ControlError::missing("Slack connection", id))
    }

    /// What can be told without asking Slack.
    fn check_slack(&self, draft: &SlackDraft, exists: bool) -> ControlResult<()> {
        let mut faults = Vec::new();
        names::check(&draft.name, &mut faults);
        match (&draft.token, &draft.url) {
            (Some(_), Some(_)) => {
                let problem = "there are a token and a URL";
                let fix = "give the token of a bot or the URL of an incoming webhook, one of them";
                faults.push(FieldFault::new("url", "conflict", problem, fix));
            }
            (Some(token), None) => faults.extend(token_fault(token)),
            (None, Some(url)) => faults.extend(self.url_fault(url)),
            (None, None) if exists => {}
            (None, None) => {
                let fix = "give `token`, a bot's (xoxb-…), or `url`, that of an incoming webhook";
                faults.push(FieldFault::new("token", "required", "there is nothing to connect with", fix));
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(ControlError::Invalid(faults)) }
    }

    /// The fault does not repeat the URL: whoever has it can post.
    fn url_fault(&self, url: &str) -> Option<FieldFault> {
        let bad = target_url::check_hidden(url, self.settings.plain_http);
        let other = || {
            let problem = "it is not the URL of an incoming webhook of Slack";
            let fix = "copy it from the app's page Incoming Webhooks: https://hooks.slack.com/services/…";
            FieldFault::new("url", "format", problem, fix)
        };
        let is_incoming = workspace::is_incoming(url, &self.settings.slack_base_url);
        bad.or_else(|| (!is_incoming).then(other))
    }

    /// What a draft opens the door with, sealed; `None` when it keeps what there is. A token is tried at Slack first.
    async fn slack_access(
        &self,
        space: &SpaceId,
        id: &ConnectionId,
        draft: &SlackDraft,
    ) -> ControlResult<Option<SlackAccess>> {
        let place = Place { space, owner: id.as_str(), field: SLACK };
        if let Some(url) = &draft.url {
            return Ok(Some(SlackAccess::Incoming { url: self.deps.secrets.seal(place, url)? }));
        }
        let Some(token) = &draft.token else { return Ok(None) };
        let answer = self.ask_slack(workspace::ask_who(&self.settings.slack_base_url, token)).await?;
        let who = workspace::read_who(&answer).map_err(|fault| refused_token(&fault))?;
        if !who.may_post {
            let problem = "the token lacks the scope chat:write, so it cannot post";
            let fix = "add the scopes chat:write, channels:read and groups:read to the app in Slack, install it anew, and \
                       give its new token";
            return Err(ControlError::fault(FieldFault::new("token", "slack", problem, fix)));
        }
        let team = who.team.chars().filter(|one| !one.is_control()).take(LONGEST_TEAM).collect();
        Ok(Some(SlackAccess::Bot { token: self.deps.secrets.seal(place, token)?, team }))
    }

    /// Sends a question to Slack, through the guard as everything else.
    async fn ask_slack(&self, question: Rendered) -> ControlResult<RecordedResponse> {
        let Rendered { method, url, headers, body } = question;
        let method = method.as_str().to_owned();
        let request = Request { method, url, headers, body, timeout: LONGEST_TIMEOUT, connect: None };
        let answer = self.deps.sender.send(request).await.result.map_err(|failure| {
            ControlError::Outside(format!("Slack could not be asked: {}", failure.message))
        })?;
        if answer.truncated {
            let said = "Slack's answer is longer than what is read of one; the operator finds where Slack is asked in \
                        the setting slack.base_url";
            return Err(ControlError::Outside(said.to_owned()));
        }
        Ok(answer)
    }
}

fn token_fault(token: &str) -> Option<FieldFault> {
    let fits = (SHORTEST_TOKEN..=LONGEST_TOKEN).contains(&token.len())
        && token.bytes().all(|byte| byte.is_ascii_graphic());
    let fix = "copy the Bot User OAuth Token from the app's page OAuth & Permissions; it begins with xoxb-";
    (!fits).then(|| FieldFault::new("token", "format", "it cannot be a token of Slack", fix))
}

/// Why a token is not taken: because of itself, or because Slack cannot say.
fn refused_token(fault: &Fault) -> ControlError {
    if is_elsewhere(fault) {
        return refused(fault);
    }
    let problem = format!("Slack answers {}: {}", fault.code, fault.cause);
    let fix = "give the Bot User OAuth Token (xoxb-…) of an app that is installed in the workspace";
    ControlError::fault(FieldFault::new("token", "slack", problem, fix))
}

/// What Slack refused: something that a person must mend there, or that has nothing to do with what was asked.
fn refused(fault: &Fault) -> ControlError {
    let next = if fault.heals() { "ask again in a moment" } else { &fault.next_step };
    let said = format!("Slack answers {}: {}; {next}", fault.code, fault.cause);
    if is_elsewhere(fault) { ControlError::Outside(said) } else { ControlError::Conflict(said) }
}

/// Whether it was no answer to the question.
fn is_elsewhere(fault: &Fault) -> bool {
    fault.heals() || fault.code == "not_slack" || fault.code.starts_with("http_")
}

/// A bot of another workspace does not know the channels of the first one.
fn moved((now, before): (&SlackAccess, &SlackConnection)) -> Option<String> {
    match (now, &before.access) {
        (SlackAccess::Bot { team: now, .. }, SlackAccess::Bot { team: before, .. }) if now != before => {
            Some(format!(
                "the token is of the workspace {now}, and the one before was of {before}: choose channels of {now} at \
                 the webhooks that post through it"
            ))
        }
        (SlackAccess::Bot { .. }, SlackAccess::Incoming { .. }) => {
            Some("a bot needs a channel: choose one at the webhooks that post through it".to_owned())
        }
        _ => None,
    }
}

fn full() -> ControlError {
    ControlError::Conflict(format!(
        "there are {MOST_CONNECTIONS} Slack connections here, as many as there may be; disconnect one first"
    ))
}

fn in_use(id: &ConnectionId, users: &[&Webhook]) -> ControlError {
    let named = users.iter().take(NAMED).map(|webhook| format!("{} ({})", webhook.id, webhook.name));
    let mut named = named.collect::<Vec<_>>().join(", ");
    if users.len() > NAMED {
        named = format!("{named} and {} more", users.len() - NAMED);
    }
    ControlError::Conflict(format!(
        "webhooks post through the Slack connection {id}: {named}; give them another connection or delete them first"
    ))
}
