//! Two ledgers of the same calls: the receiver's, and the records that the system shows.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use futures::future::join_all;
use reqwest::Method;

use crate::system::System;
use crate::target::Hit;

/// A call: its delivery, and which attempt it was.
pub(crate) type Call = (String, u64);

/// How often each call was made.
#[derive(Debug, Default)]
pub(crate) struct Ledger(HashMap<Call, usize>);

/// The receiver's ledger while calls come in.
#[derive(Debug, Default)]
pub(crate) struct Seen(Mutex<Ledger>);

impl Seen {
    /// Notes a call and returns which.
    pub(crate) fn note(&self, hit: &Hit) -> Call {
        let header = |name: &str| hit.headers[name].to_str().expect("text").to_owned();
        let call = (header("postrider-delivery"), header("postrider-attempt").parse().expect("a number"));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).note(call.clone());
        call
    }

    /// What was noted so far.
    pub(crate) fn take(&self) -> Ledger {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Ledger {
    /// What the system has on record about the calls of these webhooks, page by page.
    pub(crate) async fn of_records(system: &System, webhooks: &[String]) -> Self {
        let mut ledger = Self::default();
        for calls in join_all(webhooks.iter().map(|webhook| records(system, webhook))).await {
            for call in calls {
                ledger.note(call);
            }
        }
        ledger
    }

    fn note(&mut self, call: Call) {
        *self.0.entry(call).or_default() += 1;
    }

    /// Calls in all.
    pub(crate) fn calls(&self) -> usize {
        self.0.values().sum()
    }

    /// Deliveries called about.
    pub(crate) fn deliveries(&self) -> usize {
        self.0.keys().map(|(delivery, _)| delivery).collect::<std::collections::HashSet<_>>().len()
    }

    /// Calls made more than once, the first of each not counted.
    pub(crate) fn repeated(&self) -> usize {
        self.0.values().map(|times| times - 1).sum()
    }

    /// The calls in here, with how often, beyond those in the other.
    pub(crate) fn beyond(&self, other: &Self) -> Vec<(Call, usize)> {
        let missing =
            |call: &Call, times: usize| times.saturating_sub(other.0.get(call).copied().unwrap_or_default());
        let beyond = self.0.iter().map(|(call, times)| (call.clone(), missing(call, *times)));
        beyond.filter(|(_, times)| *times > 0).collect()
    }
}

async fn records(system: &System, webhook: &str) -> Vec<Call> {
    let (mut calls, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/spaces/default/calls?webhook={webhook}&limit=100{cursor}");
        let page = system.call(Method::GET, &path, None).await;
        for item in page["items"].as_array().expect("items") {
            let delivery = item["delivery"].as_str().expect("a delivery").to_owned();
            calls.push((delivery, item["attempt"].as_u64().expect("a number")));
        }
        match page["pages"]["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return calls,
        }
    }
}
