//! A map whose entries end: each at its own instant, and the oldest when there are too many.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use postrider_domain::timestamp::Timestamp;

/// Entries by key, each with an end.
pub(crate) struct Expiring<K, V> {
    entries: HashMap<K, Entry<V>>,
    /// Keys by end, then by order of arrival.
    ends: BTreeMap<(Timestamp, u64), K>,
    arrivals: u64,
    most: usize,
}

struct Entry<V> {
    value: V,
    end: (Timestamp, u64),
}

impl<K: Clone + Eq + Hash, V> Expiring<K, V> {
    /// An empty map that holds at most `most` entries; beyond, those that end first go.
    pub(crate) fn new(most: usize) -> Self {
        Self { entries: HashMap::new(), ends: BTreeMap::new(), arrivals: 0, most: most.max(1) }
    }

    /// Forgets what has ended.
    pub(crate) fn sweep(&mut self, now: Timestamp) {
        while let Some(first) = self.ends.first_entry() {
            if first.key().0 > now {
                break;
            }
            let key = first.remove();
            self.entries.remove(&key);
        }
    }

    /// The value of a key that has not ended, after a [`Self::sweep`].
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|entry| &entry.value)
    }

    /// The value of a key that has not ended, to change, after a [`Self::sweep`].
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key).map(|entry| &mut entry.value)
    }

    /// Puts a value until `end` in place of any other. Returns the end of what had to go for it.
    pub(crate) fn put(&mut self, key: K, value: V, end: Timestamp) -> Option<Timestamp> {
        self.remove(&key);
        let mut gone = None;
        if self.entries.len() >= self.most
            && let Some(((end, _), first)) = self.ends.pop_first()
        {
            self.entries.remove(&first);
            gone = Some(end);
        }
        self.arrivals += 1;
        let end = (end, self.arrivals);
        self.ends.insert(end, key.clone());
        self.entries.insert(key, Entry { value, end });
        gone
    }

    /// Forgets a key.
    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let entry = self.entries.remove(key)?;
        self.ends.remove(&entry.end);
        Some(entry.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_unix_ms(ms)
    }

    #[test]
    fn an_entry_ends_at_its_end_and_can_be_put_off() {
        let mut map = Expiring::new(10);
        map.put("a", 1, at(5));
        map.put("b", 2, at(5));
        map.put("a", 3, at(9));
        map.sweep(at(5));
        assert_eq!((map.get(&"a"), map.get(&"b")), (Some(&3), None));
        map.sweep(at(9));
        assert_eq!(map.get(&"a"), None);
    }

    #[test]
    fn beyond_its_bound_what_ends_first_goes() {
        let mut map = Expiring::new(2);
        map.put("late", 1, at(9));
        assert_eq!(map.put("soon", 2, at(5)), None);
        assert_eq!(map.put("new", 3, at(7)), Some(at(5)));
        assert_eq!((map.get(&"late"), map.get(&"soon"), map.get(&"new")), (Some(&1), None, Some(&3)));
    }
}
