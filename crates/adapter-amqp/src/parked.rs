//! Messages put aside for a person. A queue can only be read from its front, so listing takes messages out, remembers
//! them and gives them back, all on one channel, where each step sees the one before. Only the first 10,000 of the queue
//! are looked at; what stands behind them is seen once they are dealt with.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use lapin::Channel;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicGetOptions, BasicNackOptions};
use lapin::types::FieldTable;
use postrider_domain::message::{DeliverMessage, Queue};
use postrider_domain::timestamp::Timestamp;
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::queue::{HeldDelivery, Parked, ParkedMessage};
use postrider_wire::Wire;

use crate::driver::{Amqp, Shared};
use crate::line::Source;
use crate::publisher::Parcel;
use crate::session::Session;
use crate::{depths, headers, topology};

mod page;
mod turn;

use page::Page;
use turn::Turn;

/// A list has at most this many messages, and is at most this large unless it is one message.
const LIST_LIMIT: usize = 1000;
const LIST_BYTES: usize = 8 * 1024 * 1024;
/// How far into the queue one looks for a message.
const LOOK_LIMIT: usize = 10_000;
/// An id is the millisecond of parking, and ten bits of chance to tell apart what two processes park in one: 2^51 in
/// 2040, so that it stays exact in JavaScript.
const CHANCE_BITS: u32 = 10;

/// What is only true of a parked message.
const STAMPS: [&str; 6] = [
    headers::PARKED_ID,
    headers::PARKED_AT,
    headers::QUEUE,
    headers::REASON,
    headers::DELIVERIES,
    headers::ROUTING_KEY,
];

/// Adds what a parked message carries: an id, when, where and why.
pub(crate) fn stamp(headers: &mut FieldTable, shared: &Shared, queue: &str, reason: &str) {
    let now = shared.clock.now().unix_ms();
    headers::set_number(headers, headers::PARKED_ID, next_id(shared, now));
    headers::set_number(headers, headers::PARKED_AT, now);
    headers::set_text(headers, headers::QUEUE, queue);
    headers::set_text(headers, headers::REASON, reason);
}

/// Ids of one process rise, so that they list in the order of parking.
fn next_id(shared: &Shared, now: i64) -> i64 {
    let mut chance = [0; 2];
    shared.random.fill(&mut chance);
    let chance = i64::from(u16::from_be_bytes(chance)) & ((1 << CHANCE_BITS) - 1);
    let drawn = (now << CHANCE_BITS) | chance;
    let last = shared
        .last_parked
        .fetch_update(Ordering::AcqRel, Ordering::Acquire, |last| Some(drawn.max(last + 1)));
    drawn.max(last.unwrap_or(0) + 1)
}

#[async_trait]
impl Parked for Amqp {
    async fn park(&self, queue: &str, reason: &str, body: &[u8]) -> PortResult<()> {
        let mut headers = FieldTable::default();
        stamp(&mut headers, &self.shared, queue, reason);
        headers::set_number(&mut headers, headers::DELIVERIES, 0);
        let parcel = Parcel::to(topology::PARKED, headers, body.to_vec());
        self.shared.session().await?.send(&[parcel]).await
    }

    async fn count(&self) -> PortResult<u64> {
        let session = self.shared.session().await?;
        let channel = session.channel(&session.questions).await?;
        depths::ready(&session, &channel, topology::PARKED).await
    }

    async fn list(&self, after: Option<i64>, max: usize) -> PortResult<Vec<ParkedMessage>> {
        let session = self.shared.session().await?;
        session.unless_broken(self.list_in(&session, after, max)).await
    }

    async fn redrive(&self, id: i64) -> PortResult<bool> {
        let session = self.shared.session().await?;
        session.unless_broken(self.redrive_in(&session, id)).await
    }

    async fn discard(&self, id: i64) -> PortResult<bool> {
        let session = self.shared.session().await?;
        session.unless_broken(self.discard_in(&session, id)).await
    }
}

impl Amqp {
    async fn list_in(
        &self,
        session: &Arc<Session>,
        after: Option<i64>,
        max: usize,
    ) -> PortResult<Vec<ParkedMessage>> {
        let turn = Turn::begin(session, &self.shared).await?;
        let channel = turn.channel()?;
        let (mut page, mut last) = (Page::new(after, max.min(LIST_LIMIT), LIST_BYTES), None);
        for _ in 0..LOOK_LIMIT {
            let Some(delivery) = self.get(channel).await? else { break };
            last = Some(delivery.delivery_tag);
            page.offer(read(&delivery));
        }
        give_back(channel, last).await?;
        turn.end().await;
        Ok(page.messages())
    }

    async fn redrive_in(&self, session: &Arc<Session>, id: i64) -> PortResult<bool> {
        let turn = Turn::begin(session, &self.shared).await?;
        let channel = turn.channel()?;
        let (found, before) = self.find(channel, id).await?;
        let redriven = match &found {
            None => Ok(false),
            Some(delivery) => match again(delivery) {
                Ok(parcel) => session.send(&[parcel]).await.map(|()| true),
                Err(error) => Err(error),
            },
        };
        match (&redriven, &found) {
            (Ok(true), Some(delivery)) => {
                forget(channel, delivery).await?;
                give_back(channel, before).await?;
            }
            (_, Some(delivery)) => give_back(channel, Some(delivery.delivery_tag)).await?,
            (_, None) => give_back(channel, before).await?,
        }
        turn.end().await;
        redriven
    }

    async fn discard_in(&self, session: &Arc<Session>, id: i64) -> PortResult<bool> {
        let turn = Turn::begin(session, &self.shared).await?;
        let channel = turn.channel()?;
        let (found, before) = self.find(channel, id).await?;
        if let Some(delivery) = &found {
            forget(channel, delivery).await?;
        }
        give_back(channel, before).await?;
        turn.end().await;
        Ok(found.is_some())
    }

    /// Takes messages out until one has this id; also the tag of the last before it.
    async fn find(&self, channel: &Channel, id: i64) -> PortResult<(Option<Delivery>, Option<u64>)> {
        let mut before = None;
        for _ in 0..LOOK_LIMIT {
            let Some(delivery) = self.get(channel).await? else { break };
            if read(&delivery).id == id {
                return Ok((Some(delivery), before));
            }
            before = Some(delivery.delivery_tag);
        }
        Ok((None, before))
    }

    async fn get(&self, channel: &Channel) -> PortResult<Option<Delivery>> {
        let got = channel.basic_get(topology::PARKED.into(), BasicGetOptions::default()).await;
        let got = got.map_err(|error| failed(&error))?;
        if got.is_some() {
            self.shared.costs.deliver();
        }
        Ok(got.map(|message| message.delivery))
    }
}

/// Gives back all that was taken and not forgotten, up to this tag.
async fn give_back(channel: &Channel, last: Option<u64>) -> PortResult<()> {
    let Some(tag) = last else { return Ok(()) };
    let options = BasicNackOptions { multiple: true, requeue: true };
    channel.basic_nack(tag, options).await.map_err(|error| failed(&error))
}

async fn forget(channel: &Channel, delivery: &Delivery) -> PortResult<()> {
    let forgotten = channel.basic_ack(delivery.delivery_tag, BasicAckOptions::default()).await;
    forgotten.map_err(|error| failed(&error))
}

fn failed(error: &lapin::Error) -> PortError {
    PortError::transient("could not read the parked messages").because(error.clone())
}

fn read(delivery: &Delivery) -> ParkedMessage {
    let headers = delivery.properties.headers().clone().unwrap_or_default();
    let number = |name| headers::number(&headers, name);
    let text = |name| headers::text(&headers, name);
    // What the broker gave up by itself has no header of ours.
    let death = headers::death(&headers).unwrap_or_default();
    let reason =
        format!("the broker gave it up ({}): whoever held it never came to an end with it", death.reason);
    let deliveries = number(headers::DELIVERIES).and_then(|count| u32::try_from(count).ok());
    let queue = text(headers::QUEUE).unwrap_or_else(|| label(&death.queue).to_owned());
    ParkedMessage {
        id: number(headers::PARKED_ID).unwrap_or_else(|| derived_id(&delivery.data)),
        holds: holds(&queue, &delivery.data),
        queue,
        reason: text(headers::REASON).unwrap_or(reason),
        parked_at: Timestamp::from_unix_ms(number(headers::PARKED_AT).unwrap_or(death.at)),
        deliveries: deliveries.unwrap_or(topology::DELIVERY_LIMIT),
        body: delivery.data.clone(),
    }
}

/// The deliveries that wait for a message of this queue.
fn holds(queue: &str, body: &[u8]) -> Vec<HeldDelivery> {
    match Queue::parse(queue) {
        Some(Queue::Deliver(_)) => {
            DeliverMessage::decode(body).map(|message| HeldDelivery::of(&message)).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

/// A message that the broker parked has no id of ours: FNV-1a of its body (<http://www.isthe.com/chongo/tech/comp/fnv/>),
/// in 40 bits, so that it is the same at every look and lies before all that we parked.
fn derived_id(body: &[u8]) -> i64 {
    let hash = body.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    i64::try_from(hash >> 24).unwrap_or(0)
}

/// What people call the queue of this name.
fn label(name: &str) -> &str {
    let mut sources = Queue::ALL.into_iter().map(Source::Queue).chain([Source::Inbox]);
    sources.find(|source| source.name() == name).map_or(name, |source| source.label())
}

/// The message for its queue again, as a suspect.
fn again(delivery: &Delivery) -> PortResult<Parcel> {
    let message = read(delivery);
    let all = delivery.properties.headers().clone().unwrap_or_default();
    let routing_key = headers::text(&all, headers::ROUTING_KEY);
    let mut headers = headers::without(&headers::copied(&all), &STAMPS);
    headers::set_suspect(&mut headers);
    if let Some(queue) = Queue::parse(&message.queue) {
        return Ok(Parcel::to(topology::name(queue), headers, message.body));
    }
    match routing_key {
        Some(key) if message.queue == Source::Inbox.label() => {
            Ok(Parcel { exchange: topology::EVENTS_EXCHANGE, key, headers, body: message.body })
        }
        _ => Err(PortError::permanent(format!(
            "parked message {} came from {:?}, which is no queue: it never was a message; mend the input and send it \
             again, then discard this",
            message.id, message.queue,
        ))),
    }
}
