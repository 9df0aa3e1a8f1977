//! Parked messages over the real broker: paged by id whatever the order of the queue, and never kept from others by
//! somebody who went away while looking.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Connection, ConnectionProperties};
use postrider_adapter_amqp::{Amqp, Settings, topology};
use postrider_ports::queue::Parked;
use postrider_testkit::servers::rabbitmq;
use postrider_testkit::{RealClock, SeededRandom};

/// Long enough for anything that comes at all, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn start(url: &str) -> Amqp {
    let (amqp, driver) =
        Amqp::new(Settings::new(url), Arc::new(RealClock::new()), Arc::new(SeededRandom::new(1)));
    tokio::spawn(driver.run());
    amqp
}

/// Puts messages straight into the queue of parked ones, with these ids; without one, as the broker does by itself.
async fn inject(url: &str, ids: &[Option<i64>]) {
    let connection = Connection::connect(url, ConnectionProperties::default()).await.expect("connected");
    let channel = connection.create_channel().await.expect("a channel");
    channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms");
    for (at, id) in ids.iter().enumerate() {
        let mut headers = FieldTable::default();
        if let Some(id) = id {
            headers.insert("postrider-parked-id".into(), AMQPValue::LongLongInt(*id));
        }
        let properties = BasicProperties::default().with_headers(headers);
        let (options, body) = (BasicPublishOptions::default(), format!("message {at}"));
        let to = topology::PARKED.into();
        let sent = channel.basic_publish("".into(), to, options, body.as_bytes(), properties).await;
        sent.expect("sent").await.expect("confirmed");
    }
    drop(connection.close(200, "bye".into()).await);
}

async fn ids(amqp: &Amqp) -> Vec<i64> {
    amqp.list(None, 100).await.expect("listed").iter().map(|message| message.id).collect()
}

#[tokio::test]
async fn pages_go_by_id_though_the_queue_has_another_order() {
    let url = rabbitmq::vhost().await;
    let amqp = start(&url);
    assert_eq!(ids(&amqp).await, [0_i64; 0]);
    // A process whose clock is behind, and messages that the broker gave up, whose ids lie before all others.
    let high = 1_i64 << 50;
    inject(&url, &[Some(high + 5), Some(high + 1), None, Some(high + 3), None, Some(high + 2)]).await;
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = amqp.list(after, 2).await.expect("listed");
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        listed.extend(page.into_iter().map(|message| message.id));
    }
    assert_eq!(listed.len(), 6, "each once: {listed:?}");
    assert!(listed[1] < high && listed[2..] == [high + 1, high + 2, high + 3, high + 5], "{listed:?}");
    assert!(
        amqp.discard(listed[0]).await.expect("discarded") && amqp.discard(high + 3).await.expect("discarded")
    );
    assert_eq!(ids(&amqp).await, [listed[1], high + 1, high + 2, high + 5]);
    amqp.close().await;
}

#[tokio::test]
async fn who_goes_away_while_looking_keeps_nothing_from_others() {
    let url = rabbitmq::vhost().await;
    let (leaver, other) = (start(&url), start(&url));
    assert_eq!((ids(&leaver).await, ids(&other).await), (vec![], vec![]));
    let all: Vec<i64> = (1..=20).collect();
    inject(&url, &all.iter().copied().map(Some).collect::<Vec<_>>()).await;
    // Given up after so many steps, hence with more and more messages taken out.
    for steps in 1..40 {
        let mut left = steps;
        let mut listing = pin!(leaver.list(None, 100));
        let over = poll_fn(|context| {
            left -= 1;
            match listing.as_mut().poll(context) {
                Poll::Pending if left > 0 => Poll::Pending,
                Poll::Pending => Poll::Ready(false),
                Poll::Ready(_) => Poll::Ready(true),
            }
        });
        if tokio::time::timeout(PATIENCE, over).await.expect("a step") {
            break;
        }
    }
    let seen = async {
        // Each look is a round trip; the broker puts back what a closed channel held.
        while ids(&other).await != all {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, seen).await.expect("the other sees all of them again");
    leaver.close().await;
    other.close().await;
}
