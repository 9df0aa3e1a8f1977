//! Who leads: the suite, and what it cannot see of sessions that end. Needs the private servers.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use postrider_adapter_postgres::{Database, Settings, Term};
use postrider_ports::leader::Leadership;
use postrider_testkit::conformance::leader::Contest;
use postrider_testkit::conformance::{self, Harness};
use postrider_testkit::{ManualClock, servers};
use sqlx::{Connection, PgConnection};

/// The advisory lock of the term.
const LOCK: i64 = 0x6c65_6164;

/// Processes on one database.
struct Processes {
    url: String,
}

impl Processes {
    async fn new() -> Self {
        Self { url: servers::postgres::database().await }
    }

    async fn term(&self) -> Term {
        let settings = Settings::new(&self.url).expect("an address");
        let (database, _) = Database::open(&settings, Arc::new(ManualClock::new())).await.expect("opens");
        Term::new(&database)
    }

    async fn terminal(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.expect("connects")
    }

    /// The backend that has the lock.
    async fn holder(&self) -> i32 {
        let query = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid::bigint = $1 AND granted \
                     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        let asked = sqlx::query_scalar(query).bind(LOCK).fetch_one(&mut self.terminal().await).await;
        asked.expect("somebody leads")
    }

    /// Returns when the backend is gone: then nobody holds what it held.
    async fn end(&self, pid: i32) {
        let query = "SELECT pg_terminate_backend($1, 30000)";
        let ended: bool =
            sqlx::query_scalar(query).bind(pid).fetch_one(&mut self.terminal().await).await.expect("asked");
        assert!(ended, "the backend is still there");
    }
}

#[async_trait]
impl Contest for Processes {
    async fn process(&self) -> Option<Arc<dyn Leadership>> {
        Some(Arc::new(self.term().await))
    }

    async fn kill(&self, process: Arc<dyn Leadership>) {
        let mut terminal = self.terminal().await;
        let leads = process.hold().await.expect("asked");
        drop(process);
        if leads {
            // Whoever waits for the lock has it when the server has noticed.
            for statement in ["SELECT pg_advisory_lock($1)", "SELECT pg_advisory_unlock($1)"] {
                sqlx::query(statement).bind(LOCK).execute(&mut terminal).await.expect(statement);
            }
        }
    }
}

struct OnPostgres;

#[async_trait]
impl Harness<dyn Contest> for OnPostgres {
    async fn fresh(&self, _: Arc<ManualClock>) -> Arc<dyn Contest> {
        Arc::new(Processes::new().await)
    }
}

#[tokio::test]
async fn leadership_passes() {
    conformance::leader::run(&OnPostgres).await;
}

#[tokio::test]
async fn a_leader_whose_session_ended_takes_the_term_again_if_it_is_free_and_else_follows() {
    let processes = Processes::new().await;
    let (one, other) = (processes.term().await, processes.term().await);
    assert!(one.hold().await.expect("asked"));
    processes.end(processes.holder().await).await;
    assert!(one.hold().await.expect("asked"), "nobody else wants it");
    processes.end(processes.holder().await).await;
    assert!(other.hold().await.expect("asked"), "it was free");
    assert!(!one.hold().await.expect("asked"), "another was faster");
}

#[tokio::test]
async fn a_leader_that_asks_nothing_loses_the_term() {
    let processes = Processes::new().await;
    let term = processes.term().await.lost_after(Duration::from_millis(50));
    assert!(term.hold().await.expect("asked"));
    // Nobody lets go of the lock but the server: whoever waits for it has it then.
    let mut waiting = processes.terminal().await;
    let taken = sqlx::query("SELECT pg_advisory_lock($1)").bind(LOCK).execute(&mut waiting).await;
    taken.expect("the server ended the silent session");
    assert!(!term.hold().await.expect("asked"));
}

#[tokio::test]
async fn while_the_server_is_away_nobody_leads_and_afterwards_one_does() {
    let mut server = servers::postgres::Server::start().await.expect("starts");
    let settings = Settings::new(&server.database().await.expect("a database")).expect("an address");
    let (database, _) = Database::open(&settings, Arc::new(ManualClock::new())).await.expect("opens");
    let (one, other) = (Term::new(&database), Term::new(&database));
    assert!(one.hold().await.expect("asked"));
    server.stop().await;
    for term in [&one, &other] {
        let error = term.hold().await.expect_err("nobody keeps the term");
        assert!(error.is_transient() && error.to_string().contains("who leads"), "{error}");
    }
    server.start_again().await.expect("starts");
    assert!(other.hold().await.expect("asked"));
    assert!(!one.hold().await.expect("asked"));
}
