//! What is wrong with the broker, its settings or its messages is said in words that tell what to change, and loses
//! nothing.

use std::sync::Arc;
use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Connection, ConnectionProperties};
use postrider_adapter_amqp::{Amqp, Settings, Status, doctor, topology};
use postrider_domain::message::{DeliverMessage, EventMessage, Lane, Queue, RecordsMessage};
use postrider_ports::clock::Clock;
use postrider_ports::inbox::{Inbox, Inboxes};
use postrider_ports::queue::{Consume, Consumers, Message, Parked, Publish};
use postrider_testkit::builders::{deliver, event, outgoing};
use postrider_testkit::servers::rabbitmq;
use postrider_testkit::{RealClock, SeededRandom};
use postrider_wire::Wire;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Long enough for anything that comes at all, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const LATE: Queue = Queue::Deliver(Lane::Late);

fn start(url: &str) -> Amqp {
    let (amqp, driver) =
        Amqp::new(Settings::new(url), Arc::new(RealClock::new()), Arc::new(SeededRandom::new(1)));
    tokio::spawn(driver.run());
    amqp
}

async fn becomes(amqp: &Amqp, wanted: impl Fn(&Status) -> bool) -> Status {
    let mut status = amqp.status();
    let status = tokio::time::timeout(PATIENCE, status.wait_for(wanted)).await;
    status.expect("the status changes in time").expect("the driver runs").clone()
}

/// Says why it is away, once it has tried.
async fn complaint(amqp: &Amqp) -> String {
    format!("{:?}", becomes(amqp, |status| matches!(status, Status::Away(why) if why != "starting")).await)
}

fn vhost_of(url: &str) -> &str {
    url.rsplit('/').next().expect("a virtual host")
}

fn consumer<M: Message>(amqp: &Amqp, queue: Queue) -> Box<dyn Consume<M>>
where
    Amqp: Consumers<M>,
{
    amqp.consumer(queue)
}

/// Publishes as somebody else would, with any headers; returns once the broker has it.
async fn inject(url: &str, exchange: &str, key: &str, headers: FieldTable, body: &[u8]) {
    let connection = Connection::connect(url, ConnectionProperties::default()).await.expect("connected");
    let channel = connection.create_channel().await.expect("a channel");
    channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms");
    let properties = BasicProperties::default().with_headers(headers);
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let confirm = channel.basic_publish(exchange.into(), key.into(), options, body, properties).await;
    let confirmed = confirm.expect("sent").await.expect("confirmed");
    assert!(confirmed.is_ack(), "{confirmed:?}");
    drop(connection.close(200, "bye".into()).await);
}

fn table(name: &str, value: AMQPValue) -> FieldTable {
    let mut table = FieldTable::default();
    table.insert(name.into(), value);
    table
}

fn delivery(id: &str) -> DeliverMessage {
    DeliverMessage { lane: Lane::Late, ..deliver(&event("Entry.publish").id(id).carried(), &["w1"]) }
}

async fn parked_reasons(amqp: &Amqp) -> Vec<(String, String)> {
    let parked = amqp.list(None, 100).await.expect("listed");
    parked.into_iter().map(|one| (one.queue, one.reason)).collect()
}

#[tokio::test]
async fn wrong_credentials_and_virtual_hosts_are_told_apart_and_no_password_is_shown() {
    let url = rabbitmq::vhost().await;
    for (wrong, says) in [
        (url.replace("guest:guest", "guest:hunter2"), "check user and password"),
        (format!("{url}-absent"), "check that the virtual host exists"),
    ] {
        let error =
            topology::declare(&Settings::new(&wrong)).await.expect_err("it must be refused").to_string();
        assert!(error.contains(says), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
        let amqp = start(&wrong);
        let complaint = complaint(&amqp).await;
        assert!(complaint.contains(says), "{complaint}");
        amqp.close().await;
    }
}

#[tokio::test]
async fn a_foreign_exchange_is_used_with_a_warning_and_a_foreign_queue_is_named() {
    let url = rabbitmq::vhost().await;
    let vhost = vhost_of(&url);
    let management = rabbitmq::management_of_all();
    let exchange = format!("/api/exchanges/{vhost}/{}", topology::EVENTS_EXCHANGE);
    management.expect("PUT", &exchange, r#"{"type":"topic","durable":true}"#).await.expect("declared");
    let settings = Settings::new(&url);
    let findings = topology::verify(&settings).await.expect("asked");
    let wrong = |name: &str| findings.iter().any(|one| one.name == name && one.wrong.is_some());
    assert!(wrong(topology::EVENTS_EXCHANGE) && wrong(topology::INBOX));
    let warnings = topology::declare(&settings).await.expect("the exchange is used as it is");
    assert!(warnings.len() == 1 && warnings[0].contains("alternate-exchange"), "{warnings:?}");
    let findings = topology::verify(&settings).await.expect("asked");
    let wrong: Vec<&str> = findings.iter().filter(|one| one.wrong.is_some()).map(|one| one.name).collect();
    assert_eq!(wrong, [topology::EVENTS_EXCHANGE]);
    let queue = format!("/api/queues/{vhost}/{}", topology::INBOX);
    management.expect("DELETE", &queue, "").await.expect("deleted");
    management.expect("PUT", &queue, r#"{"durable":true}"#).await.expect("declared");
    let error = topology::declare(&settings).await.expect_err("a classic queue is none of ours");
    assert!(!error.is_transient() && error.to_string().contains(topology::INBOX), "{error}");
}

#[tokio::test]
async fn tls_and_no_tls_that_are_mixed_up_are_named() {
    let plain = rabbitmq::vhost().await;
    let amqp = start(&plain.replace("amqp://", "amqps://"));
    let says = complaint(&amqp).await;
    assert!(says.contains("write amqp:// instead of amqps://"), "{says}");
    amqp.close().await;
    // A server that speaks TLS answers anything else with an alert: unexpected_message.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut hello = [0; 8];
            stream.read_exact(&mut hello).await.expect("the protocol header");
            stream.write_all(&[21, 3, 3, 0, 2, 2, 10]).await.expect("the alert");
        }
    });
    let secret = format!("amqp://carl:secret@127.0.0.1:{port}/live");
    let amqp = start(&secret);
    let says = complaint(&amqp).await;
    assert!(says.contains("write amqps:// instead of amqp://") && !says.contains("secret"), "{says}");
    amqp.close().await;
    let found = doctor::reach(&Settings::new(&secret)).await;
    assert!(found.len() == 1 && found[0].found.contains("write amqps:// instead of amqp://"), "{found:?}");
    assert!(!found[0].found.contains("secret"), "{found:?}");
}

#[tokio::test]
async fn a_user_who_may_not_is_told_which_permissions_it_lacks() {
    let url = rabbitmq::vhost().await;
    let vhost = vhost_of(&url);
    let management = rabbitmq::management_of_all();
    let user = format!("carl-{vhost}");
    let account = format!("/api/users/{user}");
    management.expect("PUT", &account, r#"{"password":"secret","tags":""}"#).await.expect("made");
    let theirs = url.replace("guest:guest", &format!("{user}:secret"));
    let refused = topology::declare(&Settings::new(&theirs)).await.expect_err("no permission").to_string();
    assert!(refused.contains("that the user may use it"), "{refused}");
    let permissions = format!("/api/permissions/{vhost}/{user}");
    let some = r#"{"configure":"^$","write":".*","read":".*"}"#;
    management.expect("PUT", &permissions, some).await.expect("given");
    let refused =
        topology::declare(&Settings::new(&theirs)).await.expect_err("it may not declare").to_string();
    assert!(
        refused.contains("configure, write and read on postrider") && !refused.contains("secret"),
        "{refused}"
    );
    management.expect("DELETE", &account, "").await.expect("deleted");
}

#[tokio::test]
async fn a_foreign_argument_on_one_of_our_queues_is_named_until_the_queue_is_gone() {
    let url = rabbitmq::vhost().await;
    let queue = format!("/api/queues/{}/{}", vhost_of(&url), topology::name(LATE));
    let management = rabbitmq::management_of_all();
    let ours =
        topology::objects().into_iter().find(|one| one.name == topology::name(LATE)).expect("declared");
    let five = topology::Argument::Number(5);
    let arguments = ours.arguments.iter().map(|(name, value)| {
        let value = if *name == "x-delivery-limit" { &five } else { value };
        format!("\"{name}\":{value}")
    });
    let arguments: Vec<String> = arguments.collect();
    let other = format!(r#"{{"durable":true,"arguments":{{{}}}}}"#, arguments.join(","));
    management.expect("PUT", &queue, &other).await.expect("declared");
    let amqp = start(&url);
    let says = complaint(&amqp).await;
    for words in
        [topology::name(LATE), "argument x-delivery-limit = ", "'5'", "it must be 20", "delete queue"]
    {
        assert!(says.contains(words), "{says}");
    }
    let settings = Settings::new(&url);
    let findings = topology::verify(&settings).await.expect("asked");
    let finding = findings.iter().find(|one| one.name == topology::name(LATE)).expect("compared");
    let wrong = finding.wrong.as_deref().expect("wrong");
    assert!(wrong.contains("x-delivery-limit") && wrong.contains("it must be 20"), "{wrong}");
    assert!(finding.change.as_ref().is_some_and(|change| change.contains("delete queue")), "{finding:?}");
    assert!(!finding.missing && findings.iter().any(|one| one.missing), "{findings:?}");
    management.expect("DELETE", &queue, "").await.expect("deleted");
    becomes(&amqp, |status| *status == Status::Ready).await;
    amqp.close().await;
}

#[tokio::test]
async fn a_body_that_is_not_ours_is_parked_and_holds_up_nothing() {
    let url = rabbitmq::vhost().await;
    let amqp = start(&url);
    becomes(&amqp, |status| *status == Status::Ready).await;
    let foreign: [&[u8]; 4] = [b"", b"hello", b"{\"v\":1}", &[0xff, 0xfe, 0, 1]];
    let queues = [Queue::Events, Queue::Deliver(Lane::Fresh), Queue::Deliver(Lane::Late), Queue::Records];
    for (queue, body) in queues.into_iter().flat_map(|queue| foreign.map(|body| (queue, body))) {
        inject(&url, "", topology::name(queue), FieldTable::default(), body).await;
    }
    let good = vec![outgoing(event("Entry.publish").id("good").message())];
    Publish::<EventMessage>::publish(&amqp, good).await.expect("stored");
    let received = consumer::<EventMessage>(&amqp, Queue::Events).receive(10).await.expect("the good one");
    assert_eq!(received.len(), 1);
    for lane in [Lane::Fresh, Lane::Late] {
        let good = vec![outgoing(DeliverMessage { lane, ..delivery("good") })];
        Publish::<DeliverMessage>::publish(&amqp, good).await.expect("stored");
        let queue = Queue::Deliver(lane);
        let received = consumer::<DeliverMessage>(&amqp, queue).receive(10).await.expect("the good one");
        assert_eq!(received.len(), 1);
    }
    Publish::<RecordsMessage>::publish(&amqp, vec![outgoing(RecordsMessage { records: Vec::new() })])
        .await
        .expect("stored");
    let received = consumer::<RecordsMessage>(&amqp, Queue::Records).receive(10).await.expect("the good one");
    assert_eq!(received.len(), 1);
    let parked = parked_reasons(&amqp).await;
    assert_eq!(parked.len(), queues.len() * foreign.len(), "{parked:?}");
    for queue in queues {
        let of_it = parked
            .iter()
            .filter(|(name, reason)| name == queue.as_str() && reason.contains("it cannot be read: "));
        assert_eq!(of_it.count(), foreign.len(), "{parked:?}");
    }
    amqp.close().await;
}

#[tokio::test]
async fn headers_of_ours_that_cannot_be_ours_are_parked_and_all_others_are_borne() {
    const NOT_BEFORE: &str = "postrider-not-before";
    let url = rabbitmq::vhost().await;
    let amqp = start(&url);
    becomes(&amqp, |status| *status == Status::Ready).await;
    let bad = [
        (NOT_BEFORE, AMQPValue::LongString("soon".into())),
        (NOT_BEFORE, AMQPValue::Double(1.5)),
        (NOT_BEFORE, AMQPValue::LongLongInt(i64::MAX)),
    ];
    for (name, value) in bad.clone() {
        inject(&url, "", topology::name(LATE), table(name, value), &delivery("bad").encode()).await;
    }
    let borne = [
        (NOT_BEFORE, AMQPValue::LongLongInt(-5)),
        (NOT_BEFORE, AMQPValue::LongLongInt(i64::MIN)),
        ("postrider-suspect", AMQPValue::LongString("yes".into())),
        ("postrider-wire", AMQPValue::FieldTable(FieldTable::default())),
        ("traceparent", AMQPValue::Void),
        ("x-delivery-count", AMQPValue::LongLongInt(-3)),
        ("x-delivery-count", AMQPValue::LongString("many".into())),
        ("x-death", AMQPValue::LongString("none".into())),
    ];
    let mut late = consumer::<DeliverMessage>(&amqp, LATE);
    for (name, value) in borne {
        inject(&url, "", topology::name(LATE), table(name, value.clone()), &delivery("borne").encode()).await;
        let received =
            tokio::time::timeout(PATIENCE, late.receive(1)).await.expect("it comes").expect("a message");
        assert_eq!(received[0].suspect, name == "postrider-suspect", "{name} {value:?}");
        assert_eq!(received[0].redeliveries, 0, "{name} {value:?}");
        received.into_iter().next().expect("one").lease.ack().await.expect("acknowledged");
    }
    let parked = parked_reasons(&amqp).await;
    assert_eq!(parked.len(), bad.len(), "{parked:?}");
    assert!(
        parked.iter().all(|(queue, reason)| queue == LATE.as_str() && reason.contains(NOT_BEFORE)),
        "{parked:?}"
    );
    amqp.close().await;
}

#[tokio::test]
async fn an_input_with_our_headers_or_enormous_ones_stays_an_input() {
    let url = rabbitmq::vhost().await;
    let amqp = start(&url);
    becomes(&amqp, |status| *status == Status::Ready).await;
    let mut inbox: Box<dyn Inbox> = amqp.inbox();
    let in_an_hour = RealClock::new().now().plus(Duration::from_secs(3600)).unix_ms();
    let headers = [
        table("postrider-not-before", AMQPValue::LongLongInt(in_an_hour)),
        table("mine", AMQPValue::LongString("x".repeat(120_000).into())),
    ];
    for headers in headers {
        inject(&url, topology::EVENTS_EXCHANGE, "a.b.C.d", headers, b"{}").await;
        let arrived =
            tokio::time::timeout(PATIENCE, inbox.receive(1)).await.expect("it comes").expect("an input");
        let arrived = arrived.into_iter().next().expect("one");
        arrived.lease.park("for the test").await.expect("parked, although its headers fill a frame");
    }
    let parked = amqp.list(None, 10).await.expect("listed");
    assert_eq!(parked.len(), 2);
    for parked in parked {
        assert_eq!((parked.queue.as_str(), parked.reason.as_str()), ("inbox", "for the test"));
        assert!(amqp.redrive(parked.id).await.expect("redriven"));
        let again = inbox.receive(1).await.expect("an input").into_iter().next().expect("one");
        assert_eq!((again.routing_key.as_str(), again.body.as_slice()), ("a.b.C.d", b"{}".as_slice()));
        again.lease.ack().await.expect("acknowledged");
    }
    amqp.close().await;
}

#[tokio::test]
async fn a_parked_message_too_large_for_its_frame_fails_the_list_and_nothing_else() {
    let url = rabbitmq::vhost().await;
    let amqp = start(&url);
    becomes(&amqp, |status| *status == Status::Ready).await;
    // No AMQP client can send such headers; the management API can.
    let publish = format!(
        r#"{{"properties":{{"headers":{{"mine":"{}"}}}},"routing_key":"{}","payload":"","payload_encoding":"string"}}"#,
        "x".repeat(200_000),
        topology::PARKED
    );
    let vhost = vhost_of(&url);
    let management = rabbitmq::management_of_all();
    let path = format!("/api/exchanges/{vhost}/amq.default/publish");
    management.expect("POST", &path, &publish).await.expect("published");
    let listed = tokio::time::timeout(PATIENCE, amqp.list(None, 10)).await.expect("an answer in time");
    assert!(listed.expect_err("it cannot be read").is_transient());
    let purge = format!("/api/queues/{vhost}/{}/contents", topology::PARKED);
    management.expect("DELETE", &purge, "").await.expect("purged");
    becomes(&amqp, |status| *status == Status::Ready).await;
    let good = vec![outgoing(event("Entry.publish").id("good").message())];
    Publish::<EventMessage>::publish(&amqp, good).await.expect("stored");
    amqp.close().await;
}
