//! What the service says of itself: one component of health for all its parts, each of which may be hindered.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use postrider_runtime::health::Component;

/// Which parts are hindered, and by what.
pub(crate) struct Condition {
    component: Component,
    hindered: Mutex<BTreeMap<&'static str, String>>,
}

impl Condition {
    /// Speaks through this component, which nobody else may use.
    pub(crate) fn new(component: Component) -> Self {
        Self { component, hindered: Mutex::default() }
    }

    /// A part can do its work.
    pub(crate) fn well(&self, part: &'static str) {
        self.change(|hindered| drop(hindered.remove(part)));
    }

    /// A part cannot, and why.
    pub(crate) fn hindered(&self, part: &'static str, why: String) {
        self.change(|hindered| drop(hindered.insert(part, why)));
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<&'static str, String>)) {
        let mut hindered = self.hindered.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut hindered);
        if hindered.is_empty() {
            self.component.ready();
        } else {
            let reasons = hindered.values().map(String::as_str).collect::<Vec<_>>();
            self.component.not_ready(reasons.join("; "));
        }
    }
}
