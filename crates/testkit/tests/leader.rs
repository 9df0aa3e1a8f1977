//! A term in memory passes the suite, and broken ones are rejected by the case that is about what they break.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use postrider_ports::error::PortResult;
use postrider_ports::leader::Leadership;
use postrider_testkit::conformance;
use postrider_testkit::conformance::leader::Contest;

/// What is wrong with a term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    NobodyLeads,
    OnlyOnce,
    EveryoneLeads,
    LastLeads,
    LosesTheRace,
    OutlivesItsHolder,
    EndsWithAnyone,
}

#[derive(Clone)]
struct Term {
    flaw: Flaw,
    holder: Arc<Mutex<Option<u64>>>,
    processes: Arc<AtomicU64>,
}

struct Process {
    term: Term,
    number: u64,
}

#[async_trait]
impl Leadership for Process {
    async fn hold(&self) -> PortResult<bool> {
        let mut before = *self.term.holder.lock().expect("no panic");
        match self.term.flaw {
            Flaw::NobodyLeads => return Ok(false),
            Flaw::EveryoneLeads => return Ok(true),
            Flaw::LastLeads => before = None,
            Flaw::LosesTheRace => tokio::task::yield_now().await,
            Flaw::OnlyOnce if before == Some(self.number) => return Ok(false),
            _ => {}
        }
        if before.is_none() {
            *self.term.holder.lock().expect("no panic") = Some(self.number);
        }
        Ok(before.is_none_or(|holder| holder == self.number))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let mut holder = self.term.holder.lock().expect("no panic");
        let is_his = *holder == Some(self.number) && self.term.flaw != Flaw::OutlivesItsHolder;
        if is_his || self.term.flaw == Flaw::EndsWithAnyone {
            // What nobody holds is not free at once: the broken one gives it to a process that is not there.
            *holder = (self.term.flaw == Flaw::EndsWithAnyone).then_some(u64::MAX);
        }
    }
}

#[async_trait]
impl Contest for Term {
    async fn process(&self) -> Option<Arc<dyn Leadership>> {
        let number = self.processes.fetch_add(1, Ordering::Relaxed);
        Some(Arc::new(Process { term: self.clone(), number }))
    }

    async fn kill(&self, process: Arc<dyn Leadership>) {
        drop(process);
    }
}

fn term(flaw: Flaw) -> Arc<dyn Contest> {
    Arc::new(Term { flaw, holder: Arc::default(), processes: Arc::default() })
}

#[tokio::test]
async fn a_term_in_memory_passes() {
    conformance::leader::run(&|_| term(Flaw::None)).await;
}

#[tokio::test]
async fn the_suite_rejects_what_is_broken() {
    for (flaw, case) in [
        (Flaw::NobodyLeads, "who_is_alone_leads_and_keeps_leading"),
        (Flaw::OnlyOnce, "who_is_alone_leads_and_keeps_leading"),
        (Flaw::EveryoneLeads, "of_two_only_the_first_leads_however_often_both_ask"),
        (Flaw::LastLeads, "of_two_only_the_first_leads_however_often_both_ask"),
        (Flaw::LosesTheRace, "of_many_at_once_one_leads"),
        (Flaw::OutlivesItsHolder, "when_the_leader_is_gone_another_leads"),
        (Flaw::EndsWithAnyone, "when_a_follower_is_gone_the_leader_leads_on"),
    ] {
        conformance::leader::check(&|_| term(flaw)).await.assert_rejected(case);
    }
}
