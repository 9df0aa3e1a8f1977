//! One message that the broker handed to this process, and the hold on it.

use std::sync::Arc;

use lapin::Acker;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicNackOptions};
use lapin::types::FieldTable;
use postrider_domain::timestamp::Timestamp;
use postrider_ports::error::{PortError, PortResult};
use tokio::sync::oneshot;

use crate::line::{Line, Source};
use crate::parked;
use crate::publisher::Parcel;
use crate::{defer, headers, topology};

/// A message and how often it has been tried.
pub(crate) struct Entry {
    /// Its number on the channel, which is also its place in the order of arrival.
    pub(crate) tag: u64,
    acker: Acker,
    pub(crate) routing_key: String,
    pub(crate) content_type: Option<String>,
    pub(crate) message_id: Option<String>,
    pub(crate) headers: FieldTable,
    pub(crate) body: Vec<u8>,
    /// How often the broker had handed it out before.
    before: u32,
    /// How often it was handed out here, not counting now.
    here: u32,
    /// How often it was rejected here.
    failures: u32,
    /// A newer release wrote it.
    newer: bool,
    /// When it may be handed out, by our clock; or why its headers cannot be ours.
    not_before: Result<Option<Timestamp>, String>,
}

/// The right to one message. Dropped, the message waits in its line again.
pub(crate) struct Hold {
    line: Arc<Line>,
    entry: Option<Entry>,
    /// A consumer has it: it comes back as redelivered.
    seen: bool,
}

impl Entry {
    /// What arrived `now` from there.
    pub(crate) fn new(delivery: Delivery, source: Source, now: Timestamp) -> Self {
        let properties = delivery.properties;
        let headers = properties.headers().clone().unwrap_or_default();
        // What we published again for its queue says in headers what it was published with at first.
        let first_key = headers::text(&headers, headers::ROUTING_KEY);
        let first_key = first_key.filter(|_| delivery.exchange.as_str().is_empty());
        let content_type = properties.content_type().as_ref().map(|kind| kind.as_str().to_owned());
        let message_id = properties.message_id().as_ref().map(|id| id.as_str().to_owned());
        Self {
            tag: delivery.delivery_tag,
            acker: delivery.acker,
            routing_key: first_key.unwrap_or_else(|| delivery.routing_key.as_str().to_owned()),
            content_type: content_type.or_else(|| headers::text(&headers, headers::CONTENT_TYPE)),
            message_id: message_id.or_else(|| headers::text(&headers, headers::MESSAGE_ID)),
            before: headers::delivery_count(&headers, delivery.redelivered),
            // Elsewhere nothing is put off, and a header of that name is none of ours.
            not_before: if source.is_deliver() { defer::on_arrival(&headers, now) } else { Ok(None) },
            headers,
            body: delivery.data,
            here: 0,
            failures: 0,
            newer: false,
        }
    }

    /// How often it was handed out before now, anywhere.
    pub(crate) fn redeliveries(&self) -> u32 {
        self.before.saturating_add(self.here)
    }

    /// May be a copy.
    pub(crate) fn suspect(&self) -> bool {
        headers::suspect(&self.headers) || self.redeliveries() > 0
    }

    /// When it may be handed out.
    pub(crate) fn not_before(&self) -> Option<Timestamp> {
        self.not_before.as_ref().ok().copied().flatten()
    }

    /// Why its headers cannot be ours.
    pub(crate) fn malformed(&self) -> Option<&str> {
        self.not_before.as_ref().err().map(String::as_str)
    }

    /// Whether giving it back must not be counted by the broker: it would be parked in the end, though nothing is wrong
    /// with it.
    fn must_not_count(&self) -> bool {
        (self.newer && self.before > 0) || self.before >= topology::DELIVERY_LIMIT / 2
    }

    /// The same message under a count of zero. It was in our hands, so it may be a copy.
    fn again(&self, queue: &str) -> Parcel {
        let mut headers = headers::copied(&self.headers);
        headers::set_suspect(&mut headers);
        self.set_origin(&mut headers);
        Parcel::to(queue, headers, self.body.clone())
    }

    /// Notes what it was published with, which is not in its headers.
    fn set_origin(&self, headers: &mut FieldTable) {
        let origin = [
            (headers::ROUTING_KEY, Some(&self.routing_key)),
            (headers::CONTENT_TYPE, self.content_type.as_ref()),
            (headers::MESSAGE_ID, self.message_id.as_ref()),
        ];
        for (name, text) in origin {
            if let Some(text) = text {
                headers::set_text(headers, name, text);
            }
        }
    }

    /// Gives it back to the broker.
    pub(crate) async fn give_back(&self, line: &Line) -> PortResult<()> {
        if self.must_not_count() {
            line.session()?.send(&[self.again(line.source.name())]).await?;
            return self.acknowledge(line).await;
        }
        let options = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
        line.settled(self.acker.nack(options)).await
    }

    async fn acknowledge(&self, line: &Line) -> PortResult<()> {
        line.settled(self.acker.ack(BasicAckOptions::default())).await
    }
}

impl Hold {
    /// The hold on a message that nobody has seen yet.
    pub(crate) fn new(line: Arc<Line>, entry: Entry) -> Self {
        Self { line, entry: Some(entry), seen: false }
    }

    /// The message.
    pub(crate) fn entry(&self) -> &Entry {
        self.entry.as_ref().expect("a hold loses its message only when it ends")
    }

    /// A consumer is about to see it.
    pub(crate) fn hand_out(mut self) -> Self {
        self.line.lease(1);
        self.seen = true;
        self
    }

    /// A newer release wrote it; it waits for one.
    pub(crate) async fn leave(mut self) -> PortResult<()> {
        let Some(entry) = &mut self.entry else { return Ok(()) };
        entry.newer = true;
        if entry.must_not_count() {
            let parcel = self.entry().again(self.line.source.name());
            return self.replace(parcel).await;
        }
        Ok(())
    }

    /// Forgets the message.
    pub(crate) async fn ack(mut self) -> PortResult<()> {
        match self.end() {
            Some(entry) => entry.acknowledge(&Arc::clone(&self.line)).await,
            None => Ok(()),
        }
    }

    /// Counts a failure; parks the message at the limit.
    pub(crate) async fn reject(mut self, reason: &str) -> PortResult<()> {
        if let Some(entry) = &mut self.entry {
            entry.failures += 1;
            if entry.before.saturating_add(entry.failures) >= topology::DELIVERY_LIMIT {
                return self.park(reason).await;
            }
        }
        Ok(())
    }

    /// Parks the message.
    pub(crate) async fn park(self, reason: &str) -> PortResult<()> {
        let entry = self.entry();
        let mut headers = headers::copied(&entry.headers);
        let shared = &self.line.shared;
        parked::stamp(&mut headers, shared, self.line.source.label(), reason);
        headers::set_number(&mut headers, headers::DELIVERIES, i64::from(entry.redeliveries()) + 1);
        entry.set_origin(&mut headers);
        let parcel = Parcel::to(topology::PARKED, headers, entry.body.clone());
        self.replace(parcel).await
    }

    /// Sends on what came too early.
    pub(crate) async fn put_off(self, rest: std::time::Duration) -> PortResult<()> {
        let entry = self.entry();
        let rest = rest + defer::SLACK;
        let queue = defer::level(rest).unwrap_or(self.line.source.name());
        let mut headers = headers::copied(&entry.headers);
        defer::note_rest(&mut headers, rest);
        let parcel = Parcel::to(queue, headers, entry.body.clone());
        self.replace(parcel).await
    }

    /// Stores another message in the place of this one. Once begun it is finished, whether or not somebody waits: a copy
    /// that was stored before its original was forgotten would be a second message.
    async fn replace(self, parcel: Parcel) -> PortResult<()> {
        let session = self.line.session()?;
        let shared = Arc::clone(&self.line.shared);
        let (done, wait) = oneshot::channel();
        shared.give(Box::pin(async move {
            let replaced = match session.send(&[parcel]).await {
                Ok(()) => self.ack().await,
                Err(error) => Err(error),
            };
            // Who no longer waits needs no answer.
            drop(done.send(replaced));
        }));
        wait.await.unwrap_or_else(|_| {
            Err(PortError::transient("the connection to the broker ended; the message is handed out again"))
        })
    }

    fn end(&mut self) -> Option<Entry> {
        if self.seen {
            self.line.lease(-1);
            self.seen = false;
        }
        self.entry.take()
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let seen = self.seen;
        if let Some(mut entry) = self.end() {
            entry.here += u32::from(seen);
            self.line.put_back(entry);
        }
    }
}
