//! Which record of a batch came with which message.

use postrider_domain::record::Record;
use postrider_ports::log::Poisoned;

/// The records of several messages in one row, and where each message's records begin.
#[derive(Debug, Default)]
pub struct Batch {
    records: Vec<Record>,
    ends: Vec<usize>,
}

impl Batch {
    /// Adds the records of the next message.
    pub fn push(&mut self, records: Vec<Record>) {
        self.records.extend(records);
        self.ends.push(self.records.len());
    }

    /// All records, in order.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// For each message, why it must be put aside: the reason of each of its poisoned records, numbered within it.
    pub fn reasons(&self, poisoned: &[Poisoned]) -> Vec<Option<String>> {
        let mut begin = 0;
        let reason = |end: &usize| {
            let own = begin..*end;
            let parts = poisoned
                .iter()
                .filter(|one| own.contains(&one.index))
                .map(|one| format!("record {} of {}: {}", one.index - own.start + 1, own.len(), one.reason))
                .collect::<Vec<_>>();
            begin = *end;
            (!parts.is_empty()).then(|| parts.join("; "))
        };
        self.ends.iter().map(reason).collect()
    }
}
