//! Who still needs the connections: they are closed once nobody does.

use tokio::sync::mpsc;

/// Held by every task that needs the connections.
#[derive(Debug, Clone)]
pub(super) struct Leash {
    _held: mpsc::Sender<()>,
}

/// Tells when the last leash is gone.
#[derive(Debug)]
pub(super) struct Loose(mpsc::Receiver<()>);

impl Leash {
    /// A first leash, and what tells that all are gone.
    pub(super) fn new() -> (Self, Loose) {
        // Nothing is ever sent: it ends when the last sender does.
        let (sender, receiver) = mpsc::channel(1);
        (Self { _held: sender }, Loose(receiver))
    }

    /// The work, holding a leash to its end.
    pub(super) fn hold<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        let leash = self.clone();
        async move {
            let outcome = work.await;
            drop(leash);
            outcome
        }
    }
}

impl Loose {
    /// Returns once nobody holds a leash.
    pub(super) async fn all(mut self) {
        while self.0.recv().await.is_some() {}
    }
}
