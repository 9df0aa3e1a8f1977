//! `postrider ingest|dispatcher|log-writer|jobs|api`: one process of the distributed system.

use std::net::SocketAddr;

use clap::Args;
use postrider_runtime::shutdown::Shutdown;
use postrider_runtime::signals::Signals;
use serde_json::json;

use crate::Context;
use crate::compose::distributed::{Process, Role};
use crate::exit::Code;
use crate::output::{line, note};

/// The flags of every process.
#[derive(Debug, Args)]
#[command(
    after_help = "It serves /livez and /readyz at once and reaches its servers (amqp.url, redis.url, postgres.url) afterwards, for as \
    long as that takes. Start another one to scale.\n\n\
    SIGTERM or Ctrl-C: finishes what is in hand, at most shutdown.grace; the same again stops at once. Nothing accepted is lost either way."
)]
pub struct Flags {
    /// Address and port of its doors, health and metrics [default: 127.0.0.1:8026]
    #[arg(long, value_name = "ADDRESS")]
    bind: Option<SocketAddr>,
}

impl Flags {
    /// The settings that its flags stand for.
    pub fn flags(&self) -> Vec<(String, String, String)> {
        let bind = self.bind.map(|bind| ("server.bind".to_owned(), bind.to_string(), "--bind".to_owned()));
        bind.into_iter().collect()
    }
}

/// Runs one process until it is stopped.
pub async fn run(role: Role, context: Context) -> anyhow::Result<Code> {
    let shutdown = Shutdown::new();
    let signals = Signals::register()?;
    let Context { settings, output, .. } = context;
    let running = async {
        let mut process = Process::open(role, &settings, &shutdown).await?;
        let url = process.url();
        if output.json {
            line(&json!({ "service": role.name(), "url": url }).to_string());
        } else {
            line(&format!("Postrider {} {} listens on {url}", role.name(), env!("CARGO_PKG_VERSION")));
        }
        process.compose(&settings).await?;
        anyhow::Ok(process.run(settings.shutdown.grace).await)
    };
    let exit = signals.during(&shutdown, Box::pin(running)).await?;
    if exit.code() != 0 {
        note(&exit.to_string());
    }
    Ok(Code::from(&exit))
}
