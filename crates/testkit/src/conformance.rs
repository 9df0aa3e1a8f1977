//! One suite of named cases per port. Every adapter passes its suite, and for each case that matters this crate's own
//! tests hold a broken fake that the suite rejects.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use postrider_ports::claims::Claims;
//! # use postrider_testkit::{ManualClock, conformance};
//! # fn adapter(clock: Arc<ManualClock>) -> Arc<dyn Claims> { unreachable!() }
//! # async fn test() {
//! conformance::claims::run(&adapter).await;
//! # }
//! ```
//!
//! An adapter that must be opened asynchronously, or can be closed and opened again, implements [`Harness`] instead of
//! giving a closure.

pub mod bodies;
pub mod breakers;
pub mod claims;
pub mod days;
pub mod delays;
pub mod epoch;
pub mod keys;
pub mod leader;
pub mod log;
pub mod marks;
pub mod parked;
pub mod progress;
pub mod queue;
pub mod rates;
pub mod reconcile;
pub mod registry;
pub mod retention;
pub mod secrets;
pub mod sender;
pub mod sources;
pub mod spaces;
pub mod subscriptions;
pub mod tokens;
pub mod wellness;
pub mod windows;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use postrider_ports::error::PortError;

use crate::clock::ManualClock;

/// A case that takes longer than this hangs: no case waits for real time, and none takes a second.
const PATIENCE: Duration = Duration::from_secs(60);

/// Makes adapters for a suite.
#[async_trait]
pub trait Harness<A: ?Sized + Send + Sync + 'static>: Send + Sync {
    /// An adapter over empty storage.
    async fn fresh(&self, clock: Arc<ManualClock>) -> Arc<A>;

    /// Kills the process of the adapter that [`Harness::fresh`] made last, and opens its storage again as a new process
    /// would. `None` when the adapter keeps nothing: the cases about it are passed over.
    async fn reopen(&self, _adapter: Arc<A>, _clock: Arc<ManualClock>) -> Option<Arc<A>> {
        None
    }

    /// Whether the adapter is a client of a broker. Then delays pass in the broker's time, which no test controls, and
    /// what was fetched ahead is handed out as far as the broker knows. The cases that need to know better are passed
    /// over; [`delays`] checks the delays in real time.
    fn behind_a_broker(&self) -> bool {
        false
    }
}

#[async_trait]
impl<A: ?Sized + Send + Sync + 'static, F: Fn(Arc<ManualClock>) -> Arc<A> + Send + Sync> Harness<A> for F {
    async fn fresh(&self, clock: Arc<ManualClock>) -> Arc<A> {
        self(clock)
    }
}

/// What a case works on: an adapter over empty storage and the clock it lives by.
pub struct Bench<'h, A: ?Sized + Send + Sync + 'static> {
    /// The adapter.
    pub on: Arc<A>,
    /// Its clock, at [`crate::START`].
    pub clock: Arc<ManualClock>,
    harness: &'h dyn Harness<A>,
}

/// What a case found wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault(String);

/// How a case ends.
pub type Checked = Result<(), Fault>;

/// Which cases of a suite failed.
#[derive(Debug)]
pub struct Report {
    port: &'static str,
    cases: usize,
    failed: Vec<(&'static str, Fault)>,
}

impl Fault {
    /// A fault, in words.
    pub fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<PortError> for Fault {
    fn from(error: PortError) -> Self {
        Self(format!("an unexpected error, {:?}: {error}", error.kind))
    }
}

impl<'h, A: ?Sized + Send + Sync + 'static> Bench<'h, A> {
    async fn new(harness: &'h dyn Harness<A>) -> Self {
        let clock = Arc::new(ManualClock::new());
        Self { on: harness.fresh(Arc::clone(&clock)).await, clock, harness }
    }

    /// Kills the adapter's process and opens the storage again; `None` when there is none.
    async fn reopened(&self) -> Option<Arc<A>> {
        self.harness.reopen(Arc::clone(&self.on), Arc::clone(&self.clock)).await
    }

    /// The same for an adapter that was opened again before.
    async fn reopened_from(&self, on: Arc<A>) -> Option<Arc<A>> {
        self.harness.reopen(on, Arc::clone(&self.clock)).await
    }

    /// Whether the adapter is a client of a broker.
    fn behind_a_broker(&self) -> bool {
        self.harness.behind_a_broker()
    }
}

impl Report {
    fn new(port: &'static str) -> Self {
        Self { port, cases: 0, failed: Vec::new() }
    }

    async fn case(&mut self, name: &'static str, case: impl Future<Output = Checked>) {
        self.cases += 1;
        let patient = tokio::time::timeout(PATIENCE, case).await;
        let checked = patient.unwrap_or_else(|_| Err(Fault::new("it hangs: something awaited never came")));
        if let Err(fault) = checked {
            self.failed.push((name, fault));
        }
    }

    /// The names of the cases that failed.
    pub fn failed(&self) -> Vec<&'static str> {
        self.failed.iter().map(|(name, _)| *name).collect()
    }

    /// Panics with every failed case if there is one.
    ///
    /// # Panics
    /// When a case failed.
    pub fn assert_clean(&self) {
        assert!(self.failed.is_empty(), "{self}");
    }

    /// Panics unless the suite rejected the adapter in this case: the proof that the case bites.
    ///
    /// # Panics
    /// When the case passed.
    pub fn assert_rejected(&self, case: &str) {
        assert!(self.failed().contains(&case), "the broken adapter passes {case}; {self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} cases of the suite for {} failed", self.failed.len(), self.cases, self.port)?;
        self.failed.iter().try_for_each(|(name, fault)| write!(f, "\n  {name}: {fault}"))
    }
}

/// Declares `run` and `check` of a suite.
macro_rules! suite {
    ($port:literal, $adapter:ty, [$($case:path),+ $(,)?]) => {
        /// Runs every case, each against a fresh adapter.
        ///
        /// # Panics
        /// With the list of the cases that failed.
        pub async fn run(harness: &dyn $crate::conformance::Harness<$adapter>) {
            check(harness).await.assert_clean();
        }

        /// Runs every case, each against a fresh adapter, and reports.
        pub async fn check(
            harness: &dyn $crate::conformance::Harness<$adapter>,
        ) -> $crate::conformance::Report {
            let mut report = $crate::conformance::Report::new($port);
            $(
                let bench = $crate::conformance::Bench::new(harness).await;
                report.case(stringify!($case), Box::pin($case(&bench))).await;
            )+
            report
        }
    };
}

/// Ends the case with a fault unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($what:tt)+) => {
        if !$condition {
            return Err($crate::conformance::Fault::new(format!($($what)+)));
        }
    };
}

/// Ends the case with a fault unless both are equal.
macro_rules! same {
    ($got:expr, $expected:expr, $($what:tt)+) => {
        match (&$got, &$expected) {
            (got, expected) => {
                if *got != *expected {
                    let what = format!($($what)+);
                    let fault = format!("{what}: expected {expected:?}, got {got:?}");
                    return Err($crate::conformance::Fault::new(fault));
                }
            }
        }
    };
}

use {ensure, same, suite};
