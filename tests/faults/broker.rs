//! RabbitMQ, and the network between it and our processes: killed, restarted, out of memory, cut off in the middle of a
//! confirm, slow, silent.

use std::time::Duration;

use postrider_testkit::relay::Direction;
use postrider_testkit::servers::full;
use reqwest::{Client, StatusCode};
use serde_json::json;
use tokio::time::{Instant, timeout};

use crate::load::UNDER_WAY;
use crate::process::{PATIENCE, Process};
use crate::stage::{FLOWING, Stage, WEBHOOKS};
use crate::system::event;

/// The method `basic.ack` of the broker, AMQP 0-9-1 §1.8.3.13: class 60, method 80. Only who publishes hears it.
const CONFIRM: [u8; 4] = [0, 60, 0, 80];
/// Services that talk with the broker all the time.
const CLIENTS: [&str; 3] = ["ingest", "dispatcher", "log-writer"];
/// Deliveries that a dispatcher must have in hand for a cut to be in the middle of something.
const SOME: usize = 20;
/// How long an event may be without an answer while the broker takes none: a confirm is waited for 10 s, and the first
/// repetition waits 3 s for a connection.
const ANSWER: Duration = Duration::from_secs(15);

/// Returns once a process says that it cannot work because of the broker. It is alive meanwhile.
async fn cannot_work(process: &Process) {
    let client = Client::builder().no_proxy().build().expect("a client");
    let asked =
        async |path: &str| client.get(format!("{}{path}", process.url)).send().await.expect("it answers");
    let unready = async {
        loop {
            let answer = asked("/readyz").await;
            let status = answer.status();
            let said = answer.text().await.expect("a body");
            if status == StatusCode::SERVICE_UNAVAILABLE && said.contains("broker") {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    let told = timeout(PATIENCE, unready).await;
    assert!(told.is_ok(), "{} never says that it waits for the broker", process.service);
    assert_eq!(asked("/livez").await.status(), StatusCode::OK, "{} is alive", process.service);
}

/// Waits until each process of these services says that it cannot work, and why.
pub(crate) async fn all_say_why(stage: &Stage, services: &[&str]) {
    for process in services.iter().flat_map(|service| stage.of(service)) {
        cannot_work(process).await;
    }
}

/// Notes what explains repeated calls when every connection to the broker is lost while dispatchers stand still with this in
/// hand: that, and the events whose acceptance nobody heard. These are published again, as suspects, and may be under way
/// beside their first copies.
pub(crate) fn note(stage: &mut Stage, what: &str, in_hand: usize) {
    stage.lost(what, in_hand);
    stage.lost("events published again because nobody heard of their acceptance", UNDER_WAY * WEBHOOKS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_killed_loses_nothing() {
    let mut stage = Stage::start("rabbitmq-killed").await;
    stage.load(FLOWING).await;
    let in_hand = stage.freeze("dispatcher").await;
    note(&mut stage, "RabbitMQ killed", in_hand);
    stage.own.kill_rabbitmq().await;
    stage.thaw("dispatcher");
    all_say_why(&stage, &CLIENTS).await;
    stage.own.start_rabbitmq().await;
    stage.recover().await;
    stage.flow(FLOWING).await;
    stage.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_restarted_in_order_loses_nothing() {
    let mut stage = Stage::start("rabbitmq-restarted").await;
    stage.load(FLOWING).await;
    let in_hand = stage.freeze("dispatcher").await;
    note(&mut stage, "RabbitMQ stopped", in_hand);
    stage.own.stop_rabbitmq().await;
    stage.thaw("dispatcher");
    stage.own.start_rabbitmq().await;
    stage.recover().await;
    stage.flow(FLOWING).await;
    stage.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_without_memory_is_waited_for_and_publishers_are_told() {
    let mut stage = Stage::start("rabbitmq-memory-alarm").await;
    stage.load(FLOWING).await;
    let in_hand = stage.freeze("dispatcher").await;
    // The connections stand, so nothing is handed out again. What was sent and not yet confirmed is sent again when the
    // broker takes messages: deliveries in hand may then be put off twice.
    note(&mut stage, "RabbitMQ out of memory", in_hand);
    stage.own.rabbitmq().set_memory_alarm(true).await.expect("the alarm is raised");
    stage.thaw("dispatcher");
    all_say_why(&stage, &["ingest", "dispatcher"]).await;
    let asked = Instant::now();
    for ingest in stage.of("ingest") {
        let client = Client::builder().no_proxy().timeout(ANSWER).build().expect("a client");
        let url = format!("{}/spaces/default/environments/master/events", ingest.url);
        let request =
            client.post(url).bearer_auth(stage.system.token()).json(&event("refused", "Asset.publish"));
        let answer = request.send().await.expect("an answer, not silence");
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.headers().contains_key("retry-after"), "{:?}", answer.headers());
    }
    stage.also.insert(
        "answered_while_blocked_ms",
        json!(u64::try_from(asked.elapsed().as_millis()).expect("small")),
    );
    stage.own.rabbitmq().set_memory_alarm(false).await.expect("the alarm is over");
    stage.recover().await;
    stage.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_cut_before_its_confirm_comes_back_loses_nothing() {
    let mut stage = Stage::start("rabbitmq-cut-mid-confirm").await;
    stage.load(FLOWING).await;
    // Ingest alone publishes: it does not hear that an event is stored.
    for _ in 0..if full() { 5 } else { 1 } {
        stage.freeze("dispatcher").await;
        stage.relays.amqp.cut_before(Direction::Back, &CONFIRM);
        timeout(PATIENCE, stage.relays.amqp.until_triggered()).await.expect("a confirm is cut off");
        stage.thaw("dispatcher");
        note(&mut stage, "ingest cut off from RabbitMQ before a confirm", 0);
        stage.recover().await;
    }
    // Dispatchers alone publish: one does not hear that what a message caused is stored.
    for _ in 0..if full() { 5 } else { 1 } {
        while stage.freeze("dispatcher").await < SOME {}
        stage.freeze("ingest").await;
        let in_hand = stage.freeze("dispatcher").await;
        stage.relays.amqp.cut_before(Direction::Back, &CONFIRM);
        stage.thaw("dispatcher");
        timeout(PATIENCE, stage.relays.amqp.until_triggered()).await.expect("a confirm is cut off");
        stage.thaw("ingest");
        note(&mut stage, "a dispatcher cut off from RabbitMQ before a confirm", in_hand);
        stage.recover().await;
    }
    stage.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_network_to_the_broker_costs_time_and_nothing_else() {
    let mut stage = Stage::start("rabbitmq-slow-network").await;
    stage.load(FLOWING).await;
    let each_way = Duration::from_millis(if full() { 200 } else { 50 });
    stage.relays.amqp.delay(each_way);
    stage.flow(FLOWING).await;
    // Also who connects anew over the slow network can work soon.
    let in_hand = stage.freeze("dispatcher").await;
    note(&mut stage, "every connection to RabbitMQ cut", in_hand);
    stage.relays.amqp.cut().await;
    stage.thaw("dispatcher");
    stage.recover().await;
    stage.relays.amqp.restore().await;
    stage.flow(FLOWING).await;
    stage.also.insert("delay_each_way_ms", json!(u64::try_from(each_way.as_millis()).expect("small")));
    stage.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_falls_silent_is_noticed_and_left() {
    let mut stage = Stage::start("rabbitmq-silent").await;
    stage.load(FLOWING).await;
    let in_hand = stage.freeze("dispatcher").await;
    note(&mut stage, "RabbitMQ out of reach without a word", in_hand);
    stage.relays.amqp.black_hole();
    stage.thaw("dispatcher");
    // Who publishes misses a confirm, who only listens the heartbeats. The second takes longer.
    let until = if full() { &CLIENTS[..] } else { &CLIENTS[..2] };
    all_say_why(&stage, until).await;
    // What is still on its way never arrives.
    stage.relays.amqp.cut().await;
    stage.relays.amqp.restore().await;
    stage.recover().await;
    stage.audit().await;
}
