//! The one binary: the only place where services meet adapters, files and the environment.
//!
//! - [`commands`]: one file per subcommand;
//! - [`settings`]: what can be configured, and who said what;
//! - [`compose`]: which adapter stands behind which port;
//! - [`client`]: how the client commands speak to a server;
//! - [`demo`]: the main job end to end, with expectations as data;
//! - [`receiver`], [`verify`]: a receiver of calls and its own verification of signatures;
//! - [`exit`], [`output`], [`indent`], `help`: exit codes, tables and JSON, and what `--help` ends with.

pub mod client;
pub mod commands;
pub mod compose;
pub mod demo;
pub mod exit;
mod help;
pub mod indent;
pub mod output;
pub mod receiver;
pub mod settings;
pub mod verify;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use postrider_ports::clock::draw_call_id;
use postrider_runtime::telemetry::{self, Telemetry, TelemetryError};

use compose::clock::SystemClock;
use compose::distributed::Role;
use compose::random::OsRandom;
use exit::{Code, Failure};
use output::Output;
use settings::layers::{Layers, Places, Source};
use settings::{Fault, Settings};

/// Carries content events to the people who wait for them: signed webhook calls with retries and a record of every call.
#[derive(Debug, Parser)]
#[command(name = "postrider", version, after_help = help::after())]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Flags of every command.
#[derive(Debug, Args)]
struct Global {
    /// Configuration file [default: ./postrider.toml if it exists]
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "POSTRIDER_CONFIG",
        hide_env_values = true,
        hide_short_help = true,
        help_heading = "Everywhere"
    )]
    config: Option<PathBuf>,
    /// Set one setting, for example --set retention.days=60 (repeatable; wins over file and environment)
    #[arg(
        long = "set",
        global = true,
        value_name = "SECTION.KEY=VALUE",
        value_parser = assignment,
        hide_short_help = true,
        help_heading = "Everywhere"
    )]
    assignments: Vec<(String, String)>,
    /// The folder of database, keys and cli.toml [default: ./postrider-data]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Everywhere")]
    data_dir: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long, global = true, help_heading = "Everywhere")]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the whole system in this process, on one SQLite file
    Serve(commands::serve::Serve),
    /// Run the main job end to end against a built-in receiver, and show what came of it
    Demo(commands::demo::Demo),
    /// Publish events and see what became of them
    #[command(subcommand)]
    Events(commands::events::Events),
    /// Manage webhooks
    #[command(subcommand)]
    Webhooks(Box<commands::webhooks::Webhooks>),
    /// See calls, and send them again
    #[command(subcommand)]
    Calls(commands::calls::Calls),
    /// See where deliveries stand
    #[command(subcommand)]
    Deliveries(commands::deliveries::Deliveries),
    /// Say how many deliveries of the space stand in each state
    Balance(commands::spaces::Balance),
    /// Receive calls, print them, and say whether their signatures verify
    Listen(commands::listen::Listen),
    /// Manage sources: where CMSs send their own webhooks
    #[command(subcommand)]
    Sources(commands::sources::Sources),
    /// Connect Slack, so that webhooks can post messages to it
    #[command(subcommand)]
    Slack(commands::slack::Slack),
    /// Manage spaces
    #[command(subcommand)]
    Spaces(commands::spaces::Spaces),
    /// Manage the environments of a space
    #[command(subcommand)]
    Environments(commands::environments::Environments),
    /// Settle what counts for all webhooks of a space
    #[command(subcommand)]
    Settings(commands::space_settings::Settings),
    /// Manage access tokens
    #[command(subcommand)]
    Tokens(commands::tokens::Tokens),
    /// See and rotate the keys that seal secrets
    #[command(subcommand)]
    Keys(commands::keys::Keys),
    /// See messages that could not be processed, and put them back
    #[command(subcommand)]
    Parked(commands::parked::Parked),
    /// Check or print the configuration
    #[command(subcommand)]
    Config(commands::config::Config),
    /// Print the OpenAPI document of a server's API
    Openapi(commands::openapi::OpenApi),
    /// Print what a shell needs to complete this command line
    Completions(commands::completions::Completions),
    /// Ask a process of this machine whether it can do its work
    Healthcheck(commands::healthcheck::Healthcheck),
    /// Distributed: take events in, over HTTP and from the broker
    Ingest(commands::process::Flags),
    /// Distributed: match events and deliver them
    Dispatcher(commands::process::Flags),
    /// Distributed: keep a record of every call
    LogWriter(commands::process::Flags),
    /// Distributed: background work of one leader, such as retention
    Jobs(commands::process::Flags),
    /// Distributed: the management API
    Api(commands::process::Flags),
    /// Distributed: bring schema and broker up to date, and make the first token
    Migrate(commands::migrate::Migrate),
    /// Distributed: print, declare or verify what is on the broker
    #[command(subcommand)]
    Topology(commands::topology::Topology),
    /// Distributed: put back deliveries that are overdue, because their message was lost
    Reconcile(commands::reconcile::Reconcile),
    /// Distributed: look at broker, cache and database, and say what to change
    Doctor(commands::doctor::Doctor),
}

/// What every command may need of its surroundings.
#[derive(Debug)]
pub struct Context {
    /// The checked configuration.
    pub settings: Settings,
    /// Who gave what.
    pub layers: Layers,
    /// How answers are printed.
    pub output: Output,
}

/// Runs one command to its end.
///
/// # Errors
/// What kept it from its end; [`code_of`] tells the exit code.
pub async fn run(cli: Cli) -> anyhow::Result<Code> {
    let Cli { global, command } = cli;
    let output = Output { json: global.json };
    let places = global.places(command.flags());
    // It must speak of a faulty configuration itself.
    if let Command::Config(config) = command {
        return commands::config::run(&config, places, output);
    }
    // It needs no configuration, be that faulty or not.
    if let Command::Completions(completions) = &command {
        return Ok(commands::completions::run(completions, output));
    }
    let (settings, layers) = settings::load(&places)?;
    let context = Context { settings, layers, output };
    if let Some(role) = command.role() {
        let _telemetry = context.telemetry(None, Some(role.name()))?;
        return commands::process::run(role, context).await;
    }
    match command {
        Command::Serve(serve) => {
            let _telemetry = context.telemetry(None, None)?;
            commands::serve::run(&serve, context).await
        }
        Command::Demo(demo) => {
            let _telemetry = context.telemetry(Some("off"), None)?;
            commands::demo::run(demo, context).await
        }
        Command::Listen(listen) => {
            let _telemetry = context.telemetry(Some("warn"), None)?;
            commands::listen::run(listen, &context).await
        }
        Command::Events(events) => commands::events::run(events, &context).await,
        Command::Webhooks(webhooks) => commands::webhooks::run(*webhooks, &context).await,
        Command::Sources(sources) => commands::sources::run(sources, &context).await,
        Command::Slack(slack) => commands::slack::run(slack, &context).await,
        Command::Calls(calls) => commands::calls::run(calls, &context).await,
        Command::Deliveries(deliveries) => commands::deliveries::run(deliveries, &context).await,
        Command::Balance(balance) => commands::spaces::balance(&balance, &context).await,
        Command::Spaces(spaces) => commands::spaces::run(spaces, &context).await,
        Command::Environments(environments) => commands::environments::run(environments, &context).await,
        Command::Parked(parked) => commands::parked::run(parked, &context).await,
        Command::Settings(settings) => commands::space_settings::run(settings, &context).await,
        Command::Openapi(openapi) => commands::openapi::run(&openapi, &context).await,
        Command::Tokens(tokens) => commands::tokens::run(tokens, &context).await,
        Command::Migrate(migrate) => {
            let _telemetry = context.telemetry(None, None)?;
            commands::migrate::run(&migrate, &context).await
        }
        Command::Topology(topology) => commands::topology::run(&topology, &context).await,
        Command::Reconcile(reconcile) => commands::reconcile::run(&reconcile, &context).await,
        Command::Doctor(doctor) => commands::doctor::run(&doctor, &context).await,
        Command::Healthcheck(check) => commands::healthcheck::run(&check, &context).await,
        Command::Keys(keys) => commands::keys::run(keys, &context).await,
        Command::Config(_)
        | Command::Completions(_)
        | Command::Ingest(_)
        | Command::Dispatcher(_)
        | Command::LogWriter(_)
        | Command::Jobs(_)
        | Command::Api(_) => unreachable!("these have been run above"),
    }
}

impl Command {
    /// The settings that its flags stand for.
    fn flags(&self) -> Vec<(String, String, String)> {
        match self {
            Self::Serve(serve) => serve.flags(),
            Self::Ingest(flags)
            | Self::Dispatcher(flags)
            | Self::LogWriter(flags)
            | Self::Jobs(flags)
            | Self::Api(flags) => flags.flags(),
            _ => Vec::new(),
        }
    }

    /// The process of the distributed system that it runs.
    fn role(&self) -> Option<Role> {
        match self {
            Self::Ingest(_) => Some(Role::Ingest),
            Self::Dispatcher(_) => Some(Role::Dispatcher),
            Self::LogWriter(_) => Some(Role::LogWriter),
            Self::Jobs(_) => Some(Role::Jobs),
            Self::Api(_) => Some(Role::Api),
            _ => None,
        }
    }
}

/// The exit code of an error that [`run`] returned.
pub fn code_of(error: &anyhow::Error) -> Code {
    if error.is::<settings::Faults>() {
        return Code::Configuration;
    }
    error.downcast_ref::<Failure>().map_or(Code::Failure, |failure| failure.code)
}

/// An error for people: its causes, each once, and the next step.
pub fn explain(error: &anyhow::Error) -> String {
    let mut text = format!("error: {error}");
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}\n  because: {cause}");
        }
    }
    match error.downcast_ref::<Failure>().and_then(|failure| failure.next.as_ref()) {
        Some(next) => format!("{text}\n   next: {next}"),
        None => text,
    }
}

impl Global {
    fn places(self, mut flags: Vec<(String, String, String)>) -> Places {
        for (name, value) in self.assignments {
            flags.push((name.clone(), value, format!("--set {name}")));
        }
        if let Some(dir) = self.data_dir {
            flags.push(("data.dir".to_owned(), dir.display().to_string(), "--data-dir".to_owned()));
        }
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| {
                Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
            })
            .collect();
        Places { file: self.config, variables, flags }
    }
}

impl Context {
    /// Sets up telemetry. `quiet` is the log filter of a command that is not a server, unless somebody asked for another;
    /// `role` is the process of the distributed system, if it is one.
    fn telemetry(&self, quiet: Option<&str>, role: Option<&str>) -> anyhow::Result<Telemetry> {
        let source = |key: &str| self.layers.get(key).map_or(Source::Default, |given| given.source.clone());
        let Settings { log, telemetry: ours, .. } = &self.settings;
        let instance = draw_call_id(&SystemClock::new(), &OsRandom).to_string();
        let filter = quiet.filter(|_| source("log.filter") == Source::Default).unwrap_or(&log.filter);
        let named = telemetry::Settings {
            filter: filter.to_owned(),
            format: log.format,
            otlp: ours.otlp.clone(),
            sample: ours.sample,
            service: role.map_or_else(|| "postrider".to_owned(), |role| format!("postrider-{role}")),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instance,
            messaging_system: role.map_or("sqlite", |_| "rabbitmq").to_owned(),
        };
        telemetry::init(&named).map_err(|error| {
            let key = match error {
                TelemetryError::Exporter { .. } => "telemetry.otlp",
                _ => "log.filter",
            };
            let fault = Fault { source: source(key), key: key.to_owned(), what: error.to_string() };
            settings::Faults(vec![fault]).into()
        })
    }
}

fn assignment(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as section.key=value")?;
    Ok((name.trim().to_owned(), value.to_owned()))
}
