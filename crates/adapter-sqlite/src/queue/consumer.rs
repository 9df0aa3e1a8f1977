//! Takes messages out: waits, claims, decodes.

use std::marker::PhantomData;
use std::sync::Arc;

use async_trait::async_trait;
use postrider_domain::message::Queue;
use postrider_domain::timestamp::Timestamp;
use postrider_ports::clock::Clock;
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::queue::{Consume, Consumers, Received};
use postrider_wire::DecodeError;

use super::claim::{Claim, Held, claim};
use super::stored::Stored;
use crate::database::{Database, Shared};

struct SqliteConsumer<M> {
    shared: Arc<Shared>,
    queue: Queue,
    message: PhantomData<fn() -> M>,
}

impl<M: Stored> Consumers<M> for Database {
    fn consumer(&self, queue: Queue) -> Box<dyn Consume<M>> {
        Box::new(SqliteConsumer { shared: Arc::clone(&self.shared), queue, message: PhantomData })
    }
}

#[async_trait]
impl<M: Stored> Consume<M> for SqliteConsumer<M> {
    async fn receive(&mut self, max: usize) -> PortResult<Vec<Received<M>>> {
        if !M::QUEUES.contains(&self.queue) {
            let queue = self.queue.as_str();
            return Err(PortError::permanent(format!("queue {queue} does not hold this kind of message")));
        }
        loop {
            let shared = Arc::clone(&self.shared);
            let line = shared.board.line(self.queue);
            let mut woken = std::pin::pin!(line.wake.notified());
            // From here on nothing that becomes ready is missed.
            woken.as_mut().enable();
            if shared.board.tray.is_closed() {
                return Err(PortError::transient("could not receive messages: the database is closed"));
            }
            let next = if line.waiting() == 0 {
                None
            } else {
                match claim(&shared, self.queue, max).await? {
                    Claim::Messages(held) => {
                        let received = decode(held, self.queue).await?;
                        if received.is_empty() {
                            continue;
                        }
                        return Ok(received);
                    }
                    Claim::Nothing { next } => next,
                }
            };
            tokio::select! {
                () = woken => {}
                () = until(&*shared.clock, next) => {}
            }
        }
    }
}

/// Decodes what was claimed. What cannot be read is parked. At a message of a newer version the consumer stops: what
/// came before it is returned, it and all after it go back untouched, and once it is the first it is the error.
async fn decode<M: Stored>(held: Vec<Held>, queue: Queue) -> PortResult<Vec<Received<M>>> {
    let mut received = Vec::with_capacity(held.len());
    let mut held = held.into_iter();
    while let Some(one) = held.next() {
        match M::decode(&one.body) {
            Ok(mut message) => {
                message.set_queue(queue);
                received.push(Received {
                    message,
                    suspect: one.suspect || one.redeliveries > 0,
                    redeliveries: one.redeliveries,
                    trace: one.trace,
                    lease: one.hold.hand_out(),
                });
            }
            Err(DecodeError::Malformed(reason)) => {
                tracing::error!(queue = queue.as_str(), %reason, "a message cannot be read and is parked");
                one.hold.park(&format!("it cannot be read: {reason}")).await?;
            }
            Err(DecodeError::Newer { found, known }) => {
                let back = std::iter::once(one).chain(held).map(|one| one.hold.give_back());
                futures::future::try_join_all(back).await?;
                if received.is_empty() {
                    return Err(newer(queue, found, known));
                }
                break;
            }
        }
    }
    Ok(received)
}

fn newer(queue: Queue, found: u32, known: u32) -> PortError {
    PortError::permanent(format!(
        "the next message in queue {} is of wire version {found}, this postrider reads up to {known}; it is left where \
         it is: run the release that wrote it, or a newer one",
        queue.as_str(),
    ))
}

async fn until(clock: &dyn Clock, at: Option<Timestamp>) {
    match at {
        Some(at) => clock.sleep_until(at).await,
        None => futures::future::pending().await,
    }
}
