//! The main job end to end: the whole system in this process, a receiver beside it, a script played through the public
//! API, and a comparison of what came of it with what must.

pub mod ledger;
pub mod play;
pub mod progress;
pub mod report;
pub mod script;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use postrider_domain::webhook::PlainHttp;
use postrider_runtime::http::{bind, serve};
use postrider_runtime::shutdown::Shutdown;

use crate::client::Client;
use crate::compose::embedded::Embedded;
use crate::receiver::router;
use crate::settings::Settings;
use ledger::{Ledger, Sabotage};
use play::{ENVIRONMENT, SPACE, Stage};
use progress::Progress;
use report::Report;
use script::Script;

/// How long the system may take to stop when the script is over. Nothing is under way then.
const GRACE: Duration = Duration::from_secs(5);

/// Runs the demo in a fresh data folder.
///
/// # Errors
/// When the system cannot start or refuses a step of the script. What merely comes out wrong is in the report.
pub async fn perform(
    settings: &Settings,
    data_dir: &Path,
    sabotage: Option<Sabotage>,
    progress: Progress,
    shutdown: Shutdown,
) -> anyhow::Result<Report> {
    let script = Script::load().context("the script of the demo")?;
    let mut settings = settings.clone();
    settings.data.dir = data_dir.to_owned();
    settings.server.bind = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    settings.outbound.plain_http = Some(PlainHttp::Loopback);

    let mut system = Embedded::start(&settings, false, &shutdown).await?;
    let ledger = Arc::new(Ledger::new(sabotage));
    let bound = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), "the demo's receiver").await?;
    let receiver = bound.addr();
    let routes = router(ledger.clone(), system.clock());
    let serving = serve(bound, routes, shutdown.clone());
    system.spawn("receiver", async move {
        serving.await;
        Ok::<_, std::io::Error>(())
    });
    progress.say(&format!("the system runs at {} on {}", system.url(), settings.data.database().display()));
    progress
        .say(&format!("a receiver listens on http://{receiver}; calls to this machine are allowed for it"));

    let token = system.new_token().context("a fresh system makes a token")?.to_owned();
    let client = Client::new(&system.url(), Some(&token), SPACE.to_owned(), Some(ENVIRONMENT.to_owned()))?;
    let (clock, random) = (system.clock(), system.random());
    let stage = Stage { script: &script, client, receiver, ledger, clock, random, progress };
    let play = async {
        let facts = tokio::select! {
            facts = stage.play() => facts,
            () = shutdown.stopping() => Err(anyhow::anyhow!("the demo was interrupted")),
        };
        shutdown.begin();
        facts
    };
    let (facts, exit) = tokio::join!(play, system.run(GRACE));
    let facts = facts?;
    anyhow::ensure!(exit.code() == 0, "the system {exit}");
    Ok(Report::compare(&script, &facts))
}
