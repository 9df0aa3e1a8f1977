//! Names and arguments of everything on the broker (DESIGN §4.2). Arguments cannot be changed once declared, so a change
//! is a new version in the prefix.

use std::fmt;

use futures::future::{try_join, try_join_all};
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, LongString};
use lapin::{Channel, Connection, ExchangeKind};
use postrider_domain::message::{Lane, Queue};
use postrider_ports::error::{PortError, PortResult};

use crate::connection::{self, Settings};

mod compare;

pub use compare::{Finding, verify};
use compare::{is_inequivalent, is_refused};

/// Where a CMS publishes. Public, so it has no version.
pub const EVENTS_EXCHANGE: &str = "postrider.events";
/// Everything that was published to [`EVENTS_EXCHANGE`], for ingest.
pub const INBOX: &str = "postrider.v1.inbox";
/// What could not be processed, with its reason.
pub const PARKED: &str = "postrider.v1.parked";
/// Who has declared this queue, which nobody else then can, looks at the parked messages. It goes with its connection, so
/// who dies in the midst of a look keeps nobody waiting.
pub(crate) const TURN: &str = "postrider.v1.parked.turn";
/// What was published to [`EVENTS_EXCHANGE`] and reached no queue.
pub const UNROUTABLE: &str = "postrider.v1.unroutable";
/// Whether any epoch was ever begun on this broker ([`crate::epoch`]). Not among the [`objects`]: whoever declared it along
/// with them would hide that the broker lost its disk.
pub(crate) const EPOCHS: &str = "postrider.v1.epoch";
/// Where the broker sends what reached the delivery limit.
const DEAD_LETTERS: &str = "postrider.v1.dlx";
/// After so many failed deliveries a message is parked.
pub const DELIVERY_LIMIT: u32 = 20;
/// Reading the parked messages hands them out and takes them back, and RabbitMQ 4 drops a message that came back 20
/// times unless the queue says otherwise. (-1, which means never there, is not documented for 3.10.)
const NEVER: i64 = 1_000_000_000;

/// The delay levels: queue n holds a message for 2^n seconds, the longest for 2^19 s (6 days).
pub(crate) const DELAYS: [&str; 20] = [
    "postrider.v1.delay.00",
    "postrider.v1.delay.01",
    "postrider.v1.delay.02",
    "postrider.v1.delay.03",
    "postrider.v1.delay.04",
    "postrider.v1.delay.05",
    "postrider.v1.delay.06",
    "postrider.v1.delay.07",
    "postrider.v1.delay.08",
    "postrider.v1.delay.09",
    "postrider.v1.delay.10",
    "postrider.v1.delay.11",
    "postrider.v1.delay.12",
    "postrider.v1.delay.13",
    "postrider.v1.delay.14",
    "postrider.v1.delay.15",
    "postrider.v1.delay.16",
    "postrider.v1.delay.17",
    "postrider.v1.delay.18",
    "postrider.v1.delay.19",
];

/// The broker's name of a queue.
pub fn name(queue: Queue) -> &'static str {
    match queue {
        Queue::Events => "postrider.v1.events",
        Queue::Deliver(Lane::Fresh) => "postrider.v1.deliver.fresh",
        Queue::Deliver(Lane::Late) => "postrider.v1.deliver.late",
        Queue::Deliver(Lane::Bulk) => "postrider.v1.deliver.bulk",
        Queue::Records => "postrider.v1.records",
    }
}

/// The exchange that stands for an epoch that is kept, or only begun. Nothing is ever published to it.
pub(crate) fn epoch_name(id: &str, kept: bool) -> String {
    format!("{EPOCHS}.{id}{}", if kept { "" } else { ".begun" })
}

/// Whether a queue or an exchange of this name is one of these, or one of an older release's.
pub(crate) fn is_ours(name: &str) -> bool {
    name.starts_with("postrider.")
}

/// One object on the broker.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Arguments of its declaration.
    pub arguments: Vec<(&'static str, Argument)>,
    /// The exchange that feeds it, and the binding key; the default exchange feeds every queue by its name.
    pub bound: Option<(&'static str, &'static str)>,
}

/// What an object is. All are durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An exchange that routes by pattern.
    Topic,
    /// An exchange that routes to all that is bound.
    Fanout,
    /// A quorum queue.
    Queue,
}

/// The value of an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Argument {
    /// A text.
    Text(&'static str),
    /// A number.
    Number(i64),
}

/// Everything, in the order in which it is declared.
pub fn objects() -> Vec<Object> {
    let mut objects = vec![
        exchange(DEAD_LETTERS, Kind::Fanout),
        exchange(UNROUTABLE, Kind::Fanout),
        Object {
            arguments: vec![("alternate-exchange", Argument::Text(UNROUTABLE))],
            ..exchange(EVENTS_EXCHANGE, Kind::Topic)
        },
        kept(UNROUTABLE, UNROUTABLE),
        kept(PARKED, DEAD_LETTERS),
        Object { bound: Some((EVENTS_EXCHANGE, "#")), ..work(INBOX) },
    ];
    objects.extend(Queue::ALL.into_iter().map(|queue| work(name(queue))));
    objects.extend((0_u32..).zip(DELAYS).map(|(level, name)| delay(level, name)));
    objects
}

/// All objects for people, one a line.
pub fn describe() -> String {
    objects().iter().map(Object::to_string).collect::<Vec<_>>().join("\n")
}

/// Connects once and declares everything; answers warnings.
pub async fn declare(settings: &Settings) -> PortResult<Vec<String>> {
    let connection = connection::connect_any(settings, "topology").await?;
    let warnings = declare_all(&connection).await?;
    connection::bid_farewell(&connection).await;
    Ok(warnings)
}

/// Declares and binds everything; answers warnings.
pub(crate) async fn declare_all(connection: &Connection) -> PortResult<Vec<String>> {
    let no_channel = |error| PortError::transient("could not open a channel for the topology").because(error);
    let channel = connection.create_channel().await.map_err(no_channel)?;
    // Asked one by one, some thirty round trips would pass before anything works, 12 s where one takes 0.4 s. The broker
    // takes what comes on a channel in its order, so a queue is there before it is bound.
    let objects = objects();
    if try_join_all(objects.iter().map(|object| object.declare_and_bind(&channel))).await.is_ok() {
        // Closed with its connection at the latest.
        drop(channel.close(200, "declared".into()).await);
        return Ok(Vec::new());
    }
    // A refusal ends the channel and says nothing of what was asked beside it. One by one it shows whose it is.
    let mut warnings = Vec::new();
    let mut channel = connection.create_channel().await.map_err(no_channel)?;
    for object in objects {
        match object.declare(&channel, false).await {
            Ok(()) => {}
            // The public exchange may have been there before us.
            Err(error) if object.name == EVENTS_EXCHANGE && is_inequivalent(&error.to_string()) => {
                let (difference, remedy) = (object.difference(&error.to_string()), object.remedy());
                warnings.push(format!("exchange {EVENTS_EXCHANGE} {difference}. {remedy}"));
                channel = connection.create_channel().await.map_err(no_channel)?;
            }
            Err(error) => return Err(refused(&object, &error)),
        }
        object.bind(&channel).await.map_err(|error| refused(&object, &error))?;
    }
    drop(channel.close(200, "declared".into()).await);
    Ok(warnings)
}

fn refused(object: &Object, error: &lapin::Error) -> PortError {
    let (what, name, text) = (object.noun(), object.name, error.to_string());
    if is_inequivalent(&text) {
        let (difference, remedy) = (object.difference(&text), object.remedy());
        return PortError::permanent(format!("{what} {name} on the broker {difference}. {remedy}"));
    }
    if is_refused(&text) {
        return PortError::permanent(format!(
            "the user of the AMQP URL may not declare {what} {name} ({text}): give it the permissions configure, write and \
             read on postrider\\..*"
        ));
    }
    PortError::transient(format!("could not declare {what} {name} on the broker: {text}"))
}

fn exchange(name: &'static str, kind: Kind) -> Object {
    Object { name, kind, arguments: Vec::new(), bound: None }
}

/// A queue that services consume.
fn work(name: &'static str) -> Object {
    let arguments = vec![
        ("x-queue-type", Argument::Text("quorum")),
        ("x-delivery-limit", Argument::Number(i64::from(DELIVERY_LIMIT))),
        ("x-dead-letter-exchange", Argument::Text(DEAD_LETTERS)),
        ("x-dead-letter-strategy", Argument::Text("at-least-once")),
        ("x-overflow", Argument::Text("reject-publish")),
    ];
    Object { name, kind: Kind::Queue, arguments, bound: None }
}

/// A queue that is only read by people.
fn kept(name: &'static str, source: &'static str) -> Object {
    let arguments =
        vec![("x-queue-type", Argument::Text("quorum")), ("x-delivery-limit", Argument::Number(NEVER))];
    Object { name, kind: Kind::Queue, arguments, bound: Some((source, "#")) }
}

fn delay(level: u32, name: &'static str) -> Object {
    let arguments = vec![
        ("x-queue-type", Argument::Text("quorum")),
        ("x-message-ttl", Argument::Number((1 << level) * 1000)),
        ("x-dead-letter-exchange", Argument::Text("")),
        ("x-dead-letter-routing-key", Argument::Text(self::name(Queue::Deliver(Lane::Late)))),
        ("x-dead-letter-strategy", Argument::Text("at-least-once")),
        ("x-overflow", Argument::Text("reject-publish")),
    ];
    Object { name, kind: Kind::Queue, arguments, bound: None }
}

impl Object {
    async fn declare_and_bind(&self, channel: &Channel) -> Result<(), lapin::Error> {
        try_join(self.declare(channel, false), self.bind(channel)).await.map(drop)
    }

    async fn bind(&self, channel: &Channel) -> Result<(), lapin::Error> {
        let Some((source, key)) = self.bound else { return Ok(()) };
        let options = QueueBindOptions::default();
        channel.queue_bind(self.name.into(), source.into(), key.into(), options, FieldTable::default()).await
    }

    async fn declare(&self, channel: &Channel, passive: bool) -> Result<(), lapin::Error> {
        let kind = match self.kind {
            Kind::Topic => ExchangeKind::Topic,
            Kind::Fanout => ExchangeKind::Fanout,
            Kind::Queue => {
                let options =
                    QueueDeclareOptions { passive, durable: true, ..QueueDeclareOptions::default() };
                channel.queue_declare(self.name.into(), options, self.table()).await?;
                return Ok(());
            }
        };
        let options = ExchangeDeclareOptions { passive, durable: true, ..ExchangeDeclareOptions::default() };
        channel.exchange_declare(self.name.into(), kind, options, self.table()).await
    }

    fn table(&self) -> FieldTable {
        let mut table = FieldTable::default();
        for (key, value) in &self.arguments {
            let value = match *value {
                Argument::Text(text) => AMQPValue::LongString(LongString::from(text)),
                Argument::Number(number) => AMQPValue::LongLongInt(number),
            };
            table.insert((*key).into(), value);
        }
        table
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Topic => "topic exchange",
            Kind::Fanout => "fanout exchange",
            Kind::Queue => "queue",
        };
        write!(f, "{kind} {}", self.name)?;
        if let Some((source, key)) = self.bound {
            write!(f, " bound to {source} with {key}")?;
        }
        for (key, value) in &self.arguments {
            write!(f, " {key}={value}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_delay_queue_is_named_by_its_level_and_doubles_the_one_before() {
        for (level, object) in objects().iter().filter(|object| object.name.contains("delay")).enumerate() {
            assert_eq!(object.name, format!("postrider.v1.delay.{level:02}"));
            let ttl = Argument::Number(1000 << level);
            assert!(object.arguments.contains(&("x-message-ttl", ttl)), "{object}");
        }
    }

    #[test]
    fn a_queue_is_described_in_one_line() {
        let text = describe();
        assert_eq!(text.lines().count(), objects().len());
        assert!(text.contains("queue postrider.v1.inbox bound to postrider.events with #"), "{text}");
    }
}
