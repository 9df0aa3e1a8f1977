//! Webhooks.

use std::collections::BTreeMap;
use std::time::Duration;

use postrider_domain::coalesce::CoalesceSetting;
use postrider_domain::filter::Filter;
use postrider_domain::retry::{RetryOn, RetryPolicy, Schedule};
use postrider_domain::secret::Sealed;
use postrider_domain::topic::TopicPattern;
use postrider_domain::trigger::Trigger;
use postrider_domain::webhook::{
    Audit, CustomHeader, Disabled, DisabledBy, HeaderValue, HttpTarget, Method, RateLimit, Render,
    SigningSecret, Status, Topic, Wants, Webhook, WebhookAction,
};

use super::{SPACE, space, webhook_id};
use crate::clock::START;

/// A webhook under construction.
#[derive(Debug, Clone)]
pub struct WebhookBuilder(Webhook);

/// An active webhook of `default` that wants nothing yet and POSTs in the dialect `native`, version 0.
pub fn webhook(id: &str) -> WebhookBuilder {
    WebhookBuilder(Webhook {
        id: webhook_id(id),
        space: space(SPACE),
        name: format!("Webhook {id}"),
        status: Status::Active,
        wants: Wants::default(),
        action: WebhookAction::Http(HttpTarget {
            url: format!("https://receiver.example/{id}"),
            method: Method::Post,
            headers: Vec::new(),
            basic_auth: None,
            render: Render::Dialect,
        }),
        dialect: "native".to_owned(),
        options: BTreeMap::new(),
        signing: Vec::new(),
        retry: None,
        timeout: None,
        coalesce: CoalesceSetting::default(),
        rate_limit: None,
        version: 0,
        audit: Audit {
            created_at: START,
            created_by: "test".to_owned(),
            updated_at: START,
            updated_by: "test".to_owned(),
        },
    })
}

impl WebhookBuilder {
    fn http(&mut self) -> &mut HttpTarget {
        self.0.action.http_mut().expect("the builder makes webhooks that call a URL")
    }

    /// Its space.
    #[must_use]
    pub fn space(mut self, id: &str) -> Self {
        self.0.space = space(id);
        self
    }

    /// Its name.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.0.name);
        self
    }

    /// Adds a topic.
    #[must_use]
    pub fn topic(mut self, topic: &str) -> Self {
        let pattern = TopicPattern::parse(topic).expect("the test gives a valid topic");
        self.0.wants.topics.push(Topic { given: topic.to_owned(), pattern });
        self
    }

    /// Adds a trigger.
    #[must_use]
    pub fn trigger(mut self, trigger: Trigger) -> Self {
        self.0.wants.triggers.push(trigger);
        self
    }

    /// Adds a filter.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.0.wants.filters.push(filter);
        self
    }

    /// Sets everything it wants.
    #[must_use]
    pub fn wants(mut self, wants: Wants) -> Self {
        self.0.wants = wants;
        self
    }

    /// Where it calls.
    #[must_use]
    pub fn url(mut self, url: &str) -> Self {
        url.clone_into(&mut self.http().url);
        self
    }

    /// How it calls.
    #[must_use]
    pub fn method(mut self, method: Method) -> Self {
        self.http().method = method;
        self
    }

    /// Adds a plain header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let value = HeaderValue::Plain(value.to_owned());
        self.http().headers.push(CustomHeader { name: name.to_owned(), value });
        self
    }

    /// The dialect it speaks.
    #[must_use]
    pub fn dialect(mut self, name: &str) -> Self {
        name.clone_into(&mut self.0.dialect);
        self
    }

    /// Adds a signing secret, already sealed.
    #[must_use]
    pub fn signing(mut self, secret: Sealed) -> Self {
        self.0.signing.push(SigningSecret { secret, created_at: START, expires_at: None });
        self
    }

    /// How it retries.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.0.retry = Some(policy);
        self
    }

    /// Retries after exactly these delays, without jitter.
    #[must_use]
    pub fn delays(self, delays: &[Duration]) -> Self {
        let schedule = Schedule::Explicit { delays: delays.to_vec(), jitter: 0.0 };
        self.retry(RetryPolicy { schedule, on: RetryOn::default() })
    }

    /// The deadline of its calls.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.0.timeout = Some(timeout);
        self
    }

    /// What it coalesces.
    #[must_use]
    pub fn coalesce(mut self, setting: CoalesceSetting) -> Self {
        self.0.coalesce = setting;
        self
    }

    /// How fast it may be called.
    #[must_use]
    pub fn rate_limit(mut self, calls: u32, per: Duration) -> Self {
        self.0.rate_limit = Some(RateLimit { calls, per });
        self
    }

    /// Disabled by a person at [`START`].
    #[must_use]
    pub fn disabled(mut self) -> Self {
        let reason = "switched off by the test".to_owned();
        self.0.status = Status::Disabled(Disabled { at: START, by: DisabledBy::User, reason });
        self
    }

    /// Its version.
    #[must_use]
    pub fn version(mut self, version: u64) -> Self {
        self.0.version = version;
        self
    }

    /// The webhook.
    pub fn build(self) -> Webhook {
        self.0
    }
}
