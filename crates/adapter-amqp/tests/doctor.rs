//! What `doctor` says of a real broker: empty, right, and changed.

use std::time::Duration;

use postrider_adapter_amqp::{Settings, doctor, topology};
use postrider_ports::doctor::{Finding, Severity};
use postrider_testkit::servers::rabbitmq;

const CALL: Duration = Duration::from_secs(30);

fn worst(findings: &[Finding]) -> Option<Severity> {
    findings.iter().map(|one| one.severity).max()
}

#[tokio::test]
async fn an_empty_broker_lacks_the_topology_and_a_right_one_is_fine() {
    let settings = Settings::new(rabbitmq::vhost().await);
    let findings = doctor::reach(&settings).await;
    // The broker that the runner was asked to start, and no other.
    assert!(findings[0].found.starts_with(&format!("RabbitMQ {}", rabbitmq::version())), "{findings:?}");
    assert_eq!(findings[0].severity, Severity::Fine);
    assert_eq!(findings[1].severity, Severity::Fault);
    assert!(
        findings[1].change.as_ref().is_some_and(|change| change.contains("topology declare")),
        "{findings:?}"
    );
    assert_eq!(topology::declare(&settings).await.expect("declared"), Vec::<String>::new());
    let findings = doctor::reach(&settings).await;
    assert_eq!((findings.len(), worst(&findings)), (2, Some(Severity::Fine)), "{findings:?}");
    assert!(topology::verify(&settings).await.expect("compared").iter().all(|one| one.wrong.is_none()));
}

#[tokio::test]
async fn what_is_missing_and_what_differs_is_told_object_by_object() {
    let url = rabbitmq::vhost().await;
    let settings = Settings::new(&url);
    topology::declare(&settings).await.expect("declared");
    let vhost = url.rsplit('/').next().expect("a virtual host").to_owned();
    let management = rabbitmq::management_of_all();
    for (kind, name, other) in [
        ("queues", topology::PARKED, None),
        ("queues", topology::INBOX, Some(r#"{"durable":true,"arguments":{"x-queue-type":"classic"}}"#)),
        ("exchanges", topology::EVENTS_EXCHANGE, Some(r#"{"type":"topic","durable":true}"#)),
    ] {
        let path = format!("/api/{kind}/{vhost}/{name}");
        management.expect("DELETE", &path, "").await.expect("deleted");
        if let Some(other) = other {
            management.expect("PUT", &path, other).await.expect("declared");
        }
    }
    let findings = doctor::reach(&settings).await;
    let about = |name: &str| {
        let found = findings.iter().find(|one| one.found.starts_with(name)).expect("a finding");
        (found.severity, format!("{} {}", found.found, found.change.as_deref().unwrap_or_default()))
    };
    let (severity, parked) = about(topology::PARKED);
    assert!(severity == Severity::Fault && parked.contains("the queue is missing"), "{parked}");
    let (severity, inbox) = about(topology::INBOX);
    assert!(severity == Severity::Fault && inbox.contains("has the argument x-"), "{inbox}");
    assert!(inbox.contains("it must be") && inbox.contains("delete queue"), "{inbox}");
    let (severity, exchange) = about(topology::EVENTS_EXCHANGE);
    assert!(severity == Severity::Warning && exchange.contains("alternate-exchange"), "{exchange}");
    assert_eq!(findings.len(), 4, "{findings:?}");
}

#[tokio::test]
async fn a_broker_that_is_away_is_one_finding() {
    let findings = doctor::reach(&Settings::new("amqp://carl:secret@127.0.0.1:1/live")).await;
    assert_eq!((findings.len(), findings[0].severity), (1, Severity::Fault));
    assert!(
        findings[0].found.contains("127.0.0.1:1") && !findings[0].found.contains("secret"),
        "{findings:?}"
    );
}

#[tokio::test]
async fn the_management_api_answers_every_question() {
    let settings = Settings::new(rabbitmq::vhost().await);
    topology::declare(&settings).await.expect("declared");
    let management = rabbitmq::management_of_all();
    let mut subjects = Vec::new();
    for question in doctor::questions(&settings).expect("a URL") {
        let (status, body) = management.request("GET", question.path(), "").await.expect("an answer");
        let findings = question.judge(status, body.as_bytes(), CALL);
        assert_eq!(worst(&findings), Some(Severity::Fine), "{findings:?}");
        subjects.extend(findings.into_iter().map(|one| one.subject));
    }
    assert_eq!(subjects, ["feature flags", "nodes", "policies", "consumer_timeout"]);
}
