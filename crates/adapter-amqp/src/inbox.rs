//! What a CMS published, undecoded.

use async_trait::async_trait;
use postrider_ports::error::PortResult;
use postrider_ports::inbox::{Arrived, Inbox, Inboxes};

use crate::consumer::Taker;
use crate::driver::Amqp;
use crate::entry::Hold;
use crate::headers;
use crate::lease::AmqpLease;
use crate::line::Source;

struct AmqpInbox(Taker);

impl Inboxes for Amqp {
    fn inbox(&self) -> Box<dyn Inbox> {
        Box::new(AmqpInbox(Taker::new(&self.shared, Source::Inbox)))
    }
}

#[async_trait]
impl Inbox for AmqpInbox {
    async fn receive(&mut self, max: usize) -> PortResult<Vec<Arrived>> {
        Ok(self.0.take(max).await?.into_iter().map(arrived).collect())
    }
}

fn arrived(hold: Hold) -> Arrived {
    let entry = hold.entry();
    Arrived {
        routing_key: entry.routing_key.clone(),
        content_type: entry.content_type.clone(),
        message_id: entry.message_id.clone(),
        headers: headers::texts(&headers::copied(&entry.headers)),
        trace: headers::trace(&entry.headers),
        body: entry.body.clone(),
        suspect: entry.suspect(),
        redeliveries: entry.redeliveries(),
        lease: Box::new(AmqpLease(hold.hand_out())),
    }
}
