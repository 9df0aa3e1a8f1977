//! How much is waiting: asked of the broker with passive declarations, which are exact and cheap. (The counters of the
//! management API lag by seconds.)
//!
//! What other processes hold is not in these numbers: the broker tells a client of its ready messages only.

use async_trait::async_trait;
use futures::future::try_join_all;
use lapin::Channel;
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use postrider_domain::message::{Lane, Queue};
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::queue::{Depth, Depths};

use crate::driver::Amqp;
use crate::line::Source;
use crate::session::Session;
use crate::topology;

#[async_trait]
impl Depths for Amqp {
    async fn depth(&self, queue: Queue) -> PortResult<Depth> {
        let session = self.shared.session().await?;
        let channel = session.channel(&session.questions).await?;
        let mut depth =
            Depth { ready: ready(&session, &channel, topology::name(queue)).await?, ..Depth::default() };
        if queue == Queue::Deliver(Lane::Late) {
            let levels = topology::DELAYS.map(|level| ready(&session, &channel, level));
            depth.delayed = try_join_all(levels).await?.into_iter().sum();
        }
        drop(channel);
        if let Some(line) = session.known_line(Source::Queue(queue)).await {
            let (leased, ready, delayed) = line.counts();
            depth.leased = leased;
            depth.ready += ready;
            depth.delayed += delayed;
        }
        Ok(depth)
    }
}

/// How many messages of this queue could be handed out now.
pub(crate) async fn ready(session: &Session, channel: &Channel, name: &str) -> PortResult<u64> {
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let declared = session.answered(channel.queue_declare(name.into(), options, FieldTable::default())).await;
    let queue = declared.map_err(|error| {
        PortError::transient(format!("could not ask for the depth of {name}")).because(error)
    })?;
    Ok(queue.message_count().into())
}
