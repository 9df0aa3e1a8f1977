//! Messages to Slack are delivered like calls, and judged by what Slack says.

use postrider_domain::outcome::FailureKind;
use postrider_domain::secret::Sealed;
use postrider_domain::space::{SlackAccess, SlackConnection, SpaceSettings};
use postrider_domain::webhook::{SlackTarget, Webhook, WebhookAction};
use postrider_testkit::START;
use postrider_testkit::builders::{event, webhook};

use crate::receiver::Answer;
use crate::settings::settle;
use crate::world::{World, seconds};

const POST: &str = "https://slack.com/api/chat.postMessage";

fn posting(connection: &str) -> Webhook {
    let target =
        SlackTarget { connection: connection.to_owned(), channel: Some("C0123".to_owned()), template: None };
    Webhook { action: WebhookAction::Slack(target), ..webhook("w").topic("*.*").build() }
}

fn world(connection: &str, answers: &[Answer]) -> World {
    over(posting(connection), answers)
}

fn over(webhook: Webhook, answers: &[Answer]) -> World {
    let world = World::with([webhook]);
    let bot = SlackConnection {
        id: "bot".to_owned(),
        name: "Editors".to_owned(),
        access: SlackAccess::Bot { token: Sealed::new("sealed:xoxb-token"), team: "Acme".to_owned() },
        created_at: START,
        created_by: "t".to_owned(),
    };
    let settings = SpaceSettings { version: 1, slack: vec![bot], ..SpaceSettings::default() };
    settle(&world, settings);
    world.receiver.script(POST, answers);
    world
}

#[tokio::test(start_paused = true)]
async fn a_message_goes_to_the_channel_and_its_token_stays_out_of_the_log() {
    let world = world("bot", &[Answer::Says(200, r#"{"ok":true}"#)]);
    world.accept(event("Entry.publish")).await;
    world.step().await;
    let request = &world.receiver.arrived(POST)[0].request;
    let token = ("Authorization".to_owned(), "Bearer xoxb-token".to_owned());
    assert!(request.headers.contains(&token));
    let body = String::from_utf8_lossy(request.body.as_deref().expect("a body")).into_owned();
    assert!(body.contains(r#""channel":"C0123""#), "{body}");
    assert_eq!(world.balance(), [("delivered", 1)].into());
    assert!(!format!("{:?}", world.calls("w")).contains("xoxb-token"));
    world.assert_empty().await;
}

#[tokio::test(start_paused = true)]
async fn what_the_webhooks_dialect_has_no_word_for_is_told_in_slack_all_the_same() {
    let webhook = Webhook { dialect: "cometcms".to_owned(), ..posting("bot") };
    let world = over(webhook, &[Answer::Says(200, r#"{"ok":true}"#)]);
    world.accept(event("Release.create")).await;
    world.step().await;
    assert_eq!(world.balance(), [("delivered", 1)].into());
    world.assert_empty().await;
}

#[tokio::test(start_paused = true)]
async fn two_hundred_but_not_ok_is_given_up_with_slacks_code_in_the_log() {
    let world = world("bot", &[Answer::Says(200, r#"{"ok":false,"error":"is_archived"}"#)]);
    world.accept(event("Entry.publish")).await;
    world.step().await;
    assert_eq!(world.balance(), [("given_up", 1)].into());
    let call = &world.calls("w")[0];
    assert!(format!("{:?}", call.response).contains("is_archived"));
    let failure = call.failure.clone().expect("HTTP says 200, and the record that it failed");
    assert_eq!(failure.kind, FailureKind::Slack);
    assert!(failure.message.starts_with("is_archived: the channel is archived; "), "{}", failure.message);
    world.assert_empty().await;
}

#[tokio::test(start_paused = true)]
async fn a_429_waits_as_long_as_slack_asks() {
    let throttled = Answer::With(429, "Retry-After", "30".to_owned());
    let world = world("bot", &[throttled, Answer::Says(200, "ok")]);
    let running = world.start();
    world.accept(event("Entry.publish")).await;
    world.pass(seconds(29)).await;
    assert_eq!(world.receiver.arrived(POST).len(), 1);
    world.pass(seconds(30)).await;
    assert_eq!(world.receiver.arrived(POST).len(), 2);
    assert_eq!(world.balance(), [("delivered", 1)].into());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn without_its_connection_nothing_is_sent_and_the_log_says_why() {
    let world = world("gone", &[Answer::Says(200, "ok")]);
    world.accept(event("Entry.publish")).await;
    world.step().await;
    assert!(world.receiver.arrived(POST).is_empty());
    assert_eq!(world.balance(), [("given_up", 1)].into());
    let failure = world.calls("w")[0].failure.clone().expect("a failure");
    assert!(failure.message.contains("the Slack connection \"gone\" is gone"), "{}", failure.message);
    world.assert_empty().await;
}
