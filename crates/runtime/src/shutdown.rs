//! The one wish to stop: soft ("finish what you hold, take nothing new"), then hard ("stop now").
//!
//! A service looks at it in its loop and passes it on; it is never a global, so two systems can live in one test.

use tokio_util::sync::{CancellationToken, DropGuard};

/// The wish to stop, shared by everything in one process. Clones are cheap and speak of the same wish.
///
/// Hard includes soft: whoever waits for [`stopping`](Self::stopping) also wakes on [`force`](Self::force).
#[derive(Debug, Clone)]
pub struct Shutdown {
    soft: CancellationToken,
    hard: CancellationToken,
}

/// Begins the shutdown when dropped: at the end of the task that holds it, whether it returned or panicked.
#[derive(Debug)]
#[must_use = "a guard that is dropped at once begins the shutdown at once"]
pub struct ShutdownGuard {
    _soft: DropGuard,
}

impl Shutdown {
    /// A wish that nobody has expressed yet.
    pub fn new() -> Self {
        let hard = CancellationToken::new();
        Self { soft: hard.child_token(), hard }
    }

    /// Asks everything to finish what it holds and take nothing new. Asking again changes nothing.
    pub fn begin(&self) {
        self.soft.cancel();
    }

    /// Asks everything to stop now; what is unfinished stays unfinished.
    pub fn force(&self) {
        self.hard.cancel();
    }

    /// Whether anybody asked to stop, softly or hard.
    pub fn is_stopping(&self) -> bool {
        self.soft.is_cancelled()
    }

    /// Waits until anybody asks to stop. Cancel-safe: may be dropped and asked for again in a `select!`.
    pub async fn stopping(&self) {
        self.soft.cancelled().await;
    }

    /// Waits until anybody asks to stop at once. Cancel-safe.
    pub async fn hard(&self) {
        self.hard.cancelled().await;
    }

    /// A guard for a task that must not end while the rest of the process goes on.
    pub fn guard(&self) -> ShutdownGuard {
        ShutdownGuard { _soft: self.soft.clone().drop_guard() }
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn begin_wakes_those_who_wait_for_soft_only() {
        let shutdown = Shutdown::new();
        assert!(!shutdown.is_stopping());
        assert!(shutdown.stopping().now_or_never().is_none());
        shutdown.clone().begin();
        assert!(shutdown.is_stopping());
        assert!(shutdown.stopping().now_or_never().is_some());
        assert!(shutdown.hard().now_or_never().is_none());
    }

    #[test]
    fn force_wakes_those_who_wait_for_soft_too() {
        let shutdown = Shutdown::new();
        shutdown.clone().force();
        assert!(shutdown.is_stopping());
        assert!(shutdown.stopping().now_or_never().is_some());
        assert!(shutdown.hard().now_or_never().is_some());
    }

    #[test]
    fn a_guard_begins_the_shutdown_when_its_holder_panics() {
        let shutdown = Shutdown::new();
        let guard = shutdown.guard();
        assert!(!shutdown.is_stopping());
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            let _held = guard;
            panic!("the task died");
        }));
        assert!(panicked.is_err());
        assert!(shutdown.is_stopping());
        assert!(shutdown.hard().now_or_never().is_none(), "a guard is soft");
    }
}
