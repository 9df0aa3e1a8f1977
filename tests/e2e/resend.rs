//! What went wrong is sent again by hand, whatever it was: each kind of failure is told with its cause and what to do, the
//! webhook is mended, and the resend goes out with its latest settings and ends the retries that were still to come.

use postrider_testkit::slack::FakeSlack;
use postrider_testkit::untrusted::UntrustedReceiver;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::process::PATIENCE;
use crate::system::{System, event, webhook};
use crate::target::{Answer, Target};

/// A failure as the details of its call tell it.
struct Failure<'a> {
    /// Its kind; `None` when there was an answer.
    kind: Option<&'a str>,
    /// Its status.
    status: Option<u16>,
    /// What the cause says.
    cause: &'a [&'a str],
    /// What the next step says.
    step: &'a str,
    /// Where the delivery stands after it.
    state: &'a str,
}

/// A webhook whose next automatic attempt is far away, in the dialect that resends come from.
pub(crate) fn patient(url: &str) -> Value {
    let mut hook = webhook(url, &["*.*"]);
    hook["dialect"] = json!("datocms");
    hook["retryPolicy"] = json!({ "schedule": [3600] });
    hook
}

/// The first of a list that meets a condition; each look is a round trip to the system, which is what is awaited.
pub(crate) async fn until(system: &System, path: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let list = system.call(Method::GET, path, None).await;
        if let Some(found) = list["items"].as_array().expect("items").iter().find(|item| wanted(item)) {
            return found.clone();
        }
        assert!(Instant::now() < deadline, "{what} did not come: {list}");
        tokio::task::yield_now().await;
    }
}

/// Where a generation of the one delivery to a webhook stands, as soon as it stands so.
async fn generation(system: &System, webhook: &str, number: u64, state: &str) -> Value {
    let path = format!("/spaces/default/deliveries?webhook={webhook}&state={state}");
    until(system, &path, state, |row| row["generation"] == json!(number)).await
}

/// Publishes an event for this webhook; the details of the call, once there is one.
async fn first_call(system: &System, hook: &Value) -> (String, Value) {
    let webhook = system.webhook(hook).await;
    system.accept(&event("one", "Entry.save")).await;
    let path = format!("/spaces/default/calls?webhook={webhook}");
    let call = until(system, &path, "a call", |_| true).await;
    let id = call["sys"]["id"].as_str().expect("an id");
    let details =
        system.call(Method::GET, &format!("/spaces/default/webhooks/{webhook}/calls/{id}"), None).await;
    (webhook, details)
}

/// Sends the call again; the delivery that this makes.
async fn resend(system: &System, call: &Value) -> Value {
    let path = format!("/spaces/default/calls/{}/resend", call["sys"]["id"].as_str().expect("an id"));
    system.call(Method::POST, &path, None).await
}

/// The whole story: it fails as told, the webhook is mended, the resend arrives and ends what was still to come.
async fn fails_and_is_sent_again(system: &System, mut hook: Value, failure: &Failure<'_>) {
    let (webhook, call) = first_call(system, &hook).await;
    assert_eq!(call["failure"]["kind"].as_str(), failure.kind, "{call}");
    assert_eq!(call["response"]["statusCode"].as_u64(), failure.status.map(u64::from), "{call}");
    let cause = call["diagnosis"]["cause"].as_str().expect("a cause");
    for part in failure.cause {
        assert!(cause.contains(part), "{part:?} is not in {cause:?}");
    }
    let step = call["diagnosis"]["nextStep"].as_str().expect("a next step");
    assert!(step.contains(failure.step), "{:?} is not in {step:?}", failure.step);
    let first = generation(system, &webhook, 0, failure.state).await;
    let waits = failure.state == "pending";
    assert_eq!((&first["attempt"], first["nextAt"].is_string()), (&json!(1), waits), "{first}");

    let target = Target::willing().await;
    hook["url"] = json!(target.url("/mended"));
    hook["headers"] = json!([{ "key": "X-Mended", "value": "yes" }]);
    system.call(Method::PUT, &format!("/spaces/default/webhook_definitions/{webhook}"), Some(&hook)).await;
    let again = resend(system, &call).await;
    assert_eq!((&again["generation"], &again["state"]), (&json!(1), &json!("pending")), "{again}");
    let second = generation(system, &webhook, 1, "delivered").await;
    assert_eq!(second["sys"]["id"], again["sys"]["id"]);
    let hits = target.hits("/mended");
    assert_eq!((hits.len(), &hits[0].headers["x-mended"]), (1, &"yes".parse().expect("a value")));
    // The first delivery has one id for its receiver, however often it is sent.
    assert_eq!(hits[0].json()["webhook_call_id"], first["sys"]["id"]);

    if waits {
        let ended = generation(system, &webhook, 0, "superseded").await;
        assert_eq!(ended["attempt"], 1, "{ended}");
        assert_eq!(
            (&ended["nextAt"], &ended["supersededBy"]),
            (&Value::Null, &again["sys"]["id"]),
            "{ended}"
        );
        assert!(ended["reason"].as_str().expect("a reason").contains("generation 1"), "{ended}");
    } else {
        generation(system, &webhook, 0, failure.state).await;
    }
    let open = system.call(Method::GET, "/spaces/default/deliveries?order=nextAt", None).await;
    assert_eq!(open["total"], 0, "nothing is still to come: {open}");
}

#[tokio::test]
async fn after_a_refusal_with_4xx() {
    let (system, target) = (System::start(&[]).await, Target::start(|_| Answer::Status(404)).await);
    let mut hook = patient(&target.url("/old"));
    hook["dialect"] = json!("native");
    let (webhook, call) = first_call(&system, &hook).await;
    assert_eq!(call["state"], "given_up", "a 404 is final unless the policy says otherwise: {call}");
    assert!(call["diagnosis"]["cause"].as_str().is_some_and(|cause| cause.contains("404")), "{call}");
    assert!(call["diagnosis"]["nextStep"].as_str().is_some_and(|step| step.contains("path")), "{call}");
    let mended = Target::willing().await;
    hook["url"] = json!(mended.url("/new"));
    system.call(Method::PUT, &format!("/spaces/default/webhook_definitions/{webhook}"), Some(&hook)).await;
    resend(&system, &call).await;
    generation(&system, &webhook, 1, "delivered").await;
    generation(&system, &webhook, 0, "given_up").await;
    assert_eq!((target.count(), mended.hits("/new").len()), (1, 1));
}

#[tokio::test]
async fn after_a_failure_with_5xx() {
    let (system, target) = (System::start(&[]).await, Target::start(|_| Answer::Status(503)).await);
    let failure = Failure {
        kind: None,
        status: Some(503),
        cause: &["503", "the receiver failed"],
        step: "log",
        state: "pending",
    };
    fails_and_is_sent_again(&system, patient(&target.url("/")), &failure).await;
}

#[tokio::test]
async fn after_a_time_out() {
    let (system, target) = (System::start(&[]).await, Target::start(|_| Answer::Gate).await);
    let mut hook = patient(&target.url("/"));
    hook["timeout"] = json!(1);
    let failure = Failure {
        kind: Some("timeout"),
        status: None,
        cause: &["no complete answer within 1s", "no answer had begun"],
        step: "timeout",
        state: "pending",
    };
    fails_and_is_sent_again(&system, hook, &failure).await;
    target.open_gate();
}

#[tokio::test]
async fn after_a_connection_that_did_not_stand_within_two_seconds() {
    // The system takes the connection; nobody speaks TLS over it.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("https://{}/", listener.local_addr().expect("it is bound"));
    let system = System::start(&["outbound.allow=127.0.0.0/8"]).await;
    let failure = Failure {
        kind: Some("timeout"),
        status: None,
        cause: &["no connection within 2s"],
        step: "firewall",
        state: "pending",
    };
    fails_and_is_sent_again(&system, patient(&url), &failure).await;
}

#[tokio::test]
async fn after_a_host_that_does_not_exist() {
    let system = System::start(&[]).await;
    let failure = Failure {
        kind: Some("dns"),
        status: None,
        cause: &["no-such-host.invalid"],
        step: "host",
        state: "pending",
    };
    fails_and_is_sent_again(&system, patient("https://no-such-host.invalid/"), &failure).await;
}

#[tokio::test]
async fn after_a_connection_that_was_refused() {
    // A port that was free a moment ago.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    drop(listener);
    let system = System::start(&[]).await;
    let at = address.to_string();
    let failure = Failure {
        kind: Some("connect"),
        status: None,
        cause: &[&at, "cannot connect"],
        step: "firewall",
        state: "pending",
    };
    fails_and_is_sent_again(&system, patient(&format!("http://{address}/")), &failure).await;
}

#[tokio::test]
async fn after_a_certificate_that_nobody_trusts() {
    let receiver = UntrustedReceiver::start().await;
    let system = System::start(&["outbound.allow=127.0.0.0/8"]).await;
    let failure = Failure {
        kind: Some("tls"),
        status: None,
        cause: &["TLS", "certificate"],
        step: "certificate",
        state: "pending",
    };
    fails_and_is_sent_again(&system, patient(&receiver.url("/")), &failure).await;
    assert!(receiver.connections() > 0);
    assert_eq!(receiver.requests(), 0, "nothing was sent to it");
}

#[tokio::test]
async fn after_an_address_that_is_blocked() {
    let system = System::start(&[]).await;
    let failure = Failure {
        kind: Some("address_blocked"),
        status: None,
        cause: &["169.254.169.254", "metadata"],
        step: "outbound.allow",
        state: "given_up",
    };
    fails_and_is_sent_again(&system, patient("https://169.254.169.254/latest/"), &failure).await;
}

#[tokio::test]
async fn after_a_success() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    let mut hook = patient(&target.url("/first"));
    let (webhook, call) = first_call(&system, &hook).await;
    assert_eq!((&call["state"], &call["diagnosis"]), (&json!("delivered"), &Value::Null), "{call}");
    hook["url"] = json!(target.url("/second"));
    system.call(Method::PUT, &format!("/spaces/default/webhook_definitions/{webhook}"), Some(&hook)).await;
    resend(&system, &call).await;
    generation(&system, &webhook, 1, "delivered").await;
    generation(&system, &webhook, 0, "delivered").await;
    let (first, second) = (target.hits("/first"), target.hits("/second"));
    assert_eq!((first.len(), second.len()), (1, 1), "the latest settings");
    assert_eq!(first[0].json()["webhook_call_id"], second[0].json()["webhook_call_id"]);
}

#[tokio::test]
async fn a_failed_resend_leaves_the_retries_as_they_were() {
    let (system, target) = (System::start(&[]).await, Target::start(|_| Answer::Status(500)).await);
    let (webhook, call) = first_call(&system, &patient(&target.url("/"))).await;
    let before = generation(&system, &webhook, 0, "pending").await;
    resend(&system, &call).await;
    target.until(2).await;
    let path = format!("/spaces/default/deliveries?webhook={webhook}&status=rescheduled");
    until(&system, &path, "the resend's own failure", |row| row["generation"] == 1).await;
    let after = generation(&system, &webhook, 0, "pending").await;
    assert_eq!((&after["attempt"], &after["nextAt"]), (&before["attempt"], &before["nextAt"]));
}

#[tokio::test]
async fn after_an_error_of_slack() {
    let slack = FakeSlack::start("Acme").await;
    slack.issue("xoxb-story");
    let (old, news) = (slack.channel("old"), slack.channel("news"));
    slack.archive(&old);
    let system = System::start(&[&format!("slack.base_url={}", slack.base_url())]).await;
    let connection = json!({ "name": "Editors", "token": "xoxb-story" });
    system.call(Method::PUT, "/spaces/default/slack_connections/editors", Some(&connection)).await;
    let action = |channel: &str| json!({ "type": "slack", "connection": "editors", "channel": channel });
    let mut hook = json!({ "name": "story", "topics": ["*.*"], "action": action(&old) });
    let (webhook, call) = first_call(&system, &hook).await;
    assert_eq!((&call["failure"]["kind"], &call["state"]), (&json!("slack"), &json!("given_up")), "{call}");
    let diagnosis = call["diagnosis"].to_string();
    assert!(diagnosis.contains("is_archived") && diagnosis.contains("choose another channel"), "{call}");

    hook["action"] = action(&news);
    system.call(Method::PUT, &format!("/spaces/default/webhook_definitions/{webhook}"), Some(&hook)).await;
    resend(&system, &call).await;
    generation(&system, &webhook, 1, "delivered").await;
    let said: Vec<_> = slack.messages().into_iter().map(|message| (message.channel, message.said)).collect();
    assert_eq!(said, [(old, "is_archived".to_owned()), (news, "ok".to_owned())]);
}
