//! `postrider events publish|show|explain|resend`.

use std::io::{IsTerminal, Read};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use postrider_adapter_http::operator::OperatorRequest;
use postrider_domain::webhook::Method;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{delivery_text, event_text};
use crate::Context;
use crate::client::{Client, Door, Place, Server, encode};
use crate::exit::{Code, Failure};
use crate::output::{note, text};

/// Events in one request: the server takes up to 500.
const BATCH: usize = 500;
/// Bytes in one request; well below what the server takes for a batch.
const BATCH_BYTES: usize = 2 * 1024 * 1024;
/// From so many events on a bar is shown.
const MANY: usize = 2_000;

/// The subcommands of `events`.
#[derive(Debug, Subcommand)]
pub enum Events {
    /// Publish events; returns once the server has them for good
    Publish(Publish),
    /// Show an event with its deliveries
    Show(One),
    /// Say for each webhook why it did or did not get an event, and what came of it
    Explain(One),
    /// Send an event to a webhook again, as the webhook is now
    Resend(Resend),
}

/// The flags of `events publish`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    postrider events publish --type Entry --action publish --resource-id 5KsD --data '{\"title\":\"Hello\"}'\n  \
    postrider events publish -f event.json\n  \
    postrider events publish -f - < many-events.ndjson")]
pub struct Publish {
    /// A file of events: one JSON object, an array of them, or one per line; - is standard input
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["event_type", "action", "resource_id", "data"])]
    file: Option<PathBuf>,
    /// The type: Entry, Asset, …
    #[arg(long = "type", value_name = "TYPE", required_unless_present = "file")]
    event_type: Option<String>,
    /// The action: publish, save, delete, …
    #[arg(long, required_unless_present = "file")]
    action: Option<String>,
    /// The resource's id
    #[arg(long, value_name = "ID", required_unless_present = "file")]
    resource_id: Option<String>,
    /// The resource's content type
    #[arg(long, value_name = "TYPE", conflicts_with = "file")]
    content_type: Option<String>,
    /// The event's id; drawn by the server unless given
    #[arg(long, conflicts_with = "file")]
    id: Option<String>,
    /// The resource itself, as JSON
    #[arg(long, value_name = "JSON", default_value = "{}")]
    data: String,
    #[command(flatten)]
    door: Door,
}

/// An event's id.
#[derive(Debug, Args)]
pub struct One {
    /// The event's id
    #[arg(value_name = "EVENT")]
    id: String,
    #[command(flatten)]
    place: Place,
}

/// The flags of `events resend`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  postrider events resend story-1 --webhook search")]
pub struct Resend {
    /// The event's id
    #[arg(value_name = "EVENT")]
    id: String,
    /// The webhook, which the event matched
    #[arg(long, value_name = "ID")]
    webhook: String,
    #[command(flatten)]
    server: Server,
}

/// Runs `events …`.
pub async fn run(events: Events, context: &Context) -> anyhow::Result<Code> {
    match events {
        Events::Publish(publish) => self::publish(&publish, context).await,
        Events::Show(one) => {
            let client = one.place.client(context)?;
            let answer = client.get(&client.in_place(&format!("/events/{}", encode(&one.id)))).await?;
            context.output.answer(&answer, |event| event_text::shown(event, &answer.text));
            Ok(Code::Ok)
        }
        Events::Explain(one) => {
            let client = one.place.client(context)?;
            let answer =
                client.get(&client.in_place(&format!("/events/{}/explain", encode(&one.id)))).await?;
            context.output.answer(&answer, event_text::explanation);
            Ok(Code::Ok)
        }
        Events::Resend(resend) => {
            let client = resend.server.client(context)?;
            let path = client.in_space(&format!("/events/{}/resend", encode(&resend.id)));
            let answer = client.post(&path, &json!({ "webhook": resend.webhook })).await?;
            context.output.answer(&answer, delivery_text::resent);
            Ok(Code::Ok)
        }
    }
}

async fn publish(publish: &Publish, context: &Context) -> anyhow::Result<Code> {
    let client = publish.door.client(context)?;
    let events = publish.events()?;
    let bar = bar(events.len());
    let mut accepted = Vec::new();
    for batch in batches(&events) {
        match send(&client, batch).await {
            Ok(answers) => accepted.extend(answers),
            Err(error) => {
                bar.finish_and_clear();
                let (done, all) = (accepted.len(), events.len());
                let before = format!("{done} of {all} events were accepted, the next one was not");
                return Err(if done == 0 { error } else { error.context(before) });
            }
        }
        bar.inc(batch.len() as u64);
    }
    bar.finish_and_clear();
    context.output.print(&json!({ "accepted": accepted }), |_| match accepted.as_slice() {
        few if few.len() <= 20 => few
            .iter()
            .map(|event| format!("{} {}", text(event, "/status"), text(event, "/id")))
            .collect::<Vec<_>>()
            .join("\n"),
        many => format!("accepted {} events", many.len()),
    });
    if let [one] = accepted.as_slice() {
        note(&format!("What becomes of it: postrider events explain {}", text(one, "/id")));
    }
    Ok(Code::Ok)
}

impl Publish {
    /// The events to publish, each as its own text.
    fn events(&self) -> anyhow::Result<Vec<Box<RawValue>>> {
        let Some(file) = &self.file else { return Ok(vec![self.described()?]) };
        let (name, content) = if file.as_os_str() == "-" {
            let mut content = String::new();
            let read = std::io::stdin().read_to_string(&mut content);
            ("standard input".to_owned(), read.map(|_| content))
        } else {
            (file.display().to_string(), std::fs::read_to_string(file))
        };
        let content = content.map_err(|error| {
            Failure::new(Code::Invalid, format!("{name} cannot be read as text: {error}"))
        })?;
        let events = parse(&content).map_err(|error| {
            Failure::new(Code::Invalid, format!("{name} is not JSON: {error}"))
                .next("give one event, an array of events, or one event per line")
        })?;
        if events.is_empty() {
            return Err(Failure::new(Code::Invalid, format!("{name} holds no event")).into());
        }
        Ok(events)
    }

    fn described(&self) -> anyhow::Result<Box<RawValue>> {
        let data: &RawValue = serde_json::from_str(&self.data).map_err(|error| {
            Failure::new(Code::Invalid, format!("--data is not JSON: {error}"))
                .next("quote it: --data '{\"title\":\"Hello\"}'")
        })?;
        let mut head = json!({
            "type": self.event_type, "action": self.action,
            "resource": { "id": self.resource_id, "contentType": self.content_type },
        });
        if self.content_type.is_none() {
            head["resource"] = json!({ "id": self.resource_id });
        }
        if let Some(id) = &self.id {
            head["id"] = json!(id);
        }
        // The data goes in as text: it is published byte for byte.
        let head = head.to_string();
        let open = head.strip_suffix('}').unwrap_or(&head);
        Ok(RawValue::from_string(format!("{open},\"data\":{}}}", data.get()))?)
    }
}

/// The events of a text: values one after the other, arrays opened.
fn parse(text: &str) -> serde_json::Result<Vec<Box<RawValue>>> {
    let mut events = Vec::new();
    for value in serde_json::Deserializer::from_str(text).into_iter::<Box<RawValue>>() {
        let value = value?;
        if value.get().starts_with('[') {
            events.extend(serde_json::from_str::<Vec<Box<RawValue>>>(value.get())?);
        } else {
            events.push(value);
        }
    }
    Ok(events)
}

/// Batches that the server takes: by number and by size. An event too large for any batch goes alone.
fn batches(events: &[Box<RawValue>]) -> impl Iterator<Item = &[Box<RawValue>]> {
    let mut rest = events;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fit = rest.iter().take(BATCH).take_while(|event| {
            bytes += event.get().len() + 1;
            bytes <= BATCH_BYTES
        });
        let count = fit.count().max(1).min(rest.len());
        let (batch, after) = rest.split_at(count);
        rest = after;
        (!batch.is_empty()).then_some(batch)
    })
}

/// Publishes one batch; what the server says of each event.
async fn send(client: &Client, batch: &[Box<RawValue>]) -> anyhow::Result<Vec<Value>> {
    let body = match batch {
        [one] => one.get().to_owned(),
        many => format!("[{}]", many.iter().map(|event| event.get()).collect::<Vec<_>>().join(",")),
    };
    let answer =
        client.publish(OperatorRequest::send(Method::Post, client.in_environment("/events"), body)).await?;
    Ok(accepted_events(answer.body))
}

/// The accepted events of an answer, whether one or many were sent.
pub fn accepted_events(body: Value) -> Vec<Value> {
    match body.get("events").and_then(Value::as_array) {
        Some(events) => events.clone(),
        None => vec![body],
    }
}

/// A bar on a terminal when there is much to do; invisible otherwise.
fn bar(events: usize) -> ProgressBar {
    if events < MANY || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} events  {per_sec}  {eta} left");
    ProgressBar::new(events as u64).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_object_an_array_and_one_per_line_are_all_read() {
        for text in ["{\"a\":1}", "[{\"a\":1}]", "{\"a\":1}\n"] {
            assert_eq!(parse(text).expect("events").len(), 1, "{text}");
        }
        assert_eq!(parse("{\"a\":1}\n{\"a\":2}\n[{},{}]").expect("events").len(), 4);
        assert!(parse("{\"a\":1} nonsense").is_err());
    }

    #[test]
    fn batches_end_at_500_events_or_2_mebibytes_and_lose_none() {
        let event = |size: usize| RawValue::from_string(format!("\"{}\"", "x".repeat(size))).expect("JSON");
        let many: Vec<_> = (0..1_200).map(|_| event(10)).collect();
        assert_eq!(batches(&many).map(<[_]>::len).collect::<Vec<_>>(), [500, 500, 200]);
        let large = vec![event(1_500_000), event(1_500_000), event(5_000_000), event(1)];
        assert_eq!(batches(&large).map(<[_]>::len).collect::<Vec<_>>(), [1, 1, 1, 1]);
    }
}
