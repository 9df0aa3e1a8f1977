//! Poison in the distributed system: a message that no dispatcher survives, and a record that no log-writer can store.

use lapin::options::BasicGetOptions;
use lapin::{Connection, ConnectionProperties};
use postrider_testkit::servers;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::ALONE;
use crate::composition::{Composition, Crew, Servers, can_work};
use crate::process::Process;
use crate::system::{System, event, webhook};
use crate::target::{Answer, Target};

const FRESH: &str = "postrider.v1.deliver.fresh";
const CREW: &Crew = &[("ingest", 1), ("dispatcher", 1), ("log-writer", 1), ("jobs", 1), ("api", 1)];

/// RabbitMQ hands a message out again after a failure as often as its delivery limit says (DESIGN §4.2), so that it can
/// fail once more than that.
const DEATHS: usize = 20 + 1;

/// SIGKILL, with what it holds.
async fn kill_dispatcher(system: &mut System) {
    let processes = &mut system.composition.processes;
    let at = processes.iter().position(|process| process.service == "dispatcher").expect("it runs");
    let dispatcher = processes.remove(at);
    dispatcher.signal("KILL");
    dispatcher.ended().await;
}

async fn start_dispatcher(system: &mut System) {
    let composition = &mut system.composition;
    let process = Process::start(composition.command(), "dispatcher", &composition.settings).await;
    can_work(&process).await;
    composition.processes.push(process);
}

/// To the broker a consumer that dies is a connection that ends while it holds messages: here one that takes so many and goes.
async fn take_and_die(url: &str, messages: usize) {
    let connection = Connection::connect(url, ConnectionProperties::default()).await.expect("connected");
    let channel = connection.create_channel().await.expect("a channel");
    let mut held = 0;
    while held < messages {
        let got = channel.basic_get(FRESH.into(), BasicGetOptions::default()).await.expect("an answer");
        held += usize::from(got.is_some());
    }
    drop(connection.close(200, "dead".into()).await);
}

async fn parked(system: &System) -> Vec<Value> {
    let list = system.call(Method::GET, "/parked", None).await;
    let mut shown = Vec::new();
    for message in list["items"].as_array().expect("items") {
        let path = format!("/parked/{}", message["sys"]["id"].as_str().expect("an id"));
        shown.push(system.call(Method::GET, &path, None).await);
    }
    shown.sort_by_key(|message| message["holds"][0]["event"].to_string());
    shown
}

async fn redrive(system: &System, message: &Value) {
    let path = format!("/parked/{}/redrive", message["sys"]["id"].as_str().expect("an id"));
    system.call(Method::POST, &path, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_dispatcher_survives_is_parked_then_put_back_or_dropped() {
    let _alone = ALONE.lock().await;
    let target =
        Target::start(|hit| if hit.path == "/poison" { Answer::Gate } else { Answer::Status(200) }).await;
    let composition = Composition::on(Servers::borrow().await, CREW, &[]).await;
    let mut system = System::over(composition).await;
    for (path, topic) in [("/poison", "Entry.*"), ("/well", "Asset.*")] {
        system.webhook(&webhook(&target.url(path), &[topic])).await;
    }
    for id in ["e1", "e2"] {
        system.accept(&event(id, "Entry.publish")).await;
    }
    system.happen(&[event("w1", "Asset.publish")], 1).await;
    // All of it with real dispatchers takes minutes; one of them shows what the broker counts.
    let dispatchers = if servers::full() { DEATHS } else { 1 };
    for deaths in 1..=dispatchers {
        target.until(2 * deaths + 1).await;
        kill_dispatcher(&mut system).await;
        if deaths < dispatchers {
            start_dispatcher(&mut system).await;
        }
    }
    for _ in dispatchers..DEATHS {
        take_and_die(&system.composition.servers.amqp, 2).await;
    }
    let balance = system.until("both are parked", |balance| balance.of("parked") == 2).await;
    assert_eq!((balance.of("delivered"), balance.total()), (1, 3), "difference 0: {balance:?}");

    let messages = parked(&system).await;
    assert_eq!(messages.len(), 2, "{messages:?}");
    for (message, id) in messages.iter().zip(["e1", "e2"]) {
        let reason = message["reason"].as_str().expect("why");
        assert!(reason.contains("delivery_limit") && reason.contains("never came to an end"), "{message}");
        assert_eq!((&message["queue"], &message["holds"][0]["event"]), (&json!("deliver.fresh"), &json!(id)));
        assert!(message["parkedAt"].as_str().expect("when") > "2020", "{message}");
    }
    // Nobody delivers yet: put back it is pending, dropped it has ended.
    redrive(&system, &messages[0]).await;
    let path = format!("/parked/{}", messages[1]["sys"]["id"].as_str().expect("an id"));
    system.call(Method::DELETE, &path, None).await;
    let balance = system.balance().await;
    let states = ["pending", "cancelled", "parked", "delivered"].map(|state| balance.of(state));
    assert_eq!((states, balance.total()), ([1, 1, 0, 1], 3), "{balance:?}");

    target.open_gate();
    start_dispatcher(&mut system).await;
    let balance = system.until("the first is delivered", |balance| balance.of("delivered") == 2).await;
    assert_eq!((balance.of("cancelled"), balance.total()), (1, 3), "{balance:?}");
    system.happen(&[event("w2", "Asset.publish")], 3).await;
    assert!(parked(&system).await.is_empty());
    assert_eq!(target.count(), 2 * dispatchers + 3, "put back it is called once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_cannot_be_stored_holds_up_nobody_and_comes_in_when_it_can() {
    let _alone = ALONE.lock().await;
    let target = Target::willing().await;
    let system = System::over(Composition::on(Servers::borrow().await, CREW, &[]).await).await;
    system.webhook(&webhook(&target.url("/"), &["*.*"])).await;
    let sql = async |statement: &'static str| {
        let mut postgres =
            PgConnection::connect(&system.composition.servers.postgres).await.expect("the database opens");
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut postgres).await.expect("done");
    };
    sql("ALTER TABLE calls ADD CONSTRAINT no_poison CHECK (event NOT IN ('e7', 'e31'))").await;
    let events: Vec<Value> = (0..50).map(|number| event(&format!("e{number}"), "Entry.publish")).collect();
    // How the two ended is known all the same.
    system.happen(&events, 50).await;
    let calls = async || {
        let page = system.call(Method::GET, "/spaces/default/calls?limit=1", None).await;
        page["total"].as_u64().expect("a number")
    };
    assert_eq!(calls().await, 48);
    let messages = parked(&system).await;
    assert!(!messages.is_empty() && messages.len() <= 2, "{messages:?}");
    for message in &messages {
        assert_eq!(message["queue"], "records");
        assert!(message["reason"].as_str().expect("why").contains("no_poison"), "{message}");
    }
    sql("ALTER TABLE calls DROP CONSTRAINT no_poison").await;
    for message in &messages {
        redrive(&system, message).await;
    }
    while calls().await < 50 {}
    let balance = system.balance().await;
    assert_eq!((balance.of("delivered"), balance.total(), target.count()), (50, 50, 50), "{balance:?}");
    assert!(parked(&system).await.is_empty());
}
