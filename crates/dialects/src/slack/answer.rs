//! What Slack's answer means: "200 but `ok: false`" is the failure it is.
//!
//! The API answers 200 with `{"ok":true,…}` or `{"ok":false,"error":"<code>"}`, and 429 with `Retry-After`. An incoming webhook
//! answers 200 with `ok`, or 4xx with the code as the whole body. Everything else is not Slack.

use postrider_domain::call::{Failure, RecordedResponse};
use postrider_domain::outcome::{self, Ended, FailureKind, Outcome};
use postrider_domain::retry::RetryOn;
use serde_json::Value;

/// Why Slack did not take a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Slack's error code, or one of ours: `not_slack`, `http_<status>`.
    pub code: String,
    /// What happened, in one line.
    pub cause: String,
    /// What to do about it, in one line.
    pub next_step: String,
}

/// A code, what it means, what helps, and whether time heals it.
type Known = (&'static str, &'static str, &'static str, bool);

const RECONNECT: &str =
    "connect Slack again under the connection's id, with a token that counts: its webhooks stay as they are";
const NEW_WEBHOOK: &str = "make a new incoming webhook in Slack, and give its URL to the connection";
const WAIT: &str = "nothing: it is tried again by the retry policy";
const MESSAGE: &str = "mend the webhook's template, then send the call again";

const KNOWN: &[Known] = &[
    (
        "channel_not_found",
        "the connection's workspace has no such channel, or the bot cannot see it",
        "choose one of the connection's channels; into a private one, invite the bot first; one of another workspace needs a \
         connection of its own",
        false,
    ),
    ("is_archived", "the channel is archived", "unarchive it in Slack, or choose another channel", false),
    (
        "channel_is_archived",
        "the channel is archived",
        "unarchive it in Slack, or choose another channel",
        false,
    ),
    (
        "not_in_channel",
        "the bot is not a member of the channel",
        "invite it there with /invite, or give its app the scope chat:write.public",
        false,
    ),
    ("token_revoked", "the bot's token was revoked: the workspace is disconnected", RECONNECT, false),
    ("token_expired", "the bot's token has expired", RECONNECT, false),
    ("invalid_auth", "Slack does not accept the bot's token", RECONNECT, false),
    ("not_authed", "the request carried no token", RECONNECT, false),
    ("account_inactive", "the bot's account is deactivated, or its workspace was deleted", RECONNECT, false),
    ("org_login_required", "the workspace is being moved to an organisation", RECONNECT, false),
    (
        "team_access_not_granted",
        "the bot's token has no access to this workspace",
        "install the app in the workspace of the channel, and connect Slack with the token of that installation",
        false,
    ),
    (
        "not_allowed_token_type",
        "the token is not one of a bot",
        "connect Slack with the app's Bot User OAuth Token, which begins with xoxb-",
        false,
    ),
    (
        "missing_scope",
        "the bot's token lacks a scope",
        "add the scopes chat:write, channels:read and groups:read to the app in Slack, install it anew, and connect again",
        false,
    ),
    (
        "no_permission",
        "the workspace does not let the bot post there",
        "ask an administrator of the workspace, or choose another channel",
        false,
    ),
    (
        "restricted_action",
        "a preference of the workspace keeps the bot from posting there",
        "ask an administrator of the workspace, or choose another channel",
        false,
    ),
    (
        "posting_to_general_channel_denied",
        "the workspace does not let integrations post to its general channel",
        "ask an administrator of the workspace, or choose another channel",
        false,
    ),
    (
        "action_prohibited",
        "an administrator has restricted this incoming webhook",
        "ask an administrator of the workspace",
        false,
    ),
    ("user_not_found", "the incoming webhook addresses a user who does not exist", NEW_WEBHOOK, false),
    ("no_service", "the incoming webhook was disabled or removed", NEW_WEBHOOK, false),
    ("no_service_id", "the URL of the incoming webhook is incomplete", NEW_WEBHOOK, false),
    ("no_active_hooks", "the incoming webhook was disabled", NEW_WEBHOOK, false),
    ("invalid_token", "the URL of the incoming webhook is not, or no longer, valid", NEW_WEBHOOK, false),
    ("no_team", "the incoming webhook's workspace does not exist", NEW_WEBHOOK, false),
    ("team_disabled", "the workspace is disabled", NEW_WEBHOOK, false),
    ("invalid_payload", "Slack does not understand the message", MESSAGE, false),
    ("invalid_blocks", "Slack does not understand the blocks of the message", MESSAGE, false),
    ("invalid_blocks_format", "the blocks of the message are no list of blocks", MESSAGE, false),
    ("no_text", "the message has neither text nor blocks", MESSAGE, false),
    ("msg_too_long", "the message is too long", MESSAGE, false),
    ("ratelimited", "Slack has had too many messages", WAIT, true),
    ("rate_limited", "Slack has had too many messages", WAIT, true),
    ("internal_error", "Slack failed", WAIT, true),
    ("fatal_error", "Slack failed", WAIT, true),
    ("service_unavailable", "Slack is not available", WAIT, true),
    ("request_timeout", "Slack did not receive the message in time", WAIT, true),
];

/// What an answer means for the delivery. 410 is an archived channel here, and disables nothing.
pub fn judge(ended: &Ended, response: Option<&RecordedResponse>, on: &RetryOn) -> Outcome {
    let Ended::Answered { status, retry_after } = *ended else { return outcome::judge(ended, on) };
    let again = |not_before| Outcome::Retry { not_before };
    match status {
        200..=299 => match response.map_or(Err(None), said) {
            Ok(()) => Outcome::Success,
            Err(Some(code)) if heals(&code) => again(retry_after),
            Err(_) if on.any_failure => again(None),
            Err(_) => Outcome::Final,
        },
        410 if on.any_failure || on.statuses.contains(&410) => again(None),
        410 => Outcome::Final,
        _ => outcome::judge(ended, on),
    }
}

impl Fault {
    /// Whether the same request may be taken later.
    pub fn heals(&self) -> bool {
        let by_status = self.code.strip_prefix("http_").and_then(|status| status.parse().ok());
        heals(&self.code) || by_status.is_some_and(|status: u16| status == 429 || status >= 500)
    }
}

/// What the log says of an answer that is no success, whatever its status; `None` when Slack took the message.
pub fn failure(response: &RecordedResponse) -> Option<Failure> {
    fault(response).map(|fault| Failure {
        kind: FailureKind::Slack,
        message: format!("{}: {}; {}", fault.code, fault.cause, fault.next_step),
    })
}

/// Why Slack did not take the message, in words; `None` when it did.
pub fn fault(response: &RecordedResponse) -> Option<Fault> {
    let code = match said(response) {
        Ok(()) => return None,
        Err(code) => code,
    };
    let words = |code: &str, cause: &str, next_step: &str| Fault {
        code: code.to_owned(),
        cause: cause.to_owned(),
        next_step: next_step.to_owned(),
    };
    if let Some(code) = code {
        let known = KNOWN.iter().find(|(known, ..)| *known == code);
        return Some(match known {
            Some((_, cause, next_step, _)) => words(&code, cause, next_step),
            None => words(
                &code,
                &format!("Slack refused the message with {code}"),
                "look the code up in Slack's documentation of chat.postMessage",
            ),
        });
    }
    let http = format!("http_{}", response.status);
    Some(match response.status {
        200..=299 => words(
            "not_slack",
            "the answer is not one of Slack: the host or the path is another's",
            "check slack.base_url in the settings, or the URL of the incoming webhook",
        ),
        300..=399 => words(
            &http,
            "the address sends on to another one, which is not followed",
            "check slack.base_url in the settings, or the URL of the incoming webhook",
        ),
        401 | 403 => words(&http, "Slack does not let this connection in", RECONNECT),
        404 | 405 => words(
            &http,
            "there is nothing of Slack at this path",
            "check slack.base_url in the settings, or the URL of the incoming webhook",
        ),
        429 => words(&http, "Slack has had too many messages", WAIT),
        500..=599 => words(&http, "Slack failed", WAIT),
        status => words(
            &http,
            &format!("the message was refused with status {status}"),
            "look at the answer in the call's log",
        ),
    })
}

/// Whether Slack took it; else its error code, if the answer has one.
fn said(response: &RecordedResponse) -> Result<(), Option<String>> {
    let text = String::from_utf8_lossy(&response.body);
    let text = text.trim();
    let taken = (200..=299).contains(&response.status);
    if taken && text == "ok" {
        return Ok(());
    }
    if let Ok(Value::Object(answer)) = serde_json::from_str(text) {
        return match (answer.get("ok"), answer.get("error").and_then(Value::as_str)) {
            (Some(Value::Bool(true)), _) if taken => Ok(()),
            (Some(Value::Bool(false)), Some(code)) if is_code(code) => Err(Some(code.to_owned())),
            _ => Err(None),
        };
    }
    // An incoming webhook's error is the whole body.
    Err(Some(text.to_owned()).filter(|code| is_code(code) && !taken))
}

fn is_code(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

fn heals(code: &str) -> bool {
    KNOWN.iter().any(|(known, .., heals)| *known == code && *heals)
}
