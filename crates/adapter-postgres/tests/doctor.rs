//! What doctor says of a server and a schema. Needs the private servers.

use std::sync::Arc;
use std::time::Duration;

use postrider_adapter_postgres::{Database, Settings};
use postrider_ports::clock::Clock;
use postrider_ports::doctor::{Finding, Severity};
use postrider_testkit::clock::RealClock;
use postrider_testkit::{ManualClock, servers};
use sqlx::{Connection, PgConnection};

fn of<'f>(findings: &'f [Finding], subject: &str) -> &'f Finding {
    let found = findings.iter().find(|finding| finding.subject == subject);
    found.unwrap_or_else(|| panic!("nothing about {subject} in {findings:?}"))
}

#[tokio::test]
async fn what_is_as_it_should_be_is_fine_and_what_is_not_is_told() {
    let url = servers::postgres::database().await;
    let mut settings = Settings::new(&url).expect("an address");
    let clock = Arc::new(RealClock::new());
    let findings = settings.findings(&*clock).await;
    let schema = of(&findings, "schema");
    assert!(schema.change.as_ref().is_some_and(|change| change.contains("postrider migrate")), "{schema:?}");
    Database::open(&settings, clock.clone()).await.expect("opens").0.close().await;
    let findings = settings.findings(&*clock).await;
    for subject in ["version", "clock", "connections", "schema", "partitions"] {
        assert_eq!(of(&findings, subject).severity, Severity::Fine, "{findings:?}");
    }

    let mut connection = PgConnection::connect(&url).await.expect("connects");
    let newer =
        sqlx::query("UPDATE postrider SET generation = generation + 1").execute(&mut connection).await;
    newer.expect("updated");
    settings.connections = 100_000;
    let later = ManualClock::at(clock.now().plus(Duration::from_hours(24 * 9)));
    let findings = settings.findings(&later).await;
    for (subject, severity) in [
        ("version", Severity::Fine),
        ("clock", Severity::Warning),
        ("connections", Severity::Warning),
        ("schema", Severity::Fault),
        ("partitions", Severity::Warning),
    ] {
        assert_eq!(of(&findings, subject).severity, severity, "{findings:?}");
    }
    let partitions = of(&findings, "partitions");
    assert!(partitions.found.contains(&later.now().day().to_string()), "{partitions:?}");
}

#[tokio::test]
async fn a_server_that_is_away_is_a_fault_without_its_password() {
    let settings = Settings::new("postgres://ann:hush-4711@127.0.0.1:1/post").expect("an address");
    let findings = settings.findings(&ManualClock::new()).await;
    assert_eq!((findings.len(), findings[0].severity), (1, Severity::Fault));
    assert!(
        findings[0].found.contains("127.0.0.1:1") && !format!("{findings:?}").contains("4711"),
        "{findings:?}"
    );
}
