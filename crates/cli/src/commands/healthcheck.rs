//! `postrider healthcheck`: for containers without a shell.

use clap::Args;
use postrider_adapter_http::operator::{OperatorClient, OperatorRequest};
use postrider_domain::webhook::Method;

use crate::Context;
use crate::compose::local_url;
use crate::exit::{Code, Failure};
use crate::output::line;

/// The flags of `healthcheck`.
#[derive(Debug, Args)]
pub struct Healthcheck {
    /// The process to ask [default: the one of server.admin or server.bind]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Ask only whether it is alive, not whether it can do its work
    #[arg(long)]
    live: bool,
}

/// Asks one process how it is.
pub async fn run(check: &Healthcheck, context: &Context) -> anyhow::Result<Code> {
    let server = &context.settings.server;
    let base = check.url.clone().unwrap_or_else(|| local_url(server.admin.unwrap_or(server.bind)));
    let path = if check.live { "/livez" } else { "/readyz" };
    let sick = |why: String| Failure::new(Code::CannotStart, format!("{base}{path}: {why}"));
    // Health is told to everybody: no token.
    let http = OperatorClient::new(&base, None).map_err(|error| sick(error.to_string()))?;
    let request =
        OperatorRequest { method: Method::Get, path: path.to_owned(), ..OperatorRequest::default() };
    let reply = http.call(request).await.map_err(|error| sick(error.to_string()))?;
    let text = String::from_utf8_lossy(&reply.body).into_owned();
    if reply.status != 200 {
        return Err(sick(format!("status {}, {text}", reply.status)).into());
    }
    line(&text);
    Ok(Code::Ok)
}
