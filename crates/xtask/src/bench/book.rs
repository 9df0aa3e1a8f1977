//! What was sent and what arrived: every event for every webhook, with both instants.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::sync::Notify;

use super::figures::Latencies;

/// The book of one load. Events and webhooks are numbered from 0.
pub(crate) struct Book {
    webhooks: usize,
    pages: Mutex<Pages>,
    complete: Notify,
}

struct Pages {
    /// When each event was sent, or should have been.
    sent: Vec<Option<Instant>>,
    /// When each webhook got each event first; those of webhook 0 come first.
    received: Vec<Option<Instant>>,
    missing: usize,
    repeated: usize,
    last: Option<Instant>,
}

/// What a load came to.
#[derive(Debug)]
pub(crate) struct Account {
    /// From the first send to the last receipt.
    pub(crate) took: Duration,
    pub(crate) deliveries: usize,
    pub(crate) latencies: Latencies,
}

#[expect(clippy::disallowed_methods, reason = "it measures")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

impl Book {
    /// A book for so many events to so many webhooks.
    pub(crate) fn new(webhooks: usize, events: usize) -> Self {
        let pages = Pages {
            sent: vec![None; events],
            received: vec![None; webhooks * events],
            missing: webhooks * events,
            repeated: 0,
            last: None,
        };
        Self { webhooks, pages: Mutex::new(pages), complete: Notify::new() }
    }

    /// How many deliveries must come.
    pub(crate) fn deliveries(&self) -> usize {
        self.lock().received.len()
    }

    /// An event is being sent; `at` is when it was meant to be.
    pub(crate) fn send(&self, event: usize, at: Instant) {
        self.lock().sent[event] = Some(at);
    }

    /// A call arrived. False when nobody sent such an event.
    pub(crate) fn receive(&self, webhook: usize, event: usize) -> bool {
        let at = now();
        let mut pages = self.lock();
        if webhook >= self.webhooks || pages.sent.get(event).is_none_or(Option::is_none) {
            return false;
        }
        let place = webhook * pages.sent.len() + event;
        if pages.received[place].replace(at).is_some() {
            pages.repeated += 1;
            return true;
        }
        pages.last = Some(at);
        pages.missing -= 1;
        if pages.missing == 0 {
            self.complete.notify_one();
        }
        true
    }

    /// Returns once everything has arrived.
    pub(crate) async fn until_complete(&self) {
        while self.missing() > 0 {
            self.complete.notified().await;
        }
    }

    /// How many deliveries have not come.
    pub(crate) fn missing(&self) -> usize {
        self.lock().missing
    }

    /// When a webhook got each of its events first, in order of time.
    pub(crate) fn arrivals(&self, webhook: usize) -> Vec<Instant> {
        let pages = self.lock();
        let events = pages.sent.len();
        let mut all: Vec<Instant> =
            pages.received[webhook * events..(webhook + 1) * events].iter().flatten().copied().collect();
        all.sort_unstable();
        all
    }

    /// Closes the account.
    ///
    /// # Errors
    /// When something is missing, or came twice although nothing failed.
    pub(crate) fn account(&self) -> Result<Account> {
        let pages = self.lock();
        ensure!(pages.missing == 0, "{} of {} deliveries never came", pages.missing, pages.received.len());
        ensure!(pages.repeated == 0, "{} deliveries came twice, though nothing failed", pages.repeated);
        let (first, last) = (pages.sent.iter().flatten().min(), pages.last);
        let took = first.zip(last).map(|(first, last)| last.saturating_duration_since(*first));
        let events = pages.sent.len();
        let pair = |(place, received): (usize, &Option<Instant>)| {
            Some(received.as_ref()?.saturating_duration_since(pages.sent[place % events]?))
        };
        let latencies = pages.received.iter().enumerate().filter_map(pair).collect();
        Ok(Account {
            took: took.unwrap_or_default(),
            deliveries: pages.received.len(),
            latencies: Latencies::of(latencies),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_came_once_adds_up() {
        let book = Book::new(2, 1);
        assert!(!book.receive(0, 0), "it was never sent");
        book.send(0, now());
        assert!(book.receive(0, 0));
        assert!(!book.receive(2, 0), "there is no such webhook");
        assert!(book.account().expect_err("one is missing").to_string().contains("1 of 2"));
        assert!(book.receive(1, 0));
        assert_eq!(book.account().expect("all came").deliveries, 2);
        assert!(book.receive(1, 0));
        assert!(book.account().expect_err("one came twice").to_string().contains("twice"));
    }
}
