//! One instance: every port in memory, a clock that stands, and the token of the first start.

use std::sync::Arc;

use postrider_control::draft::WebhookDraft;
use postrider_control::webhooks::SavedWebhook;
use postrider_control::{Actor, Control, ControlError, Deps, Settings};
use postrider_domain::id::{SpaceId, WebhookId};
use postrider_domain::token::Role;
use postrider_testkit::log::MemoryLog;
use postrider_testkit::queue::MemoryQueue;
use postrider_testkit::ring::MemoryRing;
use postrider_testkit::sender::ScriptedSender;
use postrider_testkit::store::MemoryStore;
use postrider_testkit::{ManualClock, SeededRandom};

pub(crate) struct Instance {
    pub(crate) control: Control,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) log: Arc<MemoryLog>,
    pub(crate) sender: Arc<ScriptedSender>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) ring: Arc<MemoryRing>,
    /// The text of the token that rules the instance.
    pub(crate) bearer: String,
    /// Who owns it.
    pub(crate) admin: Actor,
}

impl Instance {
    pub(crate) async fn start() -> Self {
        Self::with(Settings::default()).await
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        let clock = Arc::new(ManualClock::new());
        let (store, log) = (Arc::new(MemoryStore::new()), Arc::new(MemoryLog::new()));
        let (sender, queue) = (Arc::new(ScriptedSender::new()), MemoryQueue::new(clock.clone()));
        let ring = Arc::new(MemoryRing::new("k1"));
        let deps = Deps {
            registry: store.clone(),
            log: log.clone(),
            bodies: log.clone(),
            write: log.clone(),
            reopen: log.clone(),
            tokens: store.clone(),
            spaces: store.clone(),
            sources: store.clone(),
            secrets: ring.clone(),
            keys: ring.clone(),
            sender: sender.clone(),
            deliver: Arc::new(queue.clone()),
            depths: Arc::new(queue.clone()),
            parked: Arc::new(queue),
            clock: clock.clone(),
            random: Arc::new(SeededRandom::new(1)),
        };
        let control = Control::new(settings, deps);
        let made = control.bootstrap().await.expect("a first start");
        let bearer = made.expect("a token").reveal().to_owned();
        let admin = control.authenticate(&bearer, None).await.expect("it is valid");
        Self { control, store, log, sender, clock, ring, bearer, admin }
    }

    /// The same person with another role in the space `default`.
    pub(crate) fn as_role(&self, role: Role) -> Actor {
        let mut actor = self.admin.clone();
        actor.grant.role = role;
        actor.grant.space = Some(default_space());
        actor
    }

    pub(crate) async fn save(&self, id: &str, draft: WebhookDraft) -> SavedWebhook {
        let saved =
            self.control.put_webhook(&self.admin, &default_space(), &webhook_id(id), draft, None).await;
        saved.expect("it can be saved")
    }
}

pub(crate) fn default_space() -> SpaceId {
    SpaceId::new("default").expect("an id")
}

pub(crate) fn webhook_id(id: &str) -> WebhookId {
    WebhookId::new(id).expect("an id")
}

/// A webhook that takes these topics.
pub(crate) fn draft(topics: &[&str]) -> WebhookDraft {
    WebhookDraft {
        name: Some("n".to_owned()),
        url: Some("https://receiver.example/hook".to_owned()),
        topics: Some(topics.iter().map(|&topic| topic.to_owned()).collect()),
        ..WebhookDraft::default()
    }
}

/// Whether it was refused for this reason.
pub(crate) fn says<T: std::fmt::Debug>(answer: Result<T, ControlError>, part: &str) -> bool {
    let error = answer.expect_err("refused").to_string();
    assert!(error.contains(part), "{error}");
    true
}
