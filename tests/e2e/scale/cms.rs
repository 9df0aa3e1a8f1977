//! A CMS that publishes, over HTTP or over AMQP, and repeats what nobody confirmed, as every client of an at-least-once
//! service must.

use std::time::Duration;

use futures::future::try_join_all;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{AMQPValue, FieldTable, LongString};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::process::PATIENCE;

/// A connection, or a confirm, that takes longer is given up: the broker may have gone without a word.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Publishes an array to one ingest process until it is accepted; how many times it was sent.
pub(crate) async fn publish_over_http(client: &Client, ingest: &str, token: &str, events: &[Value]) -> usize {
    let url = format!("{ingest}/spaces/default/environments/master/events");
    let accepted = async {
        for sent in 1.. {
            let answer = client.post(&url).bearer_auth(token).json(events).send().await.expect("an answer");
            match answer.status() {
                StatusCode::ACCEPTED => return sent,
                // The broker is away, or has enough. Each try is a round trip.
                StatusCode::SERVICE_UNAVAILABLE => tokio::task::yield_now().await,
                other => panic!("{other}: {}", answer.text().await.expect("a body")),
            }
        }
        unreachable!("it is sent until it is accepted")
    };
    timeout(PATIENCE, accepted).await.expect("the events are accepted")
}

/// A connection to the broker as a CMS has it.
pub(crate) struct AmqpPublisher {
    /// One, or the nodes of a cluster, separated by commas.
    urls: String,
    /// How often it connected.
    connected: usize,
    /// Told with each event, as W3C writes it.
    pub(crate) traceparent: Option<String>,
    /// Whether there is a broker, as far as the story has a hand in it.
    broker: watch::Receiver<bool>,
    open: Option<(Connection, Channel)>,
}

impl AmqpPublisher {
    /// To the virtual host at this URL, or at whichever of these answers; it connects with the first event.
    pub(crate) fn new(url: &str, broker: watch::Receiver<bool>) -> Self {
        Self { urls: url.to_owned(), connected: 0, traceparent: None, broker, open: None }
    }

    /// Publishes events until the broker has confirmed each; how many times they were sent.
    pub(crate) async fn publish(&mut self, events: &[Value]) -> usize {
        let confirmed = async {
            for sent in 1.. {
                if self.attempt(events).await {
                    return sent;
                }
                self.broker.wait_for(|there| *there).await.expect("the story goes on");
            }
            unreachable!("it is sent until it is confirmed")
        };
        timeout(PATIENCE, confirmed).await.expect("the events are confirmed")
    }

    /// Publishes events once; whether the broker has confirmed each. If not, the next attempt connects anew.
    pub(crate) async fn attempt(&mut self, events: &[Value]) -> bool {
        let confirmed = self.try_publish(events).await.is_ok();
        if !confirmed {
            self.open = None;
        }
        confirmed
    }

    async fn try_publish(&mut self, events: &[Value]) -> Result<(), Box<dyn std::error::Error>> {
        let channel = timeout(TIMEOUT, self.channel()).await??;
        let mut headers = FieldTable::default();
        if let Some(traceparent) = &self.traceparent {
            let text = AMQPValue::LongString(LongString::from(traceparent.as_str()));
            headers.insert("traceparent".into(), text);
        }
        let properties = BasicProperties::default()
            .with_content_type("application/json".into())
            .with_delivery_mode(2)
            .with_headers(headers);
        let publishing = async {
            let mut confirms = Vec::new();
            for event in events {
                let text = |name: &str| event[name].as_str().expect("an event").to_owned();
                let key = format!("default.master.{}.{}", text("type"), text("action"));
                let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
                let body = json!(event).to_string();
                let sent = channel.basic_publish(
                    "postrider.events".into(),
                    key.into(),
                    options,
                    body.as_bytes(),
                    properties.clone(),
                );
                confirms.push(sent.await?);
            }
            try_join_all(confirms).await
        };
        let confirmed = timeout(TIMEOUT, publishing).await??;
        let is_stored = |one: &Confirmation| matches!(one, Confirmation::Ack(None));
        if confirmed.iter().all(is_stored) { Ok(()) } else { Err("not every event was stored".into()) }
    }

    async fn channel(&mut self) -> lapin::Result<Channel> {
        if self.open.is_none() {
            let urls: Vec<&str> = self.urls.split(',').collect();
            let url = urls[self.connected % urls.len()];
            self.connected += 1;
            let connection = Connection::connect(url, ConnectionProperties::default()).await?;
            let channel = connection.create_channel().await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            self.open = Some((connection, channel));
        }
        let (_, channel) = self.open.as_ref().expect("just opened");
        Ok(channel.clone())
    }
}
