//! The webhooks of one space, arranged so that an event only meets those that may want it.
//!
//! Every topic and trigger is filed under its type (or any) and the stem of its action (or any). An event looks under its
//! own type and "any", each with its action, every beginning of it that ends before a dot, and "any". What is found is a
//! superset of what matches; [`postrider_domain::matching::decide`] has the last word.

use std::collections::HashMap;
use std::sync::Arc;

use postrider_dialects::Dialect;
use postrider_domain::event::EventHead;
use postrider_domain::id::WebhookId;
use postrider_domain::json::Json;
use postrider_domain::retry::RetryPolicy;
use postrider_domain::space::SpaceSettings;
use postrider_domain::topic::{ActionPattern, EventType};
use postrider_domain::webhook::{HeaderValue, Render, Webhook, WebhookAction};
use postrider_ports::subscriptions::Change;

use crate::shares::{Callee, Key};

/// A webhook with what is derived from it once.
pub(crate) struct Known {
    /// As it stands.
    pub(crate) webhook: Webhook,
    /// By what its calls are counted.
    pub(crate) callee: Arc<Callee>,
    /// How it wants to be spoken to; `None` when nobody here speaks so.
    pub(crate) dialect: Option<&'static dyn Dialect>,
    /// What its space has settled.
    pub(crate) settings: Arc<SpaceSettings>,
    /// How it is retried: its own policy, else its space's, else its dialect's; `None` without any of them.
    pub(crate) policy: Option<RetryPolicy>,
}

/// All webhooks of a space.
pub(crate) struct SpaceIndex {
    /// In the order of their ids, so that what is listed is the same every time.
    webhooks: Vec<Arc<Known>>,
    any_type: Stems,
    by_type: HashMap<EventType, Stems>,
    settings: Arc<SpaceSettings>,
    bytes: usize,
}

/// Places in [`SpaceIndex::webhooks`], by the stem of an action.
#[derive(Default)]
struct Stems {
    any: Vec<usize>,
    by_stem: HashMap<Box<str>, Vec<usize>>,
}

/// The host that messages to Slack share, for limits by host.
const SLACK_HOST: &str = "slack.com";

impl Known {
    pub(crate) fn new(webhook: Webhook, settings: Arc<SpaceSettings>) -> Self {
        let host = webhook.action.http().map_or_else(|| SLACK_HOST.to_owned(), |target| host_of(&target.url));
        let key = Key { space: webhook.space.clone(), webhook: webhook.id.clone() };
        let callee = Arc::new(Callee { key, host: host.into() });
        let dialect = postrider_dialects::dialect(&webhook.dialect);
        let policy = webhook.retry.clone().or_else(|| settings.retry_policy());
        let policy = policy.or_else(|| dialect.map(Dialect::default_policy));
        Self { webhook, callee, dialect, settings, policy }
    }
}

impl SpaceIndex {
    /// Arranges the webhooks of a space that has settled this.
    pub(crate) fn of(webhooks: Vec<Webhook>, settings: SpaceSettings) -> Self {
        let settings = Arc::new(settings);
        let known = webhooks.into_iter().map(|webhook| Arc::new(Known::new(webhook, Arc::clone(&settings))));
        Self::new(known.collect(), settings)
    }

    fn new(mut webhooks: Vec<Arc<Known>>, settings: Arc<SpaceSettings>) -> Self {
        webhooks.sort_by(|a, b| a.webhook.id.cmp(&b.webhook.id));
        let bytes =
            webhooks.iter().map(|known| weight(&known.webhook)).sum::<usize>() + settings_weight(&settings);
        let (any_type, by_type) = (Stems::default(), HashMap::new());
        let mut index = Self { webhooks: Vec::new(), any_type, by_type, settings, bytes };
        for (at, known) in webhooks.iter().enumerate() {
            let wants = &known.webhook.wants;
            for topic in &wants.topics {
                index.file(topic.pattern.event_type.as_ref(), Some(&topic.pattern.action), at);
            }
            for trigger in &wants.triggers {
                if trigger.actions.is_empty() {
                    index.file(trigger.event_type.as_ref(), None, at);
                }
                for action in &trigger.actions {
                    index.file(trigger.event_type.as_ref(), Some(action), at);
                }
            }
        }
        index.webhooks = webhooks;
        index
    }

    /// The same with these changes.
    pub(crate) fn with(&self, changes: Vec<Change>) -> Self {
        let mut webhooks: HashMap<WebhookId, Arc<Known>> =
            self.webhooks.iter().map(|known| (known.webhook.id.clone(), Arc::clone(known))).collect();
        let mut settings = Arc::clone(&self.settings);
        for change in changes {
            match change {
                Change::Webhook(id, Some(webhook)) => {
                    let known = Known::new(*webhook, Arc::clone(&settings));
                    webhooks.insert(id, Arc::new(known));
                }
                Change::Webhook(id, None) => drop(webhooks.remove(&id)),
                Change::Settings(changed) => settings = Arc::from(changed),
            }
        }
        if !Arc::ptr_eq(&settings, &self.settings) {
            // Rare, so that a copy of each webhook costs less than another look-up for each call would.
            for known in webhooks.values_mut() {
                *known = Arc::new(Known::new(known.webhook.clone(), Arc::clone(&settings)));
            }
        }
        Self::new(webhooks.into_values().collect(), settings)
    }

    /// One webhook.
    pub(crate) fn get(&self, id: &WebhookId) -> Option<&Arc<Known>> {
        let at = self.webhooks.binary_search_by(|known| known.webhook.id.cmp(id)).ok()?;
        self.webhooks.get(at)
    }

    /// All of them, by id.
    pub(crate) fn all(&self) -> &[Arc<Known>] {
        &self.webhooks
    }

    /// About how many bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The places in [`Self::all`] of every webhook that may want this event, ascending, each once.
    pub(crate) fn candidates(&self, head: &EventHead) -> Vec<usize> {
        let mut found = Vec::new();
        for stems in [Some(&self.any_type), self.by_type.get(&head.event_type)].into_iter().flatten() {
            stems.collect(head.action.as_str(), &mut found);
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    fn file(&mut self, event_type: Option<&EventType>, action: Option<&ActionPattern>, at: usize) {
        let stems = match event_type {
            Some(event_type) => self.by_type.entry(event_type.clone()).or_default(),
            None => &mut self.any_type,
        };
        let places = match action {
            None | Some(ActionPattern::Any) => &mut stems.any,
            Some(ActionPattern::Plain(stem) | ActionPattern::Suffixed(stem)) => {
                stems.by_stem.entry(stem.as_str().into()).or_default()
            }
        };
        places.push(at);
    }
}

impl Stems {
    fn collect(&self, action: &str, found: &mut Vec<usize>) {
        found.extend(&self.any);
        let dots = action.match_indices('.').map(|(at, _)| at);
        for end in dots.chain([action.len()]) {
            found.extend(self.by_stem.get(&action[..end]).into_iter().flatten());
        }
    }
}

/// The host of a URL: what stands between `//` (or the last `@` after it) and the next `/`, `?`, `#` or the port. Only for
/// counting, so it need not judge whether the URL is good.
fn host_of(url: &str) -> String {
    let rest = url.split_once("//").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match host.strip_prefix('[') {
        Some(address) => address.split(']').next().unwrap_or(address),
        None => host.split(':').next().unwrap_or(host),
    };
    host.to_ascii_lowercase()
}

/// About how many bytes settings take: their secrets, keys and connections.
fn settings_weight(settings: &SpaceSettings) -> usize {
    let signing = settings.signing.as_ref().map_or(0, |signing| 128 + signing.secret.as_str().len());
    let rsa = settings.rsa.as_ref().map_or(0, |key| 128 + key.secret.as_str().len() + key.public_pem.len());
    // A token or URL of Slack, sealed, takes about 200.
    signing + rsa + 512 * settings.slack.len()
}

/// About how many bytes a webhook takes: its texts, and 1 KiB for the structures around them and its places in the index.
fn weight(webhook: &Webhook) -> usize {
    let texts = |list: &[String]| list.iter().map(|text| text.len() + size_of::<String>()).sum::<usize>();
    let wants = &webhook.wants;
    let topics: usize = wants.topics.iter().map(|topic| 3 * topic.given.len() + 96).sum();
    let triggers: usize = wants
        .triggers
        .iter()
        .map(|trigger| {
            128 + 96 * trigger.actions.len()
                + texts(&trigger.limits.content_types)
                + texts(&trigger.limits.entities)
        })
        .sum();
    let signing: usize = webhook.signing.iter().map(|one| one.secret.as_str().len() + 64).sum();
    // A compiled regular expression may take up to 64 KiB, usually a few; the filters' own limit is in `domain`.
    let filters = 4096 * wants.filters.len();
    let lists = [&wants.limits.content_types, &wants.limits.entities, &wants.changed_fields, &wants.states];
    1024 + webhook.name.len()
        + weight_of_action(&webhook.action)
        + topics
        + triggers
        + signing
        + filters
        + lists.into_iter().map(|list| texts(list)).sum::<usize>()
}

fn weight_of_action(action: &WebhookAction) -> usize {
    let target = match action {
        WebhookAction::Http(target) => target,
        WebhookAction::Slack(slack) => {
            let template = slack.template.as_ref().and_then(|template| template.body.as_ref());
            return slack.connection.len() + template.map_or(0, String::len);
        }
    };
    let value = |value: &HeaderValue| match value {
        HeaderValue::Plain(value) | HeaderValue::Open(value) => value.len(),
        HeaderValue::Secret(sealed) => sealed.as_str().len(),
    };
    let headers = target.headers.iter().map(|header| header.name.len() + value(&header.value) + 64);
    let render = match &target.render {
        Render::Dialect => 0,
        Render::Transformation(shape) => shape.body.as_ref().map_or(0, Json::len),
        Render::Mustache(template) => template.body.as_ref().map_or(0, String::len),
    };
    target.url.len() + headers.sum::<usize>() + render
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_found_in_every_form_of_url() {
        for (url, host) in [
            ("https://Example.com/a/b", "example.com"),
            ("https://user:pass@example.com:8443/a@b", "example.com"),
            ("http://[::1]:8080/", "::1"),
            ("http://127.0.0.1:9000?x=//y", "127.0.0.1"),
            ("nonsense", "nonsense"),
        ] {
            assert_eq!(host_of(url), host, "{url}");
        }
    }
}
