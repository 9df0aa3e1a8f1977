//! Postgres is killed, gone for a minute, or its disk is full. The log waits in its queue and goes on by itself; events are
//! accepted, matched and delivered meanwhile with what Redis and the processes know (DESIGN §4.5), and who cannot do his
//! work says so.
//!
//! **What may be repeated: nothing.** A call is made again only by a second copy of its message, for which a process or its
//! connection to the broker must die, and none does. A batch of records that was not committed comes again, but a record is
//! no call, and the log keeps one of each.

use futures::future::join;
use postrider_testkit::servers::full;
use postrider_testkit::servers::postgres::OnDisk;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::process::{PATIENCE, Process};
use crate::stage::{CREW, FLOWING, Stage, outage};

/// Calls that must come while it is gone, so that nobody waits for it: a sixth of what the load makes in a minute (240
/// events a second for two webhooks each), and all but the start of three seconds.
fn meanwhile() -> usize {
    if full() { 5000 } else { FLOWING }
}

/// A size on which a new server, its log and the load of a story have space, and which fills in a second.
const MEBIBYTES: u32 = 256;

/// An answer of a process about itself.
async fn ask(process: &Process, path: &str) -> (StatusCode, Value) {
    let client = Client::builder().no_proxy().build().expect("a client");
    let answer = client.get(format!("{}{path}", process.url)).send().await.expect("an answer");
    (answer.status(), answer.json().await.expect("JSON"))
}

/// Returns when a process says of this part of it that it cannot work, and why. Each question is a round trip, which is what
/// is awaited.
async fn cannot_work(process: &Process, part: &str) -> String {
    let asking = async {
        loop {
            let (status, said) = ask(process, "/readyz").await;
            if let (StatusCode::SERVICE_UNAVAILABLE, Some(why)) = (status, said["components"][part].as_str())
            {
                return why.to_owned();
            }
            tokio::task::yield_now().await;
        }
    };
    let why = tokio::time::timeout(PATIENCE, asking).await;
    why.unwrap_or_else(|_| panic!("{} believes that it can work", process.service))
}

/// Ingest and dispatchers can do their work.
async fn the_others_work(stage: &Stage) {
    for service in ["ingest", "dispatcher"] {
        for process in stage.of(service) {
            let (status, why) = ask(process, "/readyz").await;
            assert_eq!(status, StatusCode::OK, "{service} can do its work: {why}");
        }
    }
}

impl Stage {
    /// Nothing is put aside that was only held up.
    async fn nothing_is_parked(&self) {
        let parked = self.system.call(Method::GET, "/parked", None).await;
        assert_eq!(parked["items"], json!([]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_that_is_killed_and_comes_back_loses_nothing() {
    let mut stage = Stage::start("postgres-killed").await;
    stage.load(FLOWING).await;
    stage.own.kill_postgres().await;
    stage.flow(FLOWING).await;
    stage.own.start_postgres().await;
    stage.recover().await;
    stage.flow(FLOWING).await;
    stage.nothing_is_parked().await;
    stage.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_postgres_for_a_minute_events_are_delivered_and_each_process_says_what_it_cannot_do() {
    let mut stage = Stage::start("postgres-gone").await;
    stage.load(FLOWING).await;
    stage.own.stop_postgres().await;
    stage.relays.postgres.refuse().await;
    let said = async {
        for service in ["log-writer", "jobs", "api"] {
            for process in stage.of(service) {
                let why = cannot_work(process, "store").await;
                assert!(why.contains("Postgres"), "{service}: {why}");
            }
        }
        for process in stage.system.processes() {
            assert_eq!(ask(process, "/livez").await.0, StatusCode::OK, "{} must live on", process.service);
        }
        // They are asked last, when the others have noticed.
        the_others_work(&stage).await;
    };
    let gone = join(outage(), stage.flow(meanwhile()));
    join(said, gone).await;
    stage.own.start_postgres().await;
    stage.relays.postgres.restore().await;
    stage.recover().await;
    stage.nothing_is_parked().await;
    stage.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_that_falls_silent_holds_up_the_log_alone() {
    let mut stage = Stage::start("postgres-silent").await;
    stage.load(FLOWING).await;
    // As when its machine loses its network: nobody is told, and what is sent goes nowhere.
    stage.relays.postgres.black_hole();
    join(outage(), stage.flow(meanwhile())).await;
    // What comes back knows nothing of the connections from before.
    stage.relays.postgres.cut().await;
    stage.relays.postgres.restore().await;
    stage.recover().await;
    stage.nothing_is_parked().await;
    stage.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_holds_up_the_log_alone_and_nothing_is_lost() {
    let mut stage = Stage::on_disk("postgres-disk-full", CREW, MEBIBYTES, OnDisk::Tables).await;
    stage.load(FLOWING).await;
    stage.disk().fill().expect("it is full");
    for process in stage.of("log-writer") {
        let why = cannot_work(process, "log-writer").await;
        assert!(why.contains("No space left on device"), "{why}");
    }
    stage.flow(FLOWING).await;
    the_others_work(&stage).await;
    stage.disk().free().expect("it is free again");
    stage.recover().await;
    stage.nothing_is_parked().await;
    stage.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_that_ends_postgres_itself_loses_nothing() {
    let mut stage = Stage::on_disk("postgres-disk-full-log", CREW, MEBIBYTES, OnDisk::Everything).await;
    stage.load(FLOWING).await;
    stage.disk().fill().expect("it is full");
    // Its own log needs another file by and by; nothing but log hurries that.
    let more = "SELECT pg_logical_emit_message(true, 'more', repeat('x', 1000000)), pg_switch_wal()";
    while stage.own.postgres().sql(more).await.is_ok() {}
    stage.own.ended_postgres().await;
    stage.flow(FLOWING).await;
    stage.disk().free().expect("it is free again");
    stage.own.start_postgres().await;
    stage.recover().await;
    stage.nothing_is_parked().await;
    stage.audit().await;
}
