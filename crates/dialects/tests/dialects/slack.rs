//! Messages to Slack, and what its answers mean.

use std::time::Duration;

use bytes::Bytes;
use postrider_dialects::mask::Mask;
use postrider_dialects::slack::{BASE_URL, failure, fault, judge, message::LONGEST_TEXT, workspace};
use postrider_dialects::{Occasion, RenderError, Rendered, dialect, render};
use postrider_domain::call::RecordedResponse;
use postrider_domain::event::{Actor, Event, Workflow};
use postrider_domain::outcome::{Ended, FailureKind, Outcome};
use postrider_domain::retry::RetryOn;
use postrider_domain::secret::{OpenedSecrets, Sealed};
use postrider_domain::space::{SlackAccess, SlackConnection, SpaceSettings};
use postrider_domain::webhook::{MustacheTemplate, SlackTarget, Webhook, WebhookAction};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::samples::{body, events, header, message_id, noon, published, webhook};

const TOKEN: &str = "xoxb-1234-secret";
const INCOMING: &str = "https://hooks.slack.com/services/T0/B0/secret";

fn space() -> SpaceSettings {
    let connection = |id: &str, access| SlackConnection {
        id: id.into(),
        name: "Editors".into(),
        access,
        created_at: noon(),
        created_by: "t".into(),
    };
    let bot = SlackAccess::Bot { token: Sealed::new("sealed"), team: "Acme".into() };
    let incoming = SlackAccess::Incoming { url: Sealed::new("sealed") };
    SpaceSettings {
        slack: vec![connection("bot", bot), connection("hook", incoming)],
        ..SpaceSettings::default()
    }
}

fn posting(connection: &str, channel: Option<&str>, template: Option<&str>) -> Webhook {
    let template = template.map(|body| MustacheTemplate { body: Some(body.into()), escape: None });
    let target = SlackTarget { connection: connection.into(), channel: channel.map(str::to_owned), template };
    Webhook { action: WebhookAction::Slack(target), ..webhook("native") }
}

fn opened(secret: &str) -> OpenedSecrets {
    OpenedSecrets { slack: Some(secret.into()), ..OpenedSecrets::default() }
}

fn made(event: &Event, webhook: &Webhook, secrets: &OpenedSecrets) -> Result<Rendered, RenderError> {
    let space = space();
    let occasion = Occasion {
        event,
        webhook,
        space: &space,
        secrets,
        message_id: message_id(),
        coalesced: None,
        attempt: 1,
        now: noon(),
    };
    render(dialect("native").expect("known"), &occasion, BASE_URL)
}

fn message(event: &Event, template: Option<&str>) -> Value {
    let rendered = made(event, &posting("bot", Some("C0123"), template), &opened(TOKEN)).expect("a request");
    serde_json::from_str(body(&rendered)).expect("JSON")
}

fn told() -> Event {
    let mut event = published();
    let resource = &mut event.head.resource;
    resource.title = Some("Salt & <Pepper>".into());
    resource.url = Some("https://cms.example/e?a=1&b=<2>|3".into());
    resource.state = Some("published".into());
    event.head.actor = Some(Actor { id: "ada".into(), kind: None });
    event.head.workflow = Some(Workflow { from: Some("draft".into()), to: Some("review".into()) });
    event
}

#[test]
fn a_bot_posts_a_block_kit_message_with_title_type_actor_state_and_link() {
    let webhook = posting("bot", Some("C0123"), None);
    let rendered = made(&told(), &webhook, &opened(TOKEN)).expect("a request");
    assert_eq!(rendered.url, "https://slack.com/api/chat.postMessage");
    assert_eq!(header(&rendered, "authorization"), Some("Bearer xoxb-1234-secret"));
    assert_eq!(header(&rendered, "content-type"), Some("application/json; charset=utf-8"));
    let message = message(&told(), None);
    assert_eq!(message["channel"], "C0123");
    assert_eq!(message["text"], "Entry published: Salt &amp; &lt;Pepper&gt; by ada");
    assert_eq!(message["unfurl_links"], false);
    let what = "*Entry published*\n<https://cms.example/e?a=1&amp;b=%3C2%3E%7C3|Salt &amp; &lt;Pepper&gt;>";
    assert_eq!(
        message["blocks"][0],
        json!({"type": "section", "text": {"type": "mrkdwn", "text": what, "verbatim": true}})
    );
    let fields: Vec<_> = message["blocks"][1]["fields"].as_array().expect("fields").iter().collect();
    let texts: Vec<_> = fields.iter().map(|field| field["text"].as_str().expect("a text")).collect();
    assert_eq!(texts, ["*Type*\nposts", "*By*\nada", "*State*\npublished", "*Workflow*\ndraft → review"]);
    assert_eq!(message["blocks"][2]["type"], "context");
}

#[test]
fn an_incoming_webhook_is_its_own_url_and_channel() {
    let rendered = made(&published(), &posting("hook", None, None), &opened(INCOMING)).expect("a request");
    assert_eq!(rendered.url, INCOMING);
    assert_eq!(header(&rendered, "authorization"), None);
    let message: Value = serde_json::from_str(body(&rendered)).expect("JSON");
    assert!(message.get("channel").is_none());
    assert_eq!(message["text"], "Entry published: my-first-post");
}

#[test]
fn without_connection_or_channel_there_is_no_request() {
    let gone = made(&published(), &posting("gone", Some("C1"), None), &opened(TOKEN)).expect_err("gone");
    assert_eq!(gone, RenderError::NoSlackConnection("gone".into()));
    let shut = made(&published(), &posting("bot", Some("C1"), None), &OpenedSecrets::default());
    assert_eq!(shut, Err(RenderError::NoSlackConnection("bot".into())));
    let nowhere = made(&published(), &posting("bot", None, None), &opened(TOKEN));
    assert_eq!(nowhere, Err(RenderError::NoSlackChannel));
}

#[test]
fn no_dialect_writes_a_slack_message() {
    let (event, webhook, space) = (published(), posting("bot", Some("C1"), None), space());
    let secrets = opened(TOKEN);
    let occasion = Occasion {
        event: &event,
        webhook: &webhook,
        space: &space,
        secrets: &secrets,
        message_id: message_id(),
        coalesced: None,
        attempt: 1,
        now: noon(),
    };
    assert_eq!(dialect("native").expect("known").write(&occasion), Err(RenderError::NoUrl));
}

#[test]
fn what_is_recorded_shows_neither_token_nor_url() {
    for (connection, secret) in [("bot", TOKEN), ("hook", INCOMING)] {
        let webhook = posting(connection, Some("C1"), None);
        let secrets = opened(secret);
        let rendered = made(&published(), &webhook, &secrets).expect("a request");
        let recorded = Mask::new(&webhook, &secrets).request(&rendered, Duration::from_secs(1));
        assert!(!format!("{recorded:?}").contains("secret"), "{recorded:?}");
        assert_eq!(recorded.method, "POST");
        let echoed = "Cannot POST /services/T0/B0/secret with xoxb-1234-secret";
        let masked = Mask::new(&webhook, &secrets).text(echoed);
        let (hidden, told) = if connection == "bot" { ("1234", "/services") } else { ("B0/secret", "xoxb") };
        assert!(!masked.contains(hidden) && masked.contains(told), "{masked}");
    }
}

#[test]
fn a_template_makes_the_text_or_the_whole_message() {
    let text = message(&told(), Some("*{{resource.title}}* is {{action}} <!date^1^{date}|x>"));
    assert_eq!(text["text"], "*Salt &amp; &lt;Pepper&gt;* is publish <!date^1^{date}|x>");
    assert!(text.get("blocks").is_none());
    let mut quoted = told();
    quoted.head.resource.title = Some("say \"<hi>\"".into());
    let whole = message(
        &quoted,
        Some(r#"{"text":"{{resource.title}}","blocks":[{"type":"divider"}],"unfurl_links":true}"#),
    );
    assert_eq!(whole["text"], "say \"&lt;hi&gt;\"");
    assert_eq!(whole["blocks"][0]["type"], "divider");
    assert_eq!((&whole["channel"], &whole["unfurl_links"]), (&json!("C0123"), &json!(true)));
    assert_eq!(message(&told(), Some("{{resource.id}}"))["text"], "7K4p9xQ2mR");
}

#[test]
fn what_slack_would_refuse_is_refused_with_the_reason() {
    let blocks = format!(r#"{{"blocks":[{}]}}"#, vec![r#"{"type":"divider"}"#; 51].join(","));
    for (template, reason) in [
        ("", "without text"),
        ("{\"text\": {{resource.title}} }", "no valid JSON"),
        (r#"{"blocks":[]}"#, "without text"),
        (blocks.as_str(), "51 blocks"),
        ("{{#open}}", "template of the message"),
    ] {
        let webhook = posting("bot", Some("C1"), Some(template));
        let error = made(&told(), &webhook, &opened(TOKEN)).expect_err(template);
        assert!(error.to_string().contains(reason), "{template}: {error}");
    }
}

fn answered(status: u16, body: &str) -> (Ended, RecordedResponse) {
    let retry_after = (status == 429).then(|| Duration::from_secs(30));
    let response = RecordedResponse {
        status,
        headers: Vec::new(),
        body: Bytes::copy_from_slice(body.as_bytes()),
        truncated: false,
    };
    (Ended::Answered { status, retry_after }, response)
}

fn judged(status: u16, body: &str) -> Outcome {
    let (ended, response) = answered(status, body);
    judge(&ended, Some(&response), &RetryOn::default())
}

#[test]
fn two_hundred_but_not_ok_is_the_failure_it_is() {
    assert_eq!(judged(200, r#"{"ok":true,"ts":"1.2"}"#), Outcome::Success);
    assert_eq!(judged(200, "ok"), Outcome::Success);
    assert_eq!(judged(200, r#"{"ok":false,"error":"channel_not_found"}"#), Outcome::Final);
    assert_eq!(judged(200, "<html>Welcome</html>"), Outcome::Final);
    assert_eq!(judged(200, r#"{"ok":false}"#), Outcome::Final);
    assert_eq!(judged(200, r#"{"hello":"world"}"#), Outcome::Final);
    let again = Outcome::Retry { not_before: None };
    for code in ["ratelimited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"] {
        assert_eq!(judged(200, &format!(r#"{{"ok":false,"error":"{code}"}}"#)), again, "{code}");
    }
}

#[test]
fn too_many_messages_wait_as_long_as_slack_asks() {
    assert_eq!(
        judged(429, r#"{"ok":false,"error":"ratelimited"}"#),
        Outcome::Retry { not_before: Some(Duration::from_secs(30)) }
    );
    assert_eq!(judged(500, ""), Outcome::Retry { not_before: None });
    let gone = judge(&Ended::Failed(FailureKind::Dns), None, &RetryOn::default());
    assert_eq!(gone, Outcome::Retry { not_before: None });
}

#[test]
fn an_archived_channel_of_an_incoming_webhook_disables_nothing() {
    assert_eq!(judged(410, "channel_is_archived"), Outcome::Final);
    let any = RetryOn { any_failure: true, ..RetryOn::default() };
    let (ended, response) = answered(410, "channel_is_archived");
    assert_eq!(judge(&ended, Some(&response), &any), Outcome::Retry { not_before: None });
    let (ended, response) = answered(200, r#"{"ok":false,"error":"is_archived"}"#);
    assert_eq!(judge(&ended, Some(&response), &any), Outcome::Retry { not_before: None });
}

#[test]
fn each_failure_has_its_code_its_cause_and_its_next_step() {
    for (status, body, code, cause, next) in [
        (
            200,
            r#"{"ok":false,"error":"channel_not_found"}"#,
            "channel_not_found",
            "no such channel",
            "another workspace",
        ),
        (200, r#"{"ok":false,"error":"is_archived"}"#, "is_archived", "archived", "unarchive"),
        (200, r#"{"ok":false,"error":"not_in_channel"}"#, "not_in_channel", "not a member", "/invite"),
        (200, r#"{"ok":false,"error":"token_revoked"}"#, "token_revoked", "revoked", "connect Slack again"),
        (
            200,
            r#"{"ok":false,"error":"invalid_auth"}"#,
            "invalid_auth",
            "does not accept",
            "connect Slack again",
        ),
        (
            200,
            r#"{"ok":false,"error":"account_inactive"}"#,
            "account_inactive",
            "deactivated",
            "connect Slack again",
        ),
        (404, "no_service", "no_service", "disabled or removed", "new incoming webhook"),
        (410, "channel_is_archived", "channel_is_archived", "archived", "unarchive"),
        (403, "invalid_token", "invalid_token", "not, or no longer, valid", "new incoming webhook"),
        (403, "action_prohibited", "action_prohibited", "restricted", "administrator"),
        (
            200,
            r#"{"ok":false,"error":"brand_new_code"}"#,
            "brand_new_code",
            "brand_new_code",
            "documentation",
        ),
        (200, "<html>", "not_slack", "another's", "slack.base_url"),
        (404, "<html>not found</html>", "http_404", "path", "slack.base_url"),
        (401, "", "http_401", "let this connection in", "connect Slack again"),
        (403, "{}", "http_403", "let this connection in", "connect Slack again"),
        (302, "", "http_302", "another", "slack.base_url"),
        (429, "", "http_429", "too many", "tried again"),
        (503, "", "http_503", "failed", "tried again"),
        (418, "", "http_418", "418", "log"),
    ] {
        let found = fault(&answered(status, body).1).expect(body);
        assert_eq!(found.code, code);
        assert!(found.cause.contains(cause), "{found:?}");
        assert!(found.next_step.contains(next), "{found:?}");
    }
    for healing in [(429, ""), (503, ""), (200, r#"{"ok":false,"error":"ratelimited"}"#)] {
        assert!(fault(&answered(healing.0, healing.1).1).expect("a fault").heals(), "{healing:?}");
    }
    let kept = failure(&answered(200, r#"{"ok":false,"error":"is_archived"}"#).1).expect("a failure");
    assert_eq!(kept.kind, FailureKind::Slack);
    assert!(
        kept.message.starts_with("is_archived: the channel is archived; unarchive it"),
        "{}",
        kept.message
    );
    assert_eq!(failure(&answered(200, "ok").1), None);
    assert_eq!(fault(&answered(200, "ok").1), None);
    assert_eq!(fault(&answered(200, r#"{"ok":true}"#).1), None);
}

#[test]
fn a_token_is_asked_who_it_is() {
    let asked = workspace::ask_who("http://127.0.0.1:1/api/", TOKEN);
    assert_eq!(asked.url, "http://127.0.0.1:1/api/auth.test");
    assert_eq!(header(&asked, "authorization"), Some("Bearer xoxb-1234-secret"));
    let answer = r#"{"ok":true,"team":"Acme","team_id":"T1","user":"postrider"}"#;
    let who = workspace::read_who(&answered(200, answer).1).expect("a workspace");
    assert_eq!((who.team.as_str(), who.team_id.as_str(), who.bot.as_str()), ("Acme", "T1", "postrider"));
    assert!(who.may_post, "Slack does not say otherwise");
    for (scopes, may_post) in
        [("channels:read, chat:write", true), ("channels:read,chat:write.public", false)]
    {
        let mut response = answered(200, answer).1;
        response.headers.push(("X-OAuth-Scopes".to_owned(), scopes.to_owned()));
        assert_eq!(workspace::read_who(&response).expect("a workspace").may_post, may_post, "{scopes}");
    }
    let refused = workspace::read_who(&answered(200, r#"{"ok":false,"error":"invalid_auth"}"#).1);
    assert_eq!(refused.expect_err("refused").code, "invalid_auth");
}

#[test]
fn channels_come_in_pages_archived_ones_marked() {
    let asked = workspace::ask_channels(BASE_URL, TOKEN, Some("dGVhbQ=="));
    let url = "https://slack.com/api/conversations.list?types=public_channel,private_channel&limit=50&cursor=dGVhbQ%3D%3D";
    assert_eq!(asked.url, url);
    let answer = r#"{"ok":true,"channels":[{"id":"C1","name":"news","is_member":true},{"id":"C2","name":"old",
        "is_archived":true},{"name":"no id"}],"response_metadata":{"next_cursor":"next"}}"#;
    let (channels, cursor) = workspace::read_channels(&answered(200, answer).1).expect("channels");
    assert_eq!(cursor.as_deref(), Some("next"));
    let shown: Vec<_> =
        channels.iter().map(|one| (one.id.as_str(), one.is_member, one.is_archived)).collect();
    assert_eq!(shown, [("C1", true, false), ("C2", false, true)]);
    let last = workspace::read_channels(&answered(200, r#"{"ok":true,"channels":[]}"#).1).expect("none");
    assert_eq!(last, (Vec::new(), None));
    let refused = workspace::read_channels(&answered(200, r#"{"ok":false,"error":"missing_scope"}"#).1);
    assert!(refused.expect_err("refused").next_step.contains("scope"));
}

#[test]
fn an_incoming_webhook_is_known_by_its_address_unless_slack_is_a_stand_in() {
    assert!(workspace::is_incoming(INCOMING, BASE_URL));
    for other in ["https://hooks.slack.com/services/", "https://hooks.slack.com/triggers/T0/1/x"] {
        assert!(!workspace::is_incoming(other, BASE_URL), "{other}");
    }
    assert!(!workspace::is_incoming("https://example.com/services/T0", BASE_URL));
    assert!(workspace::is_incoming("http://127.0.0.1:1/services/x", "http://127.0.0.1:1/api/"));
}

/// Every text of a message with the limit that Slack has for it.
fn within_limits(message: &Value) {
    let longest = |text: &Value| text.as_str().expect("a text").chars().count();
    assert!(longest(&message["text"]) <= LONGEST_TEXT);
    let blocks = message["blocks"].as_array().expect("blocks");
    assert!(!blocks.is_empty() && blocks.len() <= 50);
    for block in blocks {
        if let Some(text) = block.get("text") {
            assert!((1..=3000).contains(&longest(&text["text"])));
        }
        let parts = block.get("fields").or_else(|| block.get("elements"));
        let parts = parts.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        assert!(parts.len() <= 10);
        assert!(parts.iter().all(|part| (1..=2000).contains(&longest(&part["text"]))));
    }
}

proptest! {
    #[test]
    fn every_message_keeps_slacks_limits_and_mentions_nobody(
        mut event in events(),
        title in proptest::option::of("(<!channel>|&|<|>|x|\n|é){0,700}"),
    ) {
        event.head.resource.title = title;
        let message = message(&event, None);
        within_limits(&message);
        let texts = message.to_string();
        prop_assert!(!texts.contains("<!channel") && !texts.contains("<@"), "{}", texts);
        let whole = message["text"].as_str().expect("a text");
        prop_assert!(!whole.contains(['<', '>', '\n']), "{}", whole);
        let entity = |rest: &str| ["amp;", "lt;", "gt;"].iter().any(|one| rest.starts_with(one));
        prop_assert!(whole.split('&').skip(1).all(entity), "{}", whole);
    }

    #[test]
    fn no_answer_makes_the_judge_panic(status in 100_u16..600, text in any::<String>()) {
        let (ended, response) = answered(status, &text);
        let outcome = judge(&ended, Some(&response), &RetryOn::default());
        prop_assert_eq!(outcome == Outcome::Success, fault(&response).is_none());
        let _ = (workspace::read_who(&response), workspace::read_channels(&response));
        prop_assert_ne!(outcome, Outcome::Gone);
    }
}
