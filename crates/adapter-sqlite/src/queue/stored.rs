//! Which messages this file keeps, and in which of its queues.

use postrider_domain::message::{DeliverMessage, EventMessage, Lane, Queue, RecordsMessage};
use postrider_ports::queue::Message;
use postrider_wire::Wire;

/// A message with a wire form and queues of its own.
pub(crate) trait Stored: Message + Wire {
    /// The queues it can be in.
    const QUEUES: &'static [Queue];

    /// Where it goes when it is put off.
    fn put_off(&self) -> Queue {
        self.queue()
    }

    /// Says in itself where it is.
    fn set_queue(&mut self, _queue: Queue) {}
}

impl Stored for EventMessage {
    const QUEUES: &'static [Queue] = &[Queue::Events];
}

impl Stored for RecordsMessage {
    const QUEUES: &'static [Queue] = &[Queue::Records];
}

impl Stored for DeliverMessage {
    const QUEUES: &'static [Queue] =
        &[Queue::Deliver(Lane::Fresh), Queue::Deliver(Lane::Late), Queue::Deliver(Lane::Bulk)];

    fn put_off(&self) -> Queue {
        Queue::Deliver(Lane::Late)
    }

    fn set_queue(&mut self, queue: Queue) {
        if let Queue::Deliver(lane) = queue {
            self.lane = lane;
        }
    }
}
