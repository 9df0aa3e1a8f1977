//! Checks a webhook that posts to Slack: its connection, its channel, its template.

use postrider_domain::space::{SlackAccess, SlackConnection};
use postrider_domain::webhook::SlackTarget;

use crate::draft::{SigningDraft, SlackTargetDraft, WebhookDraft};
use crate::error::FieldFault;
use crate::render;

/// Longest channel in characters: Slack's ids have about eleven, its names at most 80.
const LONGEST_CHANNEL: usize = 80;
/// How many connections a fault names.
const NAMED: usize = 10;

/// The target that is asked for, over the connections of the space. With faults, the answer is not to be used.
pub(crate) fn target(
    draft: &WebhookDraft,
    slack: &SlackTargetDraft,
    connections: &[SlackConnection],
    faults: &mut Vec<FieldFault>,
) -> SlackTarget {
    no_call(draft, faults);
    let connection = connection(slack.connection.as_deref(), connections, faults);
    if let Some(connection) = connection {
        faults.extend(channel_fault(slack.channel.as_deref(), connection));
    }
    let template = slack.template.as_ref().map(|given| render::template("action.template", given, faults));
    SlackTarget {
        connection: slack.connection.clone().unwrap_or_default(),
        channel: slack.channel.clone(),
        template,
    }
}

fn connection<'c>(
    given: Option<&str>,
    connections: &'c [SlackConnection],
    faults: &mut Vec<FieldFault>,
) -> Option<&'c SlackConnection> {
    let found = connections.iter().find(|connection| Some(connection.id.as_str()) == given);
    if found.is_some() {
        return found;
    }
    let known: Vec<&str> = connections.iter().take(NAMED).map(|one| one.id.as_str()).collect();
    let fix = if known.is_empty() {
        "have Slack connected for this space by somebody with integrations:manage, and name that connection"
            .to_owned()
    } else {
        format!("name a connection of this space, such as {}", known.join(", "))
    };
    faults.push(match given {
        None => FieldFault::new("action.connection", "required", "a Slack message needs a connection", fix),
        Some(given) => {
            let problem = "there is no such Slack connection here";
            FieldFault::new("action.connection", "in", problem, fix).given(given)
        }
    });
    None
}

fn channel_fault(given: Option<&str>, connection: &SlackConnection) -> Option<FieldFault> {
    let fault = |name, problem: &str, fix: &str| Some(FieldFault::new("action.channel", name, problem, fix));
    match (given, &connection.access) {
        (None, SlackAccess::Incoming { .. }) => None,
        (Some(_), SlackAccess::Incoming { .. }) => fault(
            "conflict",
            "an incoming webhook posts into the one channel it was made for",
            "leave the channel out, or connect a bot",
        ),
        (None, SlackAccess::Bot { .. }) => fault(
            "required",
            "a bot needs to know the channel",
            "give the id of one of the connection's channels, such as C0123456789",
        ),
        (Some(given), SlackAccess::Bot { .. }) => {
            let fits = (1..=LONGEST_CHANNEL).contains(&given.chars().count())
                && !given.chars().any(|one| one.is_whitespace() || one.is_control());
            let problem = "it is no channel of Slack";
            let fix = "give the id of one of the connection's channels, such as C0123456789";
            if fits { None } else { fault("format", problem, fix).map(|fault| fault.given(given)) }
        }
    }
}

/// What only a call has must not be given: it would silently do nothing.
fn no_call(draft: &WebhookDraft, faults: &mut Vec<FieldFault>) {
    let is_signed = matches!(draft.signing, SigningDraft::On | SigningDraft::With(_));
    let given = [
        ("url", draft.url.is_some()),
        ("transformation", draft.transformation.is_some() || draft.method.is_some()),
        ("template", draft.template.is_some()),
        ("headers", !draft.headers.is_empty()),
        ("httpBasicUsername", draft.basic_username.is_some() || draft.basic_password.is_some()),
        ("signing", is_signed),
    ];
    for (path, _) in given.into_iter().filter(|(_, given)| *given) {
        let fix = if path == "template" {
            "give the template of the message as action.template, or leave it out"
        } else {
            "leave it out, or leave `action` out for an HTTP call"
        };
        let problem = "a message to Slack has no such thing";
        faults.push(FieldFault::new(path, "conflict", problem, fix));
    }
}
