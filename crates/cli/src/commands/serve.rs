//! `postrider serve`.

use std::net::SocketAddr;

use clap::Args;
use postrider_runtime::shutdown::Shutdown;
use postrider_runtime::signals::Signals;
use serde_json::json;

use crate::Context;
use crate::client::write_cli_file;
use crate::compose::embedded::Embedded;
use crate::exit::{Code, Failure};
use crate::output::{line, note};
use crate::settings::Settings;

/// The flags of `serve`.
#[derive(Debug, Args)]
#[command(
    after_help = "On first start it prints an admin token and writes it, with the address, to <data.dir>/cli.toml (mode 0600), \
    where client commands that run in the same folder find it.\n\n\
    SIGTERM or Ctrl-C: finishes what is in hand, at most shutdown.grace; the same again stops at once. Nothing accepted is lost either way."
)]
pub struct Serve {
    /// Address and port of ingest, API and health [default: 127.0.0.1:8026]
    #[arg(long, value_name = "ADDRESS")]
    bind: Option<SocketAddr>,
    /// Make one more admin token and keep it in cli.toml, for when the first one was lost
    #[arg(long)]
    new_token: bool,
}

impl Serve {
    /// The settings that its flags stand for.
    pub fn flags(&self) -> Vec<(String, String, String)> {
        let bind = self.bind.map(|bind| ("server.bind".to_owned(), bind.to_string(), "--bind".to_owned()));
        bind.into_iter().collect()
    }
}

/// Runs `serve` until it is stopped.
pub async fn run(serve: &Serve, context: Context) -> anyhow::Result<Code> {
    let shutdown = Shutdown::new();
    let signals = Signals::register()?;
    let Context { settings, output, .. } = context;
    let grace = settings.shutdown.grace;
    let serving = async {
        let system = Embedded::start(&settings, serve.new_token, &shutdown).await?;
        let file = settings.data.cli_file();
        let kept = write_cli_file(&settings.data, &system.url(), system.new_token()).map_err(|error| {
            Failure::new(Code::CannotStart, format!("{} cannot be written: {error}", file.display()))
                .next("let the user that runs postrider write there, and start again with --new-token")
        })?;
        if output.json {
            line(
                &json!({ "url": system.url(), "token": system.new_token(), "dataDir": settings.data.dir })
                    .to_string(),
            );
        } else {
            line(&greeting(&system, &settings, kept));
        }
        anyhow::Ok(system.run(grace).await)
    };
    let exit = signals.during(&shutdown, serving).await?;
    if exit.code() != 0 {
        note(&exit.to_string());
    }
    Ok(Code::from(&exit))
}

fn greeting(system: &Embedded, settings: &Settings, kept: bool) -> String {
    let file = settings.data.cli_file();
    let token = match system.new_token() {
        Some(token) => format!(
            "Admin token   {token}\n              Shown this once. Client commands in this folder find it in {}.",
            file.display()
        ),
        None if kept => {
            format!("Admin token   as on the first start; client commands find it in {}", file.display())
        }
        None => {
            "Admin token   as printed on the first start; if it was lost, start with --new-token".to_owned()
        }
    };
    let receivers = match system.plain_http() {
        postrider_domain::webhook::PlainHttp::Never => "https:// only",
        postrider_domain::webhook::PlainHttp::Loopback => {
            "https://, and http:// on this machine (outbound.plain_http = loopback)"
        }
        postrider_domain::webhook::PlainHttp::Always => "https:// and http://",
    };
    format!(
        "Postrider {} listens on {}\n{token}\nData          {}\nReceivers     {receivers}\nHealth        {}/livez  {}/readyz",
        env!("CARGO_PKG_VERSION"),
        system.url(),
        settings.data.dir.display(),
        system.url(),
        system.url(),
    )
}
