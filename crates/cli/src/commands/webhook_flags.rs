//! The flags that describe a webhook, and the JSON they make.

use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value, json};

use crate::exit::{Code, Failure};

/// What a webhook is to be. Only what is given is said.
#[derive(Clone, Args)]
pub(super) struct Definition {
    /// The whole definition as JSON; - is standard input. Flags win over it
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// A name for people
    #[arg(long)]
    name: Option<String>,
    /// Where it calls
    #[arg(long)]
    url: Option<String>,
    /// Post a message to Slack instead of a call: through this connection (see postrider slack list)
    #[arg(long, value_name = "CONNECTION", conflicts_with = "url")]
    slack: Option<String>,
    /// The channel of the message, by id (see postrider slack channels); an incoming webhook has its own
    #[arg(long, value_name = "ID")]
    channel: Option<String>,
    /// What the message says, in Mustache over the event: its text, or its JSON if it begins with {
    #[arg(long, value_name = "TEMPLATE")]
    message: Option<String>,
    /// What it wants: Type.action, either side possibly * (repeatable)
    #[arg(long = "topic", value_name = "TOPIC")]
    topics: Vec<String>,
    /// Only these content types (repeatable)
    #[arg(long = "content-type", value_name = "TYPE")]
    content_types: Vec<String>,
    /// Only these resources, by id (repeatable)
    #[arg(long = "entity", value_name = "ID")]
    entities: Vec<String>,
    /// Only if one of these fields of the resource changed (repeatable)
    #[arg(long = "changed-field", value_name = "FIELD")]
    changed_fields: Vec<String>,
    /// Only if the resource is in one of these states, such as published (repeatable)
    #[arg(long = "state", value_name = "STATE")]
    states: Vec<String>,
    /// How its requests are written: native, standard-webhooks, cloudevents, contentful, datocms, contentstack, contismo, cometcms
    #[arg(long)]
    dialect: Option<String>,
    /// A switch of the dialect, such as payloadApiVersion=2 of datocms (repeatable)
    #[arg(long = "option", value_name = "NAME=VALUE", value_parser = pair)]
    options: Vec<(String, String)>,
    /// The secret that signs its requests; drawn by the server where the dialect needs one
    #[arg(long, value_name = "SECRET", env = "POSTRIDER_SIGNING_SECRET", hide_env_values = true)]
    secret: Option<String>,
    /// POST, PUT, PATCH, GET or DELETE
    #[arg(long)]
    method: Option<String>,
    /// A header of every call (repeatable)
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = pair)]
    headers: Vec<(String, String)>,
    /// A header whose value is never shown again (repeatable)
    #[arg(long = "secret-header", value_name = "NAME=VALUE", value_parser = pair)]
    secret_headers: Vec<(String, String)>,
    /// How failures are retried: a name (default, standard-webhooks, contentful, datocms, contentstack, none) or delays such as 5s,1m,10m
    #[arg(long, value_name = "POLICY")]
    retry: Option<String>,
    /// One deadline over the whole call
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    timeout: Option<Duration>,
    /// Events of one window become one call with the newest state: off, or DURATION[:webhook|:resource]
    #[arg(long, value_name = "RULE")]
    coalesce: Option<String>,
    /// At most so many calls: COUNT per second, or COUNT/DURATION such as 100/1m
    #[arg(long, value_name = "RATE")]
    rate_limit: Option<String>,
    /// Call it, or do not
    #[arg(long, value_name = "YES")]
    active: Option<bool>,
}

impl Definition {
    /// Lays the file, then the flags, over a definition: a new one, or the one there is.
    ///
    /// # Errors
    /// When the file or a flag cannot be understood.
    pub(super) fn lay_over(&self, body: &mut Value) -> anyhow::Result<()> {
        if let Some(file) = &self.file {
            *body = read(file)?;
        }
        let Value::Object(fields) = body else {
            return Err(Failure::new(Code::Invalid, "a webhook's definition is a JSON object").into());
        };
        let texts = [("name", &self.name), ("url", &self.url), ("dialect", &self.dialect)];
        for (name, text) in texts {
            set(fields, name, text.as_ref().map(|text| json!(text)));
        }
        self.lay_action(fields);
        let lists = [
            ("topics", &self.topics),
            ("contentTypes", &self.content_types),
            ("entities", &self.entities),
            ("changedFields", &self.changed_fields),
            ("states", &self.states),
        ];
        for (name, list) in lists {
            set(fields, name, Some(list).filter(|list| !list.is_empty()).map(|list| json!(list)));
        }
        set(fields, "active", self.active.map(Value::Bool));
        set(fields, "signing", self.secret.as_ref().map(|secret| json!({ "secret": secret })));
        set(fields, "timeout", self.timeout.map(|timeout| json!(timeout.as_secs_f64())));
        set(fields, "retryPolicy", self.retry.as_deref().map(retry).transpose()?);
        set(fields, "coalesce", self.coalesce.as_deref().map(coalesce).transpose()?);
        if let Some(method) = &self.method {
            let transformation = fields.entry("transformation").or_insert_with(|| json!({}));
            transformation["method"] = json!(method);
        }
        set(fields, "headers", self.headers());
        set(fields, "rateLimit", self.rate_limit.as_deref().map(rate_limit).transpose()?);
        let options: Map<String, Value> =
            self.options.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        set(fields, "options", (!options.is_empty()).then_some(Value::Object(options)));
        Ok(())
    }

    /// With a URL a webhook calls, with a connection it posts to Slack; one takes the other's place.
    fn lay_action(&self, fields: &mut Map<String, Value>) {
        if self.url.is_some() {
            fields.remove("action");
        }
        let parts = [("connection", &self.slack), ("channel", &self.channel)];
        if parts.iter().all(|(_, part)| part.is_none()) && self.message.is_none() {
            return;
        }
        for calls in ["url", "headers", "transformation", "template", "httpBasicUsername", "signing"] {
            fields.remove(calls);
        }
        let action = fields.entry("action").or_insert_with(|| json!({ "type": "slack" }));
        for (name, part) in parts {
            if let Some(part) = part {
                action[name] = json!(part);
            }
        }
        if let Some(message) = &self.message {
            action["template"] = json!({ "body": message });
        }
    }

    fn headers(&self) -> Option<Value> {
        let plain = self.headers.iter().map(|(key, value)| json!({ "key": key, "value": value }));
        let secret = self
            .secret_headers
            .iter()
            .map(|(key, value)| json!({ "key": key, "value": value, "secret": true }));
        let headers: Vec<Value> = plain.chain(secret).collect();
        (!headers.is_empty()).then_some(Value::Array(headers))
    }
}

fn set(fields: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    if let Some(value) = value {
        fields.insert(name.to_owned(), value);
    }
}

/// A file of JSON; `-` is standard input.
///
/// # Errors
/// When it cannot be read, or is no JSON.
pub(super) fn read(file: &std::path::Path) -> anyhow::Result<Value> {
    let (name, text) = read_text(file)?;
    Ok(serde_json::from_str(&text)
        .map_err(|error| Failure::new(Code::Invalid, format!("{name} is not JSON: {error}")))?)
}

/// A file's name for people, and its text; `-` is standard input.
///
/// # Errors
/// When it cannot be read as text.
pub(super) fn read_text(file: &std::path::Path) -> anyhow::Result<(String, String)> {
    let (name, text) = if file.as_os_str() == "-" {
        let mut text = String::new();
        ("standard input".to_owned(), std::io::stdin().read_to_string(&mut text).map(|_| text))
    } else {
        (file.display().to_string(), std::fs::read_to_string(file))
    };
    match text {
        Ok(text) => Ok((name, text)),
        Err(error) => {
            Err(Failure::new(Code::Invalid, format!("{name} cannot be read as text: {error}")).into())
        }
    }
}

/// A named policy, or delays.
fn retry(text: &str) -> anyhow::Result<Value> {
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        let delays =
            text.split(',').map(|delay| duration("--retry", delay)).collect::<Result<Vec<_>, _>>()?;
        return Ok(json!({ "schedule": delays.iter().map(Duration::as_secs_f64).collect::<Vec<_>>() }));
    }
    Ok(json!({ "name": text }))
}

/// `off`, `5s`, `5s:webhook`.
fn coalesce(text: &str) -> anyhow::Result<Value> {
    if text == "off" {
        return Ok(Value::Bool(false));
    }
    let (window, key) = text.split_once(':').unwrap_or((text, "resource"));
    Ok(json!({ "window": duration("--coalesce", window)?.as_secs_f64(), "key": key }))
}

/// `5`, `100/1m`.
fn rate_limit(text: &str) -> anyhow::Result<Value> {
    let (calls, per) = text.split_once('/').unwrap_or((text, "1s"));
    let calls: u32 = calls.trim().parse().map_err(|_| {
        Failure::new(Code::Invalid, format!("--rate-limit: {calls:?} is no number of calls"))
            .next("write 5, 100/1m, 1000/1h")
    })?;
    Ok(json!({ "calls": calls, "per": duration("--rate-limit", per)?.as_secs_f64() }))
}

fn duration(flag: &str, text: &str) -> anyhow::Result<Duration> {
    Ok(humantime::parse_duration(text.trim()).map_err(|error| {
        Failure::new(Code::Invalid, format!("{flag}: {text:?} is not a duration ({error})"))
            .next("write 500ms, 5s, 10m, 2h")
    })?)
}

pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    Ok((name.trim().to_owned(), value.to_owned()))
}

/// Secrets and header values are not shown.
impl std::fmt::Debug for Definition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Definition({:?})", self.name)
    }
}
