//! Publishing: persistent, mandatory, and only a confirm without a returned message is success.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::try_join_all;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Confirmation, Connection};
use postrider_domain::message::{Lane, Queue};
use postrider_domain::timestamp::Timestamp;
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::queue::{Outgoing, Publish};
use postrider_wire::EMITTED;
use tokio::sync::Semaphore;

use crate::costs::Costs;
use crate::driver::Amqp;
use crate::kind::Kind;
use crate::session::Session;
use crate::{defer, headers, topology};

/// How many messages of one process are on their way and unconfirmed. One at a time brings 1,700 a second, a hundred
/// 31,000, a thousand 37,000.
const WINDOW: usize = 500;
/// A batch goes out in parts of this size, so that two callers share the window.
const PART: usize = 250;
/// A confirm that takes longer is lost, and with it everything that is known about the connection.
const CONFIRM: Duration = Duration::from_secs(10);

/// What goes to the broker.
pub(crate) struct Parcel {
    /// `""` is the default exchange: the key is the name of the queue.
    pub(crate) exchange: &'static str,
    pub(crate) key: String,
    pub(crate) headers: FieldTable,
    pub(crate) body: Vec<u8>,
}

/// The publishing side of a session.
pub(crate) struct Publisher {
    channel: tokio::sync::Mutex<Channel>,
    window: Semaphore,
    costs: Arc<Costs>,
}

impl Parcel {
    /// For a queue.
    pub(crate) fn to(queue: &str, headers: FieldTable, body: Vec<u8>) -> Self {
        Self { exchange: "", key: queue.to_owned(), headers, body }
    }

    fn new<M: Kind>(outgoing: &Outgoing<M>, now: Timestamp) -> PortResult<Self> {
        let mut headers = FieldTable::default();
        headers::set_number(&mut headers, headers::WIRE, EMITTED.into());
        headers::set_trace(&mut headers, &outgoing.trace);
        if outgoing.suspect {
            headers::set_suspect(&mut headers);
        }
        let queue = match outgoing.not_before {
            None => topology::name(outgoing.message.queue()),
            Some(_) if !M::DEFERRABLE => {
                let queue = outgoing.message.queue().as_str();
                return Err(PortError::permanent(format!(
                    "only deliveries can be put off, not messages of {queue}"
                )));
            }
            Some(not_before) => {
                let due = defer::due(now, not_before);
                headers::set_number(&mut headers, headers::NOT_BEFORE, due.unix_ms());
                defer::note_rest(&mut headers, due.since(now));
                defer::level(due.since(now)).unwrap_or(topology::name(Queue::Deliver(Lane::Late)))
            }
        };
        Ok(Self::to(queue, headers, outgoing.message.encode()))
    }
}

impl Publisher {
    pub(crate) async fn open(connection: &Connection, costs: &Arc<Costs>) -> Result<Self, lapin::Error> {
        let channel = tokio::sync::Mutex::new(confirming(connection).await?);
        Ok(Self { channel, window: Semaphore::new(WINDOW), costs: Arc::clone(costs) })
    }

    /// Another channel instead of one on which something was refused. A channel that comes to a quorum queue just after its
    /// leader's node died remembers that node and refuses everything for that queue for as long as it lives (RabbitMQ 3.10,
    /// `rabbit_fifo_client`), while the queue works again within a second. What is on its way on the old one is confirmed there.
    pub(crate) async fn renew(&self, connection: &Connection, refused_on: u16) -> Result<(), lapin::Error> {
        let mut channel = self.channel.lock().await;
        // Of many that were refused on one channel the first renews it.
        if channel.id() == refused_on {
            *channel = confirming(connection).await?;
        }
        Ok(())
    }

    async fn send_part(&self, part: &[Parcel]) -> Result<(), Failure> {
        let count = u32::try_from(part.len()).unwrap_or(u32::MAX);
        let _permits = self.window.acquire_many(count).await.map_err(|_| Failure::closed())?;
        let channel = self.channel.lock().await.clone();
        let mut confirms = Vec::with_capacity(part.len());
        for parcel in part {
            let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
            // 2 is persistent, AMQP 0-9-1 §4.2.6.1 and <https://www.rabbitmq.com/docs/publishers#message-properties>.
            let properties =
                BasicProperties::default().with_delivery_mode(2).with_headers(parcel.headers.clone());
            let (exchange, key) = (parcel.exchange.into(), parcel.key.as_str().into());
            let sent = channel.basic_publish(exchange, key, options, &parcel.body, properties).await;
            confirms.push(sent.map_err(|error| Failure::broken(format!("a publish failed: {error}")))?);
            self.costs.publish();
        }
        let confirmed = try_join_all(confirms).await;
        let confirmed = confirmed.map_err(|error| Failure::broken(format!("a confirm failed: {error}")))?;
        for (confirmation, parcel) in confirmed.into_iter().zip(part) {
            match confirmation {
                Confirmation::Ack(None) => {}
                Confirmation::Nack(_) | Confirmation::NotRequested => {
                    return Err(Failure::refused(&parcel.key, channel.id()));
                }
                Confirmation::Ack(Some(returned)) => {
                    let why = &returned.reply_text;
                    return Err(Failure::broken(format!(
                        "{} was returned by the broker: {why:?}",
                        parcel.key
                    )));
                }
            }
        }
        Ok(())
    }
}

async fn confirming(connection: &Connection) -> Result<Channel, lapin::Error> {
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    Ok(channel)
}

/// What went wrong, and what is of no use any longer.
struct Failure {
    what: String,
    /// The session.
    broken: bool,
    /// The channel of this number.
    refused_on: Option<u16>,
}

impl Failure {
    fn broken(what: String) -> Self {
        Self { what, broken: true, refused_on: None }
    }

    fn closed() -> Self {
        Self::broken("the session is closed".to_owned())
    }

    fn refused(key: &str, channel: u16) -> Self {
        let what = format!("the broker could not store a message in {key}");
        Self { what, broken: false, refused_on: Some(channel) }
    }
}

impl Session {
    /// Returns once all are stored.
    pub(crate) async fn send(&self, parcels: &[Parcel]) -> PortResult<()> {
        for part in parcels.chunks(PART) {
            let sent = tokio::select! {
                biased;
                () = self.until_blocked() => Err(self.takes_none()),
                why = self.until_broken() => Err(Failure::broken(why)),
                sent = tokio::time::timeout(CONFIRM, self.publisher.send_part(part)) => sent.unwrap_or_else(|_| {
                    Err(Failure::broken(format!("no confirm within {} s", CONFIRM.as_secs())))
                }),
            };
            let Err(failure) = sent else { continue };
            if failure.broken {
                self.fail(&failure.what);
            }
            if let Some(channel) = failure.refused_on {
                self.renew_publisher(channel).await;
            }
            return Err(PortError::transient(format!(
                "could not store messages on the broker: {}",
                failure.what
            )));
        }
        Ok(())
    }

    /// A broker that is short of memory or disk stops reading; that is no fault of the connection. What was on its way
    /// may still be stored later.
    fn takes_none(&self) -> Failure {
        let what = format!("it takes no messages now ({})", self.blocked().unwrap_or_default());
        Failure { what, broken: false, refused_on: None }
    }
}

#[async_trait]
impl<M: Kind> Publish<M> for Amqp {
    async fn publish(&self, batch: Vec<Outgoing<M>>) -> PortResult<()> {
        if batch.is_empty() {
            return Ok(());
        }
        let now = self.shared.clock.now();
        let parcels: Vec<Parcel> =
            batch.iter().map(|one| Parcel::new(one, now)).collect::<PortResult<_>>()?;
        self.shared.session().await?.send(&parcels).await
    }
}
