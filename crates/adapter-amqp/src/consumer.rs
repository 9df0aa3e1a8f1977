//! Takes messages out and decodes them. An outage is waited for: the driver reports it, and messages come again after it.

use std::marker::PhantomData;
use std::sync::Arc;

use async_trait::async_trait;
use postrider_domain::message::Queue;
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::queue::{Consume, Consumers, Received};
use postrider_wire::DecodeError;

use crate::driver::{Amqp, Shared};
use crate::entry::Hold;
use crate::headers;
use crate::kind::Kind;
use crate::lease::AmqpLease;
use crate::line::Source;

/// A consumer of one source, undecoded.
pub(crate) struct Taker {
    shared: Arc<Shared>,
    source: Source,
}

struct AmqpConsumer<M> {
    taker: Taker,
    queue: Queue,
    message: PhantomData<fn() -> M>,
}

impl Taker {
    pub(crate) fn new(shared: &Arc<Shared>, source: Source) -> Self {
        shared.came(source);
        Self { shared: Arc::clone(shared), source }
    }

    /// Waits until there is at least one message, through as many sessions as it takes.
    pub(crate) async fn take(&mut self, max: usize) -> PortResult<Vec<Hold>> {
        loop {
            let session = self.shared.next_session().await?;
            // Who cannot open a line has ended the session.
            let Ok(line) = session.line(self.source, &self.shared).await else { continue };
            if let Ok(taken) = line.take(max).await {
                return Ok(taken);
            }
        }
    }
}

impl Drop for Taker {
    fn drop(&mut self) {
        self.shared.went(self.source);
    }
}

impl<M: Kind> Consumers<M> for Amqp {
    fn consumer(&self, queue: Queue) -> Box<dyn Consume<M>> {
        let taker = Taker::new(&self.shared, Source::Queue(queue));
        Box::new(AmqpConsumer { taker, queue, message: PhantomData })
    }
}

#[async_trait]
impl<M: Kind> Consume<M> for AmqpConsumer<M> {
    async fn receive(&mut self, max: usize) -> PortResult<Vec<Received<M>>> {
        if !M::QUEUES.contains(&self.queue) {
            let queue = self.queue.as_str();
            return Err(PortError::permanent(format!("queue {queue} does not hold this kind of message")));
        }
        loop {
            let taken = self.taker.take(max).await?;
            let received = decode(taken, self.queue).await?;
            if !received.is_empty() {
                return Ok(received);
            }
        }
    }
}

/// Decodes what was taken. What cannot be read is parked. At a message of a newer version the consumer stops: what came
/// before it is returned, it and all after it go back untouched, and once it is the first it is the error.
async fn decode<M: Kind>(taken: Vec<Hold>, queue: Queue) -> PortResult<Vec<Received<M>>> {
    let mut received = Vec::with_capacity(taken.len());
    for hold in taken {
        // The version comes first: a newer one may have other headers.
        let decoded = M::decode(&hold.entry().body).and_then(|message| match hold.entry().malformed() {
            Some(why) => Err(DecodeError::Malformed(why.to_owned())),
            None => Ok(message),
        });
        match decoded {
            Ok(mut message) => {
                message.set_queue(queue);
                received.push(handed_out(message, hold));
            }
            Err(DecodeError::Malformed(reason)) => {
                tracing::error!(queue = queue.as_str(), %reason, "a message cannot be read and is parked");
                hold.park(&format!("it cannot be read: {reason}")).await?;
            }
            Err(DecodeError::Newer { found, known }) => {
                if !received.is_empty() {
                    break;
                }
                hold.leave().await?;
                return Err(newer(queue, found, known));
            }
        }
    }
    Ok(received)
}

fn handed_out<M>(message: M, hold: Hold) -> Received<M> {
    let entry = hold.entry();
    Received {
        message,
        suspect: entry.suspect(),
        redeliveries: entry.redeliveries(),
        trace: headers::trace(&entry.headers),
        lease: Box::new(AmqpLease(hold.hand_out())),
    }
}

fn newer(queue: Queue, found: u32, known: u32) -> PortError {
    PortError::permanent(format!(
        "the next message in queue {} is of wire version {found}, this postrider reads up to {known}; it is left where \
         it is: run the release that wrote it, or a newer one",
        queue.as_str(),
    ))
}
