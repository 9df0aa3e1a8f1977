//! A page by id, out of messages that come in any order: ids of several processes, and of what the broker parked by
//! itself, do not rise along the queue.

use std::collections::BTreeMap;

use postrider_ports::queue::ParkedMessage;

/// The lowest ids after a cursor, so many and so large as a page may be. At least one, however large.
pub(super) struct Page {
    after: Option<i64>,
    most: usize,
    most_bytes: usize,
    bytes: usize,
    /// The lowest id that had no room: whatever lies above it is not of this page, even if it were smaller.
    end: Option<i64>,
    /// Two that the broker parked with the same body have the same id and are listed as one.
    kept: BTreeMap<i64, ParkedMessage>,
}

impl Page {
    /// An empty page.
    pub(super) fn new(after: Option<i64>, most: usize, most_bytes: usize) -> Self {
        Self { after, most, most_bytes, bytes: 0, end: None, kept: BTreeMap::new() }
    }

    /// Takes a message if it belongs to the page, and drops what does not any more.
    pub(super) fn offer(&mut self, message: ParkedMessage) {
        if self.after.is_some_and(|after| message.id <= after)
            || self.end.is_some_and(|end| message.id >= end)
        {
            return;
        }
        self.bytes += message.body.len();
        if let Some(same) = self.kept.insert(message.id, message) {
            self.bytes -= same.body.len();
        }
        while self.kept.len() > self.most || (self.bytes > self.most_bytes && self.kept.len() > 1) {
            let Some((id, last)) = self.kept.pop_last() else { return };
            self.bytes -= last.body.len();
            self.end = Some(id);
        }
    }

    /// Lowest id first.
    pub(super) fn messages(self) -> Vec<ParkedMessage> {
        self.kept.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use postrider_domain::timestamp::Timestamp;
    use proptest::prelude::*;

    use super::*;

    fn message(id: i64, size: usize) -> ParkedMessage {
        let parked_at = Timestamp::from_unix_ms(0);
        ParkedMessage {
            id,
            queue: "inbox".into(),
            reason: String::new(),
            parked_at,
            deliveries: 0,
            body: vec![0; size],
            holds: Vec::new(),
        }
    }

    fn page(queue: &[i64], sizes: &[usize], mut page: Page) -> Vec<ParkedMessage> {
        for &id in queue {
            // The same id is the same message.
            page.offer(message(id, sizes[usize::try_from(id).expect("an index")]));
        }
        page.messages()
    }

    proptest! {
        #[test]
        fn pages_hold_every_id_once_and_rise_whatever_the_order_of_the_queue(
            queue in prop::collection::vec(0i64..50, 0..60),
            sizes in prop::collection::vec(0usize..60, 50),
            most in 1usize..7,
            bytes in 1usize..100,
        ) {
            let (mut listed, mut after) = (Vec::new(), None);
            loop {
                let page = page(&queue, &sizes, Page::new(after, most, bytes));
                let size: usize = page.iter().map(|one| one.body.len()).sum();
                prop_assert!(page.len() <= most && (size <= bytes || page.len() == 1));
                let Some(last) = page.last() else { break };
                after = Some(last.id);
                listed.extend(page.iter().map(|one| one.id));
            }
            let ids: BTreeSet<i64> = queue.iter().copied().collect();
            prop_assert_eq!(listed, ids.into_iter().collect::<Vec<_>>());
        }
    }
}
