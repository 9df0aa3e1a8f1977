//! A sender that calls nobody: it answers by a script, records what it was asked to send, and can be held.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use postrider_domain::call::{Failure, RecordedResponse, Timings};
use postrider_domain::outcome::FailureKind;
use postrider_ports::sender::{Request, Sender, Sent};
use tokio::sync::watch;

/// How one call ends.
pub type Ending = Result<RecordedResponse, Failure>;

/// The scripted sender. A URL without a script answers 200.
#[derive(Default)]
pub struct ScriptedSender {
    scripts: Mutex<HashMap<String, (Vec<Ending>, usize)>>,
    sent: watch::Sender<Vec<Request>>,
    held: watch::Sender<bool>,
}

/// An answer of this status, without headers and body.
pub fn answers(status: u16) -> Ending {
    Ok(RecordedResponse { status, headers: Vec::new(), body: Bytes::new(), truncated: false })
}

/// No answer, for this reason.
pub fn fails(kind: FailureKind) -> Ending {
    Err(Failure { kind, message: format!("the script says {kind}") })
}

impl ScriptedSender {
    /// A sender whose calls all succeed.
    pub fn new() -> Self {
        Self::default()
    }

    /// How calls to a URL end, one after the other; the last ending stays.
    pub fn script(&self, url: &str, endings: impl IntoIterator<Item = Ending>) {
        let endings: Vec<Ending> = endings.into_iter().collect();
        assert!(!endings.is_empty(), "a script has at least one ending");
        self.scripts().insert(url.to_owned(), (endings, 0));
    }

    /// From now on calls begin and do not end.
    pub fn hold(&self) {
        self.held.send_replace(true);
    }

    /// Ends what is held, and holds no more.
    pub fn release(&self) {
        self.held.send_replace(false);
    }

    /// Every request so far.
    pub fn sent(&self) -> Vec<Request> {
        self.sent.borrow().clone()
    }

    /// Waits until at least `count` calls have begun.
    pub async fn begun(&self, count: usize) -> Vec<Request> {
        let mut sent = self.sent.subscribe();
        // `self` holds the sender of the channel, so waiting cannot fail.
        drop(sent.wait_for(|sent| sent.len() >= count).await);
        self.sent()
    }

    fn scripts(&self) -> MutexGuard<'_, HashMap<String, (Vec<Ending>, usize)>> {
        self.scripts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self, url: &str) -> Ending {
        match self.scripts().get_mut(url) {
            Some((endings, next)) => {
                let at = (*next).min(endings.len() - 1);
                *next += 1;
                endings[at].clone()
            }
            None => answers(200),
        }
    }
}

#[async_trait]
impl Sender for ScriptedSender {
    async fn send(&self, request: Request) -> Sent {
        let result = self.next(&request.url);
        self.sent.send_modify(|sent| sent.push(request));
        drop(self.held.subscribe().wait_for(|held| !held).await);
        Sent { result, timings: Timings::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use std::time::Duration;

    fn get(url: &str) -> Request {
        let (method, url) = ("GET".to_owned(), url.to_owned());
        Request {
            method,
            url,
            headers: Vec::new(),
            body: None,
            timeout: Duration::from_secs(1),
            connect: None,
        }
    }

    #[tokio::test]
    async fn calls_end_as_scripted_and_the_last_ending_stays() {
        let sender = ScriptedSender::new();
        sender.script("https://a/", [fails(FailureKind::Timeout), answers(204)]);
        assert_eq!(sender.send(get("https://a/")).await.result, fails(FailureKind::Timeout));
        assert_eq!(sender.send(get("https://a/")).await.result, answers(204));
        assert_eq!(sender.send(get("https://a/")).await.result, answers(204));
        assert_eq!(sender.send(get("https://b/")).await.result, answers(200));
        assert_eq!(sender.sent().len(), 4);
    }

    #[tokio::test]
    async fn a_held_call_has_begun_and_ends_when_it_is_released() {
        let sender = ScriptedSender::new();
        sender.hold();
        let mut call = sender.send(get("https://a/"));
        assert!((&mut call).now_or_never().is_none());
        assert_eq!(sender.begun(1).await[0].url, "https://a/");
        sender.release();
        assert_eq!(call.await.result, answers(200));
    }
}
