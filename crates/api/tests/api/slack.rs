//! Slack connections, and webhooks that post through them.

use axum::http::Method;
use postrider_domain::outcome::FailureKind;
use postrider_testkit::sender::fails;
use serde_json::{Value, json};

use crate::harness::{DEFINITIONS, Instance};
use crate::world::answer;

const CONNECTIONS: &str = "/spaces/default/slack_connections";
const EDITORS: &str = "/spaces/default/slack_connections/editors";
const AUTH: &str = "https://slack.com/api/auth.test";
const POST: &str = "https://slack.com/api/chat.postMessage";
const LIST: &str = "https://slack.com/api/conversations.list?types=public_channel,private_channel&limit=50";
const TOKEN: &str = "xoxb-planted-token";
const INCOMING: &str = "https://hooks.slack.com/services/T0/B0/planted";

async fn connected() -> Instance {
    let instance = Instance::start().await;
    instance.slack_answers();
    let made = instance.put(EDITORS, &json!({"name": "Editors", "token": TOKEN})).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let made = instance.put(&format!("{CONNECTIONS}/hook"), &json!({"name": "Hook", "url": INCOMING})).await;
    assert_eq!(made.status, 201, "{}", made.text);
    instance
}

fn posting(action: &Value) -> Value {
    json!({"name": "news", "topics": ["Entry.publish"], "action": action})
}

fn to_editors() -> Value {
    posting(&json!({"type": "slack", "connection": "editors", "channel": "C1"}))
}

fn says(instance: &Instance, url: &str, status: u16, body: &'static str) {
    instance.sender.script(url, [Ok(answer(status, body.as_bytes()))]);
}

#[tokio::test]
async fn a_token_is_taken_when_slack_knows_it_and_never_shown_again() {
    let instance = Instance::start().await;
    instance.slack_answers();
    let made = instance.post(CONNECTIONS, &json!({"name": "Editors", "token": TOKEN})).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let id = made.body["sys"]["id"].as_str().expect("an id");
    assert_eq!(made.headers["location"], format!("{CONNECTIONS}/{id}"));
    assert_eq!((&made.body["type"], &made.body["team"]), (&json!("bot"), &json!("Acme")));
    let asked = &instance.sender.sent()[0];
    assert_eq!(asked.url, AUTH);
    assert!(asked.headers.contains(&("Authorization".to_owned(), format!("Bearer {TOKEN}"))));
    let shown = instance.get(&format!("{CONNECTIONS}/{id}")).await;
    let listed = instance.get(CONNECTIONS).await;
    assert_eq!((&listed.body["total"], &listed.body["items"][0]), (&json!(1), &shown.body));
    for answer in [made, shown, listed] {
        assert!(!answer.text.contains("planted") && !answer.text.contains("v1."), "{}", answer.text);
    }
}

#[tokio::test]
async fn a_token_that_slack_refuses_is_refused_with_slacks_code() {
    let instance = Instance::start().await;
    let body = json!({"name": "Editors", "token": TOKEN});
    says(&instance, AUTH, 200, r#"{"ok":false,"error":"token_revoked"}"#);
    let refused = instance.post(CONNECTIONS, &body).await;
    refused.is_error(422, "ValidationFailed");
    assert_eq!(refused.faults(), [("token".to_owned(), "slack".to_owned())]);
    assert!(refused.text.contains("token_revoked") && !refused.text.contains(TOKEN), "{}", refused.text);

    // What says nothing about the token is no fault of it.
    for (status, said) in [(429, r#"{"ok":false,"error":"ratelimited"}"#), (200, "<html>"), (503, "")] {
        says(&instance, AUTH, status, said);
        instance.post(CONNECTIONS, &body).await.is_error(502, "BadGateway");
    }
    instance.sender.script(AUTH, [fails(FailureKind::Dns)]);
    let unheard = instance.post(CONNECTIONS, &body).await;
    unheard.is_error(502, "BadGateway");
    assert!(unheard.text.contains("could not be asked"), "{}", unheard.text);

    let mut reads_only = answer(200, br#"{"ok":true,"team":"Acme"}"#);
    reads_only.headers = vec![("x-oauth-scopes".to_owned(), "channels:read".to_owned())];
    instance.sender.script(AUTH, [Ok(reads_only)]);
    let mute = instance.post(CONNECTIONS, &body).await;
    mute.is_error(422, "ValidationFailed");
    assert!(mute.text.contains("chat:write"), "{}", mute.text);
    assert_eq!(instance.get(CONNECTIONS).await.body["total"], 0, "nothing of it was kept");
}

#[tokio::test]
async fn a_connection_has_a_token_or_the_url_of_an_incoming_webhook() {
    let instance = Instance::start().await;
    for (body, path) in [
        (json!({"name": "n"}), "token"),
        (json!({"name": "n", "token": TOKEN, "url": INCOMING}), "url"),
        (json!({"name": "n", "token": "xoxb with blanks"}), "token"),
        (json!({"name": "n", "url": "https://example.com/services/planted"}), "url"),
        (json!({"name": "n", "url": "http://hooks.slack.com/services/T/B/planted"}), "url"),
        (json!({"name": "n", "url": "hooks.slack.com/planted"}), "url"),
        (json!({"name": " ", "url": INCOMING}), "name"),
        (json!({"url": INCOMING}), "name"),
        (json!({"name": "n", "url": INCOMING, "team_id": "T1"}), "team_id"),
    ] {
        let refused = instance.post(CONNECTIONS, &body).await;
        refused.is_error(422, "ValidationFailed");
        assert_eq!(refused.faults()[0].0, path, "{}", refused.text);
        assert!(!refused.text.contains("planted"), "{}", refused.text);
    }
    assert!(instance.sender.sent().is_empty(), "Slack was not asked");
    let made = instance.post(CONNECTIONS, &json!({"name": "Hook", "url": INCOMING})).await;
    assert_eq!((made.status.as_u16(), &made.body["type"]), (201, &json!("incoming")), "{}", made.text);
    assert!(made.body.get("team").is_none() && !made.text.contains("planted"), "{}", made.text);
}

#[tokio::test]
async fn a_connection_is_renamed_without_its_token_and_says_when_the_workspace_is_another() {
    let instance = connected().await;
    let asked = instance.sender.sent().len();
    let mut shown = instance.get(EDITORS).await.body;
    shown["name"] = json!("The editors");
    let renamed = instance.put(EDITORS, &shown).await;
    assert_eq!((renamed.status.as_u16(), &renamed.body["name"]), (200, &shown["name"]), "{}", renamed.text);
    assert_eq!(instance.sender.sent().len(), asked);
    instance.put(&format!("{DEFINITIONS}/w"), &to_editors()).await;
    assert_eq!(instance.post(&format!("{DEFINITIONS}/w/test"), &json!({})).await.body["state"], "delivered");

    shown["token"] = json!("xoxb-of-another");
    says(&instance, AUTH, 200, r#"{"ok":true,"team":"Beta"}"#);
    let moved = instance.put(EDITORS, &shown).await;
    assert_eq!((moved.status.as_u16(), &moved.body["team"]), (200, &json!("Beta")), "{}", moved.text);
    assert!(moved.warnings()[0].contains("Acme"), "{:?}", moved.warnings());
    instance
        .put(&format!("{CONNECTIONS}/new"), &json!({"name": "n"}))
        .await
        .is_error(422, "ValidationFailed");
}

#[tokio::test]
async fn a_webhook_that_posts_to_slack_needs_no_url_and_is_shown_as_given() {
    let instance = connected().await;
    let template = json!({"body": "{{resource.title}} is out", "escape": "none"});
    for (id, action) in [
        ("bot", json!({"type": "slack", "connection": "editors", "channel": "C1"})),
        ("told", json!({"type": "slack", "connection": "editors", "channel": "C1", "template": template})),
        ("hook", json!({"type": "slack", "connection": "hook"})),
    ] {
        let one = format!("{DEFINITIONS}/{id}");
        let made = instance.put(&one, &posting(&action)).await;
        assert_eq!((made.status.as_u16(), &made.body["action"]), (200, &action), "{}", made.text);
        assert!(made.body.get("url").is_none() && made.body.get("signing").is_none(), "{}", made.text);
        let again = instance.put(&one, &made.body).await;
        assert_eq!((again.status.as_u16(), &again.body["action"]), (200, &action), "{}", again.text);
        let preview = instance.post(&format!("{one}/preview"), &json!({})).await;
        assert!(!preview.text.contains("planted"), "{}", preview.text);
    }
    // No dialect has to say it.
    let mut deploy = to_editors();
    deploy["topics"] = json!(["Release.deploy"]);
    deploy["dialect"] = json!("cometcms");
    let made = instance.put(&format!("{DEFINITIONS}/deploy"), &deploy).await;
    assert_eq!((made.status.as_u16(), made.warnings()), (200, Vec::new()), "{}", made.text);
    // From Slack to a URL and back.
    let one = format!("{DEFINITIONS}/bot");
    let calls = json!({"name": "n", "url": "https://example.com/hook", "topics": ["*.*"]});
    assert!(instance.put(&one, &calls).await.body.get("action").is_none());
    assert!(instance.put(&one, &to_editors()).await.body.get("url").is_none());
    let rotated = instance.post(&format!("{one}/signing_secret"), &json!({})).await;
    rotated.is_error(409, "Conflict");
}

#[tokio::test]
async fn an_action_without_its_connection_is_refused_with_every_fault() {
    let instance = connected().await;
    let slack = |action: Value| posting(&action);
    for (body, expected) in [
        (slack(json!({"type": "slack"})), vec!["action.connection"]),
        (slack(json!({"type": "slack", "connection": "nobody", "channel": "C1"})), vec!["action.connection"]),
        (slack(json!({"type": "slack", "connection": "editors"})), vec!["action.channel"]),
        (slack(json!({"type": "slack", "connection": "editors", "channel": "a b"})), vec!["action.channel"]),
        (slack(json!({"type": "slack", "connection": "hook", "channel": "C1"})), vec!["action.channel"]),
        (slack(json!({"type": "mail", "connection": "hook"})), vec!["action.type"]),
        (slack(json!({"connection": "hook"})), vec!["action.type"]),
        (slack(json!({"type": "slack", "connection": "hook", "to": "C1"})), vec!["action.to"]),
        (
            slack(
                json!({"type": "slack", "connection": "hook", "template": {"body": "{{#a}}", "escape": "yaml"}}),
            ),
            vec!["action.template.body", "action.template.escape"],
        ),
    ] {
        let refused = instance.post(DEFINITIONS, &body).await;
        refused.is_error(422, "ValidationFailed");
        let mut paths: Vec<String> = refused.faults().into_iter().map(|(path, _)| path).collect();
        paths.sort();
        assert_eq!(paths, expected, "{}", refused.text);
    }
    let mut both = to_editors();
    both["url"] = json!("https://example.com");
    both["headers"] = json!([{"key": "a", "value": "b"}]);
    both["signing"] = json!(true);
    both["template"] = json!({"body": "x"});
    both["transformation"] = json!({"method": "PUT"});
    let refused = instance.post(DEFINITIONS, &both).await;
    refused.is_error(422, "ValidationFailed");
    let conflicts = refused.faults().into_iter().filter(|(_, name)| name == "conflict").count();
    assert_eq!(conflicts, 5, "{}", refused.text);
    let lonely = Instance::start().await.post(DEFINITIONS, &to_editors()).await;
    lonely.is_error(422, "ValidationFailed");
    assert!(lonely.text.contains("integrations:manage"), "{}", lonely.text);
}

#[tokio::test]
async fn slack_is_not_disconnected_while_webhooks_post_to_it() {
    let instance = connected().await;
    let one = format!("{DEFINITIONS}/w");
    instance.put(&one, &to_editors()).await;
    let refused = instance.delete(EDITORS).await;
    refused.is_error(409, "Conflict");
    assert!(refused.text.contains("w (news)"), "{}", refused.text);
    assert_eq!(instance.delete(&one).await.status, 204);
    assert_eq!(instance.delete(EDITORS).await.status, 204);
    instance.get(EDITORS).await.is_error(404, "NotFound");
    instance.delete(EDITORS).await.is_error(404, "NotFound");
}

#[tokio::test]
async fn who_may_not_connect_slack_may_use_what_is_connected() {
    let instance = connected().await;
    let developer = instance.token("developer", "default").await;
    let body = json!({"name": "Mine", "token": TOKEN});
    for (method, path) in [(Method::POST, CONNECTIONS), (Method::PUT, EDITORS), (Method::DELETE, EDITORS)] {
        let refused = instance.call_as(&developer, method, path, Some(&body)).await;
        refused.is_error(403, "AccessDenied");
        assert!(refused.text.contains("integrations:manage"), "{}", refused.text);
    }
    let channels = instance.call_as(&developer, Method::GET, &format!("{EDITORS}/channels"), None).await;
    assert_eq!(channels.status, 200, "{}", channels.text);
    let made = instance.call_as(&developer, Method::POST, DEFINITIONS, Some(&to_editors())).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let viewer = instance.token("viewer", "default").await;
    assert_eq!(instance.call_as(&viewer, Method::GET, EDITORS, None).await.status, 200);
    let peeking = instance.call_as(&viewer, Method::GET, &format!("{EDITORS}/channels"), None).await;
    peeking.is_error(403, "AccessDenied");
}

#[tokio::test]
async fn channels_are_listed_page_by_page_and_slacks_refusals_are_told() {
    let instance = connected().await;
    let path = format!("{EDITORS}/channels");
    let first = instance.get(&path).await;
    let shown = |at: usize| (&first.body["items"][at]["sys"]["id"], &first.body["items"][at]["isArchived"]);
    assert_eq!((shown(0), shown(1)), ((&json!("C1"), &json!(false)), (&json!("C2"), &json!(true))));
    assert_eq!(first.body["pages"]["next"], "dGVhbTpDMw==");
    says(
        &instance,
        &format!("{LIST}&cursor=dGVhbTpDMw%3D%3D"),
        200,
        r#"{"ok":true,"channels":[{"id":"C3","name":"c"}]}"#,
    );
    let second = instance.get(&format!("{path}?cursor=dGVhbTpDMw%3D%3D")).await;
    assert_eq!(
        (&second.body["items"][0]["sys"]["id"], &second.body["pages"]["next"]),
        (&json!("C3"), &Value::Null)
    );
    says(&instance, &format!("{LIST}&cursor=x"), 200, r#"{"ok":false,"error":"invalid_cursor"}"#);
    instance.get(&format!("{path}?cursor=x")).await.is_error(400, "InvalidQuery");
    instance.get(&format!("{path}?limit=3")).await.is_error(400, "InvalidQuery");

    says(&instance, LIST, 200, r#"{"ok":false,"error":"account_inactive"}"#);
    let gone = instance.get(&path).await;
    gone.is_error(409, "Conflict");
    assert!(
        gone.text.contains("account_inactive") && gone.text.contains("connect Slack again"),
        "{}",
        gone.text
    );
    says(&instance, LIST, 500, "");
    instance.get(&path).await.is_error(502, "BadGateway");
    let mut long = answer(200, br#"{"ok":true,"channels":["#);
    long.truncated = true;
    instance.sender.script(LIST, [Ok(long)]);
    instance.get(&path).await.is_error(502, "BadGateway");
    let one_channel = instance.get(&format!("{CONNECTIONS}/hook/channels")).await;
    one_channel.is_error(409, "Conflict");
}

#[tokio::test]
async fn two_hundred_but_not_ok_is_a_failure_with_cause_and_next_step() {
    let instance = connected().await;
    instance.put(&format!("{DEFINITIONS}/w"), &to_editors()).await;
    let test = format!("{DEFINITIONS}/w/test");
    assert_eq!(instance.post(&test, &json!({})).await.body["state"], "delivered");
    says(&instance, POST, 200, r#"{"ok":false,"error":"is_archived"}"#);
    let call = instance.post(&test, &json!({})).await.body;
    assert_eq!((&call["statusCode"], &call["state"]), (&json!(200), &json!("given_up")));
    assert_eq!((&call["errors"], &call["failure"]["kind"]), (&json!(["SlackError"]), &json!("slack")));
    assert_eq!(call["diagnosis"]["cause"], "is_archived: the channel is archived");
    assert_eq!(call["diagnosis"]["nextStep"], "unarchive it in Slack, or choose another channel");
    assert_eq!(call["request"]["headers"]["Authorization"], "Bearer •••");
}
