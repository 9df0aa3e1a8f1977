//! What can go wrong between a process and its database. Needs the private servers.

use std::sync::Arc;
use std::time::Duration;

use postrider_adapter_postgres::{Database, OpenError, SCHEMA, Settings};
use postrider_domain::record::Record;
use postrider_ports::log::{LogQuery, LogRead, LogWrite};
use postrider_ports::subscriptions::Subscriptions;
use postrider_testkit::builders::{SPACE, call, event, matched, space};
use postrider_testkit::relay::Relay;
use postrider_testkit::servers::postgres;
use postrider_testkit::{ManualClock, servers};
use sqlx::{Connection, PgConnection};

async fn open(url: &str) -> Result<Database, OpenError> {
    let opened = Database::open(&Settings::new(url)?, Arc::new(ManualClock::new())).await;
    opened.map(|(database, _)| database)
}

async fn sql(url: &str, statement: &'static str) {
    let mut connection = PgConnection::connect(url).await.expect("connects");
    sqlx::raw_sql(statement).execute(&mut connection).await.expect(statement);
}

/// An event with one call to one webhook.
fn story(id: &str) -> [Record; 2] {
    let event = event("Entry.publish").id(id).carried();
    [matched(&event, &["w1"], &[]), call(&event, "w1", 1).record()]
}

async fn calls(database: &Database) -> usize {
    let query = LogQuery { limit: 1, ..LogQuery::default() };
    database.calls(&space(SPACE), &query).await.expect("listed").total
}

#[tokio::test]
async fn eight_processes_that_start_at_once_all_find_the_schema() {
    let url = servers::postgres::database().await;
    let started = futures::future::join_all((0..8).map(|_| open(&url))).await;
    for database in started {
        let database = database.expect("opens");
        assert_eq!(database.version().await.expect("asked"), 0);
        database.close().await;
    }
}

#[tokio::test]
async fn a_schema_of_a_later_release_is_refused_and_one_it_only_added_to_is_not() {
    let url = servers::postgres::database().await;
    open(&url).await.expect("opens").close().await;
    sql(&url, "ALTER TABLE spaces ADD COLUMN later text").await;
    open(&url).await.expect("opens beside an addition").close().await;
    sql(&url, "UPDATE postrider SET generation = generation + 1").await;
    let error = open(&url).await.expect_err("newer");
    assert!(matches!(error, OpenError::Newer { found, known: SCHEMA, .. } if found == SCHEMA + 1), "{error}");
    assert!(!error.is_transient());
}

#[tokio::test]
async fn what_is_wrong_with_an_address_is_said_without_the_password() {
    let url = servers::postgres::database().await;
    let (server, _) = url.rsplit_once('/').expect("a database");
    let address = server.rsplit_once('@').expect("a user").1;
    let text = async |url: String| {
        let error = open(&url).await.expect_err("refused");
        let text = error.to_string();
        assert!(!format!("{text} {error:?}").contains("hush"), "{text}");
        text
    };
    let missing = text(format!("postgres://postgres:hush@{address}/nowhere")).await;
    assert!(missing.contains("no such database") && missing.contains("nowhere"), "{missing}");
    let stranger = text(format!("postgres://stranger:hush@{address}/postgres")).await;
    assert!(stranger.contains("refuses the login") && stranger.contains("stranger"), "{stranger}");
    let tls = text(format!("postgres://postgres:hush@{address}/postgres?sslmode=require")).await;
    assert!(tls.contains("TLS failed") && tls.contains("sslmode=disable"), "{tls}");
    let away = text("postgres://postgres:hush@127.0.0.1:1/postgres".to_owned()).await;
    assert!(away.contains("cannot be reached") && away.contains("127.0.0.1:1,"), "{away}");
}

#[tokio::test]
async fn tables_of_another_program_are_left_alone() {
    let url = servers::postgres::database().await;
    sql(&url, "CREATE TABLE spaces (theirs text)").await;
    let error = open(&url).await.expect_err("not ours");
    assert!(matches!(error, OpenError::NotOurs { .. }), "{error}");
}

#[tokio::test]
async fn poison_is_named_and_keeps_no_other_record_out() {
    let url = servers::postgres::database().await;
    let database = open(&url).await.expect("opens");
    sql(&url, "ALTER TABLE calls ADD CHECK (event NOT IN ('e3', 'e17'))").await;
    let batch: Vec<Record> = (0..20).flat_map(|number| story(&format!("e{number}"))).collect();
    let poisoned = database.write(&batch).await.expect("written");
    let indexes: Vec<usize> = poisoned.iter().map(|one| one.index).collect();
    assert_eq!(indexes, [7, 35], "{poisoned:?}");
    assert_eq!(calls(&database).await, 18);
}

#[tokio::test]
async fn a_server_that_comes_back_is_used_again() {
    let mut server = postgres::Server::start().await.expect("starts");
    let url = server.database().await.expect("a database");
    let database = open(&url).await.expect("opens");
    database.write(&story("e1")).await.expect("written");
    server.stop().await;
    let error = database.write(&story("e2")).await.expect_err("the server is away");
    assert!(error.is_transient(), "{error}");
    let error = open(&url).await.expect_err("the server is away");
    assert!(error.is_transient(), "{error}");
    server.start_again().await.expect("starts");
    database.write(&story("e2")).await.expect("written");
    assert_eq!(calls(&database).await, 2);
}

#[tokio::test]
async fn a_server_that_falls_silent_is_given_up_and_used_again_when_it_answers() {
    let url = servers::postgres::database().await;
    let relay = Relay::before(&url).await.expect("a relay");
    let mut settings = Settings::new(&relay.url(&url)).expect("an address");
    (settings.statement_timeout, settings.patience) = (Duration::from_secs(1), Duration::from_secs(1));
    settings.connections = 2;
    let (database, _driver) = Database::open(&settings, Arc::new(ManualClock::new())).await.expect("opens");
    database.write(&story("e1")).await.expect("written");
    relay.black_hole();
    // More often than there are connections: one that is given up leaves its place.
    for _ in 0..5 {
        let error = database.write(&story("e2")).await.expect_err("no answer comes");
        assert!(error.is_transient(), "{error}");
    }
    // The server has lost those connections, too; new ones pass.
    relay.cut().await;
    relay.restore().await;
    database.write(&story("e2")).await.expect("written");
    assert_eq!(calls(&database).await, 2);
}
