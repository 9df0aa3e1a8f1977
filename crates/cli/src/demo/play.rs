//! Plays the script through the public API, as any user would, and gathers what came of it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use postrider_adapter_http::operator::OperatorRequest;
use postrider_domain::delivery::DeliveryId;
use postrider_domain::id::{EnvironmentId, EventId, Scope, SpaceId, WebhookId};
use postrider_domain::timestamp::Timestamp;
use postrider_domain::webhook::Method;
use postrider_ports::clock::{Clock, Random};
use serde_json::json;

use super::ledger::Ledger;
use super::progress::Progress;
use super::report::{Delivery, Facts};
use super::script::{Script, ScriptWebhook};
use crate::client::Client;
use crate::output::text;

/// The space and environment of the demo.
pub const SPACE: &str = "default";
/// See [`SPACE`].
pub const ENVIRONMENT: &str = "master";

/// All of it must be over by then: the goal is 30 s for the whole demo.
const PATIENCE: Duration = Duration::from_secs(25);
/// How often the record is asked whether everything is settled.
const LOOK_EVERY: Duration = Duration::from_millis(150);
/// After the last delivery is settled, so long nothing more may come: a call too many must show.
const STILLNESS: Duration = Duration::from_millis(700);
/// Rows of one page of deliveries; the script makes fewer.
const PAGE: usize = 1_000;

/// What the script is played with.
pub struct Stage<'a> {
    /// The script.
    pub script: &'a Script,
    /// The system, as its admin.
    pub client: Client,
    /// Where the receiver listens.
    pub receiver: SocketAddr,
    /// What the receiver saw.
    pub ledger: Arc<Ledger>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance, for secrets.
    pub random: Arc<dyn Random>,
    /// Where progress is shown.
    pub progress: Progress,
}

/// A webhook that was made.
struct Made {
    id: String,
    name: String,
    secret: String,
}

/// The deliveries by event and webhook name, and when each event was accepted.
type Record = (HashMap<(String, String), Delivery>, HashMap<String, Timestamp>);

impl Stage<'_> {
    /// Plays the script to its end.
    ///
    /// # Errors
    /// When the system refuses a step. What merely comes out wrong is in the facts.
    pub async fn play(self) -> anyhow::Result<Facts> {
        let made = self.make_webhooks().await?;
        self.publish().await?;
        let (deliveries, accepted) = self.wait(&made).await?;
        let mut message_ids = HashMap::new();
        for webhook in &made {
            for event in &self.script.events {
                let id = message_id(&event.id, &webhook.id)?;
                message_ids.insert(id, (event.id.clone(), webhook.name.clone()));
            }
        }
        Ok(Facts {
            accepted,
            deliveries,
            entries: self.ledger.entries(),
            secrets: made.into_iter().map(|webhook| (webhook.name, webhook.secret)).collect(),
            message_ids,
        })
    }

    async fn make_webhooks(&self) -> anyhow::Result<Vec<Made>> {
        let mut made = Vec::new();
        for webhook in &self.script.webhooks {
            let secret = self.secret(webhook);
            let mut body = webhook.definition.clone();
            body["name"] = json!(webhook.name);
            body["url"] =
                json!(format!("http://{}/{}/{}", self.receiver, webhook.behaviour.as_str(), webhook.name));
            body["signing"] = json!({ "secret": secret });
            let answer = self.client.post(&self.client.in_space("/webhook_definitions"), &body).await;
            let answer = answer.with_context(|| format!("the webhook {} could not be made", webhook.name))?;
            made.push(Made { id: text(&answer.body, "/sys/id"), name: webhook.name.clone(), secret });
            self.progress.say(&format!("webhook {:<13} {}", webhook.name, webhook.tells));
        }
        Ok(made)
    }

    /// A fresh secret in the form its dialect likes.
    fn secret(&self, webhook: &ScriptWebhook) -> String {
        let mut bytes = [0; 32];
        self.random.fill(&mut bytes);
        if webhook.definition["dialect"] == "cometcms" {
            hex::encode(bytes)
        } else {
            format!("whsec_{}", STANDARD.encode(bytes))
        }
    }

    /// Publishes everything in one request.
    async fn publish(&self) -> anyhow::Result<()> {
        let events: Vec<&str> = self.script.events.iter().map(|event| event.body.get()).collect();
        let body = format!("[{}]", events.join(","));
        let path = self.client.in_environment("/events");
        let answer = self.client.send(OperatorRequest::send(Method::Post, path, body)).await;
        answer.context("the events were not accepted")?;
        self.progress.say(&format!("{} events published and accepted", events.len()));
        Ok(())
    }

    /// Waits until every expected delivery is settled and nothing more comes, or patience ends.
    async fn wait(&self, made: &[Made]) -> anyhow::Result<Record> {
        let expected = self.script.deliveries();
        let deadline = self.clock.now().plus(PATIENCE);
        let mut still_since: Option<(usize, Timestamp)> = None;
        loop {
            let (deliveries, accepted) = self.record(made).await?;
            let settled = deliveries.values().filter(|delivery| delivery.state != "pending").count();
            self.progress.settled(settled, expected);
            let now = self.clock.now();
            if settled < expected || settled < deliveries.len() {
                still_since = None;
            } else {
                let seen = self.ledger.entries().len();
                match still_since {
                    Some((before, since)) if before == seen => {
                        if now.since(since) >= STILLNESS {
                            return Ok((deliveries, accepted));
                        }
                    }
                    _ => still_since = Some((seen, now)),
                }
            }
            if now >= deadline {
                return Ok((deliveries, accepted));
            }
            self.clock.sleep_until(now.plus(LOOK_EVERY)).await;
        }
    }

    /// What the system has on record.
    async fn record(&self, made: &[Made]) -> anyhow::Result<Record> {
        let body = self.client.get(&self.client.in_space(&format!("/deliveries?limit={PAGE}"))).await?.body;
        let (mut deliveries, mut accepted) = Record::default();
        for item in body["items"].as_array().into_iter().flatten() {
            let (event, webhook) = (text(item, "/event/id"), text(item, "/webhook"));
            let name = made.iter().find(|one| one.id == webhook).map_or(webhook, |one| one.name.clone());
            let attempts =
                item["attempt"].as_u64().and_then(|count| usize::try_from(count).ok()).unwrap_or_default();
            if let Ok(at) = Timestamp::parse(&text(item, "/event/acceptedAt")) {
                accepted.insert(event.clone(), at);
            }
            deliveries.insert((event, name), Delivery { state: text(item, "/state"), attempts });
        }
        Ok((deliveries, accepted))
    }
}

/// What the receiver sees as `webhook-id`.
fn message_id(event: &str, webhook: &str) -> anyhow::Result<String> {
    let scope = Scope { space: SpaceId::new(SPACE)?, environment: EnvironmentId::new(ENVIRONMENT)? };
    let id = DeliveryId::derive(&scope, &EventId::new(event)?, &WebhookId::new(webhook)?, 0);
    Ok(format!("msg_{id}"))
}
