//! Which messages the broker keeps, and in which of its queues.

use postrider_domain::message::{DeliverMessage, EventMessage, Lane, Queue, RecordsMessage};
use postrider_ports::queue::Message;
use postrider_wire::Wire;

/// A message with a wire form and queues of its own.
pub(crate) trait Kind: Message + Wire {
    /// The queues it can be in.
    const QUEUES: &'static [Queue];

    /// Whether it can be put off: the delay levels lead to `deliver.late` alone.
    const DEFERRABLE: bool = false;

    /// Says in itself where it is.
    fn set_queue(&mut self, _queue: Queue) {}
}

impl Kind for EventMessage {
    const QUEUES: &'static [Queue] = &[Queue::Events];
}

impl Kind for RecordsMessage {
    const QUEUES: &'static [Queue] = &[Queue::Records];
}

impl Kind for DeliverMessage {
    const QUEUES: &'static [Queue] =
        &[Queue::Deliver(Lane::Fresh), Queue::Deliver(Lane::Late), Queue::Deliver(Lane::Bulk)];
    const DEFERRABLE: bool = true;

    fn set_queue(&mut self, queue: Queue) {
        if let Queue::Deliver(lane) = queue {
            self.lane = lane;
        }
    }
}
