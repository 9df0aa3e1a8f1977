//! Messages to Slack: connected once, chosen per webhook, and told what Slack says of them. Slack is a stand-in of `testkit`.

use std::process::Stdio;

use postrider_testkit::slack::{FakeSlack, Message, Reply};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::timeout;

use crate::process::PATIENCE;
use crate::system::{System, webhook};

const TOKEN: &str = "xoxb-token-of-the-bot";
const CONNECTIONS: &str = "/spaces/default/slack_connections";
const HOOKS: &str = "/spaces/default/webhook_definitions";

/// A workspace with a token that counts, and a system that knows where it is.
async fn acme() -> (FakeSlack, System) {
    let slack = FakeSlack::start("Acme").await;
    slack.issue(TOKEN);
    let system = System::start(&[&format!("slack.base_url={}", slack.base_url())]).await;
    (slack, system)
}

/// The same, connected under the id `editors`.
async fn connected() -> (FakeSlack, System) {
    let (slack, system) = acme().await;
    connect(&system, "editors", &json!({ "name": "Editors", "token": TOKEN })).await;
    (slack, system)
}

async fn connect(system: &System, id: &str, with: &Value) -> Value {
    system.call(Method::PUT, &format!("{CONNECTIONS}/{id}"), Some(with)).await
}

/// A webhook that posts into a channel, once.
fn posting(channel: &str) -> Value {
    let action = json!({ "type": "slack", "connection": "editors", "channel": channel });
    json!({ "name": "news", "topics": ["*.*"], "action": action, "retryPolicy": "none" })
}

fn entry(id: &str) -> Value {
    json!({
        "id": id, "type": "Entry", "action": "publish", "occurredAt": "2026-01-01T12:00:00Z",
        "resource": {
            "id": "5KsD", "contentType": "posts", "title": "Salt & <Pepper>", "state": "published",
            "url": "https://cms.example/entries/5KsD",
        },
        "actor": { "id": "ada" }, "data": { "words": 12 },
    })
}

/// What Slack said of each message, in the order of the channels.
fn said(messages: &[Message]) -> Vec<(String, String)> {
    let mut said: Vec<_> =
        messages.iter().map(|message| (message.channel.clone(), message.said.clone())).collect();
    said.sort();
    said
}

/// The newest call of a webhook, with everything about it.
async fn call_of(system: &System, webhook: &str) -> Value {
    let list = system.call(Method::GET, &format!("/spaces/default/calls?webhook={webhook}"), None).await;
    let id = list["items"][0]["sys"]["id"].as_str().expect("a call").to_owned();
    system.call(Method::GET, &format!("/spaces/default/calls/{id}"), None).await
}

#[tokio::test]
async fn a_formatted_message_is_posted_into_the_chosen_channel() {
    let (slack, system) = connected().await;
    let (news, _other) = (slack.channel("news"), slack.channel("other"));
    let channels = system.call(Method::GET, &format!("{CONNECTIONS}/editors/channels"), None).await;
    let chosen = channels["items"].as_array().expect("channels").iter().find(|one| one["name"] == "news");
    let chosen = chosen.expect("it is listed")["sys"]["id"].as_str().expect("an id").to_owned();
    assert_eq!(chosen, news);
    system.webhook(&posting(&chosen)).await;
    system.happen(&[entry("one")], 1).await;
    let messages = slack.messages();
    assert_eq!(said(&messages), [(news, "ok".to_owned())]);
    let message = &messages[0].body;
    assert_eq!(message["text"], "Entry published: Salt &amp; &lt;Pepper&gt; by ada");
    let text =
        |pointer: &str| message.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let linked = "*Entry published*\n<https://cms.example/entries/5KsD|Salt &amp; &lt;Pepper&gt;>";
    assert_eq!(text("/blocks/0/text/text"), linked);
    let fields = [0, 1, 2].map(|at| text(&format!("/blocks/1/fields/{at}/text")));
    assert_eq!(fields, ["*Type*\nposts", "*By*\nada", "*State*\npublished"]);
    assert!(
        text("/blocks/2/elements/0/text").starts_with("default / master · <!date^1767268800^"),
        "{message}"
    );
}

#[tokio::test]
async fn the_same_event_is_sent_to_a_url_or_posted_to_slack() {
    let (slack, system) = connected().await;
    let target = crate::target::Target::willing().await;
    system.webhook(&posting(&slack.channel("news"))).await;
    system.webhook(&webhook(&target.url("/"), &["*.*"])).await;
    let kinds = system.call(Method::GET, HOOKS, None).await;
    let kinds =
        kinds["items"].as_array().expect("webhooks").iter().map(|hook| hook["action"]["type"].clone());
    assert_eq!(kinds.collect::<Vec<_>>(), [Value::Null, json!("slack")], "newest first");
    system.happen(&[entry("one")], 2).await;
    assert_eq!((slack.messages().len(), target.count()), (1, 1));
}

#[tokio::test]
async fn a_notification_goes_to_slack_in_the_words_of_a_template() {
    let (slack, system) = connected().await;
    let (plain, rich) = (slack.channel("plain"), slack.channel("rich"));
    let with = |channel: &str, body: &str| {
        let mut posting = posting(channel);
        posting["action"]["template"] = json!({ "body": body });
        posting
    };
    system.webhook(&with(&plain, "{{resource.title}} is out, {{data.words}} words")).await;
    let blocks = r#"{"text": "x", "blocks": [{"type": "header", "text": {"type": "plain_text", "text": "{{resource.title}}"}}]}"#;
    system.webhook(&with(&rich, blocks)).await;
    let mut quoted = entry("one");
    quoted["action"] = json!("save");
    quoted["resource"]["title"] = json!("The \"best\" & <only>");
    system.happen(&[quoted], 2).await;
    for message in slack.messages() {
        if message.channel == plain {
            assert_eq!(message.body["text"], "The \"best\" &amp; &lt;only&gt; is out, 12 words");
        } else {
            assert_eq!(message.body["blocks"][0]["text"]["text"], "The \"best\" &amp; &lt;only&gt;");
        }
    }
}

#[tokio::test]
async fn an_incoming_webhook_posts_into_the_channel_it_was_made_for() {
    let (slack, system) = acme().await;
    let news = slack.channel("news");
    let url = slack.incoming("key", &news);
    connect(&system, "hook", &json!({ "name": "Hook", "url": url })).await;
    let action = json!({ "type": "slack", "connection": "hook" });
    let hook = json!({ "name": "n", "topics": ["*.*"], "action": action, "retryPolicy": "none" });
    let id = system.webhook(&hook).await;
    system.happen(&[entry("one")], 1).await;
    assert_eq!(said(&slack.messages()), [(news.clone(), "ok".to_owned())]);
    assert_eq!(call_of(&system, &id).await["request"]["url"], "•••");
    slack.archive(&news);
    system.accept(&entry("two")).await;
    system.until("it is given up", |balance| balance.of("given_up") == 1).await;
    let archived = call_of(&system, &id).await;
    assert_eq!(archived["statusCode"], 410, "{archived}");
    assert!(archived["diagnosis"]["cause"].as_str().expect("a cause").contains("channel_is_archived"));
    let hook = system.call(Method::GET, &format!("{HOOKS}/{id}"), None).await;
    assert_eq!(hook["active"], true, "an archived channel disables nothing");
}

#[tokio::test]
async fn two_hundred_but_not_ok_is_a_failure_and_the_log_says_what_to_do() {
    let (slack, system) = connected().await;
    let archived = slack.channel("old");
    slack.archive(&archived);
    let cases = [
        (archived, "is_archived", "unarchive"),
        (slack.foreign("theirs"), "not_in_channel", "/invite"),
        (slack.private("closed"), "channel_not_found", "invite the bot"),
        ("C_OF_ANOTHER_WORKSPACE".to_owned(), "channel_not_found", "another workspace"),
    ];
    let mut ids = Vec::new();
    for (channel, ..) in &cases {
        ids.push(system.webhook(&posting(channel)).await);
    }
    system.accept(&entry("one")).await;
    system.until("all are given up", |balance| balance.of("given_up") == 4).await;
    for (id, (channel, code, step)) in ids.iter().zip(&cases) {
        let call = call_of(&system, id).await;
        assert_eq!((&call["statusCode"], &call["failure"]["kind"]), (&json!(200), &json!("slack")), "{call}");
        assert!(call["response"]["body"].as_str().expect("a body").contains(code), "{channel}: {call}");
        assert!(call["diagnosis"]["cause"].as_str().expect("a cause").starts_with(code), "{channel}: {call}");
        assert!(call["diagnosis"]["nextStep"].as_str().expect("a step").contains(step), "{channel}: {call}");
        let health = system.call(Method::GET, &format!("/spaces/default/webhooks/{id}/health"), None).await;
        assert_eq!(health["calls"], json!({ "total": 1, "healthy": 0 }));
    }
}

#[tokio::test]
async fn a_channel_that_is_no_longer_available_is_shown_as_such() {
    let (slack, system) = connected().await;
    let news = slack.channel("news");
    let id = system.webhook(&posting(&news)).await;
    system.happen(&[entry("one")], 1).await;
    slack.archive(&news);
    let channels = system.call(Method::GET, &format!("{CONNECTIONS}/editors/channels"), None).await;
    assert_eq!(channels["items"][0]["isArchived"], true, "{channels}");
    system.accept(&entry("two")).await;
    system.until("it is given up", |balance| balance.of("given_up") == 1).await;
    let call = call_of(&system, &id).await;
    let shown = json!({
        "cause": "is_archived: the channel is archived",
        "nextStep": "unarchive it in Slack, or choose another channel",
    });
    assert_eq!(call["diagnosis"], shown);
}

#[tokio::test]
async fn slack_is_left_alone_as_long_as_it_asks() {
    let (slack, system) = connected().await;
    let mut patient = posting(&slack.channel("news"));
    patient["retryPolicy"] = json!({ "schedule": [0.05] });
    slack.script("chat.postMessage", [Reply::Limited(2)]);
    let id = system.webhook(&patient).await;
    system.happen(&[entry("one")], 1).await;
    assert_eq!(
        slack.messages().iter().map(|one| one.said.as_str()).collect::<Vec<_>>(),
        ["ratelimited", "ok"]
    );
    let list = system.call(Method::GET, &format!("/spaces/default/calls?webhook={id}"), None).await;
    let first = list["items"].as_array().expect("calls").iter().find(|call| call["attempt"] == 1);
    let first = first.expect("the first attempt").clone();
    let at = |field: &str| {
        let text = first[field].as_str().expect("an instant");
        postrider_domain::timestamp::Timestamp::parse(text).expect("an instant").unix_ms()
    };
    assert_eq!(first["statusCode"], 429);
    assert!(at("nextAt") - at("requestAt") >= 2_000, "{first}");
}

#[tokio::test]
async fn a_disconnected_workspace_is_told_and_connected_again_under_its_id() {
    let (slack, system) = connected().await;
    let news = slack.channel("news");
    let mut stubborn = posting(&news);
    stubborn["retryPolicy"] = json!({ "schedule": vec![1; 60], "on": { "anyFailure": true } });
    let id = system.webhook(&stubborn).await;
    slack.revoke(TOKEN);
    system.accept(&entry("one")).await;
    slack.posted(1).await;
    let channels = format!("{CONNECTIONS}/editors/channels");
    let refused = system.request(Method::GET, &channels).send().await.expect("an answer");
    assert_eq!(refused.status(), StatusCode::CONFLICT);
    let refused = refused.text().await.expect("a body");
    assert!(refused.contains("token_revoked") && refused.contains("connect Slack again"), "{refused}");

    slack.issue("xoxb-another-token");
    connect(&system, "editors", &json!({ "name": "Editors", "token": "xoxb-another-token" })).await;
    system.until("it is delivered", |balance| balance.of("delivered") == 1).await;
    let calls =
        system.call(Method::GET, &format!("/spaces/default/calls?webhook={id}&state=pending"), None).await;
    let first = &calls["items"].as_array().expect("calls").last().expect("one that failed")["failure"];
    let message = first["message"].as_str().expect("a message");
    assert!(message.starts_with("token_revoked: the bot's token was revoked"), "{message}");
}

#[tokio::test]
async fn before_slack_is_connected_no_webhook_can_post_to_it() {
    let (slack, system) = acme().await;
    let posting = posting(&slack.channel("news"));
    let refused = system.request(Method::POST, HOOKS).json(&posting).send().await.expect("an answer");
    assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let error: Value = refused.json().await.expect("JSON");
    assert_eq!(error["details"]["errors"][0]["path"], "action.connection", "{error}");

    let wrong = json!({ "name": "Editors", "token": "xoxb-nobody-knows" });
    let refused = system.request(Method::POST, CONNECTIONS).json(&wrong).send().await.expect("an answer");
    assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let error = refused.text().await.expect("a body");
    assert!(error.contains("invalid_auth") && !error.contains("nobody-knows"), "{error}");

    let made = connect(&system, "editors", &json!({ "name": "Editors", "token": TOKEN })).await;
    assert_eq!((&made["type"], &made["team"]), (&json!("bot"), &json!("Acme")));
    system.webhook(&posting).await;
    system.happen(&[entry("one")], 1).await;
    assert_eq!(system.composition().holders(TOKEN).await, Vec::<String>::new(), "it is kept sealed");
    let used =
        system.request(Method::DELETE, &format!("{CONNECTIONS}/editors")).send().await.expect("an answer");
    assert_eq!(used.status(), StatusCode::CONFLICT);
    assert!(used.text().await.expect("a body").contains("(news)"), "the webhook is named");
}

#[tokio::test]
async fn connecting_needs_manage_integrations_and_using_what_is_connected_does_not() {
    let (slack, system) = connected().await;
    let posting = posting(&slack.channel("news"));
    let developer = json!({ "name": "d", "role": "developer", "space": "default" });
    let developer = system.call(Method::POST, "/tokens", Some(&developer)).await;
    let developer = developer["token"].as_str().expect("a token");
    let as_developer = |method: Method, path: &str| system.bare(method, path).bearer_auth(developer);
    let again = json!({ "name": "Mine", "token": TOKEN });
    let editors = format!("{CONNECTIONS}/editors");
    for request in [
        as_developer(Method::POST, CONNECTIONS).json(&again),
        as_developer(Method::PUT, &editors).json(&again),
        as_developer(Method::DELETE, &editors),
    ] {
        let refused = request.send().await.expect("an answer");
        assert_eq!(refused.status(), StatusCode::FORBIDDEN);
        assert!(refused.text().await.expect("a body").contains("integrations:manage"));
    }
    let made = as_developer(Method::POST, HOOKS).json(&posting).send().await.expect("an answer");
    assert_eq!(made.status(), StatusCode::OK);
    system.happen(&[entry("one")], 1).await;
    assert_eq!(slack.messages().len(), 1);
}

/// What a command of the operator says, and its exit code.
async fn run(system: &System, arguments: &[&str]) -> (i32, String) {
    let mut command = Command::from(system.composition().operator());
    let command = command.args(arguments).env("POSTRIDER_SLACK_TOKEN", TOKEN).stderr(Stdio::inherit());
    let output = timeout(PATIENCE, command.output()).await.expect("it ends").expect("it starts");
    let said = String::from_utf8(output.stdout).expect("text");
    assert!(!said.contains(TOKEN), "{said}");
    (output.status.code().expect("it ended by itself"), said)
}

#[tokio::test]
async fn the_command_line_connects_lists_channels_and_makes_webhooks_that_post() {
    let (slack, system) = acme().await;
    for number in 1..=60 {
        slack.channel(&format!("channel-{number}"));
    }
    let connect = ["slack", "connect", "--id", "editors", "--name", "Editors"];
    let (code, said) = run(&system, &connect).await;
    assert!(code == 0 && said.contains("the workspace Acme"), "{said}");
    assert_eq!(run(&system, &connect).await.0, 6, "it is there already");
    let (_, said) = run(&system, &["slack", "channels", "editors"]).await;
    assert!(said.contains("channel-1") && said.contains("channel-60"), "both pages: {said}");
    let (_, found) = run(&system, &["slack", "channels", "editors", "--name", "channel-60", "--json"]).await;
    let found: Value = serde_json::from_str(&found).expect("JSON");
    let channel = found["items"][0]["sys"]["id"].as_str().expect("an id").to_owned();
    let create =
        ["webhooks", "create", "--id", "news", "--name", "news", "--topic", "Entry.*", "--slack", "editors"];
    let mut create = create.to_vec();
    create.extend(["--channel", &channel, "--message", "{{resource.title}}!", "--retry", "none"]);
    assert_eq!(run(&system, &create).await.0, 0);
    let (_, shown) = run(&system, &["webhooks", "show", "news"]).await;
    assert!(shown.contains(&format!("Slack: editors, channel {channel}")), "{shown}");
    assert_eq!(run(&system, &["webhooks", "test", "news"]).await.0, 0);
    system.happen(&[entry("one")], 1).await;
    assert_eq!(slack.messages().last().expect("a message").body["text"], "Salt &amp; &lt;Pepper&gt;!");
    slack.archive(&channel);
    let (code, tried) = run(&system, &["webhooks", "test", "news"]).await;
    assert!(code == 1 && tried.contains("is_archived"), "{tried}");
    assert_eq!(run(&system, &["slack", "disconnect", "editors"]).await.0, 6, "news posts through it");
    assert_eq!(run(&system, &["webhooks", "delete", "news"]).await.0, 0);
    assert_eq!(run(&system, &["slack", "disconnect", "editors"]).await.0, 0);
    let (_, said) = run(&system, &["slack", "list"]).await;
    assert!(said.contains("not connected yet"), "{said}");
}
