//! `postrider listen`: a receiver that prints each call and says whether its signature verifies.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use postrider_runtime::http::{bind, serve};
use postrider_runtime::shutdown::Shutdown;
use postrider_runtime::signals::Signals;
use postrider_runtime::supervisor::Supervisor;
use serde_json::{Map, Value, json};

use super::listen_forward::{Forwarding, Session};
use crate::Context;
use crate::compose::clock::SystemClock;
use crate::exit::{Code, Failure};
use crate::indent::indented;
use crate::output::{line, note};
use crate::receiver::{Answer, Call, router};
use crate::verify::{Verdict, verify};

/// How long open connections may take to end after Ctrl-C.
const GRACE: Duration = Duration::from_secs(2);

/// The flags of `listen`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  postrider listen --bind 127.0.0.1:9000 --secret whsec_…\n\
    Then point a webhook at http://127.0.0.1:9000/ and publish an event.\n\n  \
    postrider listen --forward-to http://127.0.0.1:3000/hooks --topic Entry.publish\n    \
    The webhook is made and removed by this command; a call gets the answer of the receiver that it is passed on to.")]
pub struct Listen {
    /// Where to listen; port 0 takes any free port
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    bind: SocketAddr,
    /// A signing secret to verify with, as the webhook has it (may be given several times, for rotation)
    #[arg(long, value_name = "SECRET", env = "POSTRIDER_LISTEN_SECRET", hide_env_values = true)]
    secret: Vec<String>,
    /// The signature a call must have: standard-webhooks or cometcms; auto takes either
    #[arg(long, default_value = "auto", value_name = "DIALECT", value_parser = ["auto", "native", "standard-webhooks", "cometcms"])]
    dialect: String,
    /// The status each call is answered with
    #[arg(long, default_value = "200", value_parser = clap::value_parser!(u16).range(200..=599))]
    status: u16,
    /// How long each call waits for its answer
    #[arg(long, default_value = "0s", value_parser = humantime::parse_duration, value_name = "DURATION")]
    delay: Duration,
    /// Stop after so many calls
    #[arg(long, value_name = "COUNT")]
    calls: Option<u64>,
    #[command(flatten)]
    forwarding: Forwarding,
}

struct Printer {
    options: Listen,
    json: bool,
    session: Option<Arc<Session>>,
    left: std::sync::atomic::AtomicU64,
    shutdown: Shutdown,
}

/// Runs until Ctrl-C, or until the asked number of calls came.
pub async fn run(mut options: Listen, context: &Context) -> anyhow::Result<Code> {
    let bound = bind(options.bind, "--bind")
        .await
        .map_err(|error| Failure::new(Code::CannotStart, error.to_string()))?;
    let addr = bound.addr();
    // Before the webhook is made: a signal from then on must remove it.
    let signals = Signals::register()?;
    let session = options.forwarding.begin(addr, context).await?.map(Arc::new);
    options.secret.extend(session.as_ref().map(|session| session.secret.clone()));
    let json = context.output.json;
    greet(&options, addr, session.as_deref(), json);
    let shutdown = Shutdown::new();
    let left = std::sync::atomic::AtomicU64::new(options.calls.unwrap_or(u64::MAX));
    let printer = Printer { options, json, session: session.clone(), left, shutdown: shutdown.clone() };
    let routes = router(Arc::new(printer), Arc::new(SystemClock::new()));
    let mut supervisor = Supervisor::new(shutdown.clone());
    let serving = serve(bound, routes, shutdown.clone());
    supervisor.spawn("receiver", async move {
        serving.await;
        Ok::<_, std::io::Error>(())
    });
    let exit = signals.during(&shutdown, supervisor.run_until_stopped(GRACE)).await;
    if let Some(session) = session {
        session.end().await?;
    }
    Ok(Code::from(&exit))
}

/// What it does, and where.
fn greet(options: &Listen, addr: SocketAddr, session: Option<&Session>, json: bool) {
    if json {
        let mut said = json!({ "listening": format!("http://{addr}/") });
        if let Some(session) = session {
            said["webhook"] = json!(session.webhook());
        }
        return line(&said.to_string());
    }
    if let Some(session) = session {
        let webhook = session.webhook();
        return line(&format!(
            "Listening on http://{addr}/ as webhook {webhook}. Ctrl-C stops and removes it."
        ));
    }
    line(&format!("Listening on http://{addr}/ and answering {}. Ctrl-C stops.", options.status));
    if options.secret.is_empty() {
        note("Signatures are shown but not checked: give the webhook's secret with --secret.");
    }
}

#[async_trait]
impl Answer for Printer {
    async fn answer(&self, call: Call) -> StatusCode {
        let verdict = self.judge(&call);
        let mut written =
            if self.json { as_json(&call, &verdict).to_string() } else { as_text(&call, &verdict) };
        let mut status = StatusCode::from_u16(self.options.status).unwrap_or(StatusCode::OK);
        if let Some(session) = &self.session {
            status = session.pass_on(&call).await;
            written = if self.json {
                let mut value = as_json(&call, &verdict);
                value["answered"] = json!(status.as_u16());
                value.to_string()
            } else {
                format!("{written}\n   answered {}\n", status.as_u16())
            };
        }
        line(&written);
        tokio::time::sleep(self.options.delay).await;
        if self.left.fetch_sub(1, std::sync::atomic::Ordering::Relaxed) <= 1 {
            self.shutdown.begin();
        }
        status
    }
}

impl Printer {
    /// The verdict; a signature of another format than the one asked for does not count.
    fn judge(&self, call: &Call) -> Verdict {
        let verdict = verify(call.signed(), &self.options.secret);
        let wanted = match self.options.dialect.as_str() {
            "auto" => return verdict,
            "native" => "standard-webhooks",
            other => other,
        };
        match verdict {
            Verdict::Verified(format) if format.to_string() != wanted => {
                Verdict::Bad(format, format!("signed as {format}, expected {wanted}"))
            }
            other => other,
        }
    }
}

fn as_text(call: &Call, verdict: &Verdict) -> String {
    let headers: Vec<String> =
        call.headers.iter().map(|(name, value)| format!("  {name}: {value}")).collect();
    let body = String::from_utf8_lossy(&call.body);
    let body = indented(&body).unwrap_or_else(|| body.into_owned());
    format!(
        "── {}  {} {}\n   signature: {verdict}\n{}\n\n{body}\n",
        call.at,
        call.method,
        call.path,
        headers.join("\n")
    )
}

fn as_json(call: &Call, verdict: &Verdict) -> Value {
    let headers: Map<String, Value> =
        call.headers.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
    let mut value = json!({
        "at": call.at.to_string(),
        "method": call.method,
        "path": call.path,
        "headers": headers,
        "verified": verdict.is_verified(),
        "signature": verdict.to_string(),
    });
    match std::str::from_utf8(&call.body) {
        Ok(text) => value["body"] = Value::from(text),
        Err(_) => value["bodyBase64"] = Value::from(STANDARD.encode(&call.body)),
    }
    value
}
