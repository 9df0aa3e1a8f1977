//! What can be configured: defaults ← file ← `POSTRIDER__SECTION__KEY` ← flags. Every fault is reported at once.

pub mod key;
pub mod layers;
mod reader;
pub mod sections;
pub mod show;

use std::fmt;

use key::Key;
use layers::{Layers, Places, Source};
use reader::Reader;
use sections::amqp::Amqp;
use sections::api::Api;
use sections::data::Data;
use sections::dispatcher::Dispatcher;
use sections::ingest::Ingest;
use sections::keys::Keys;
use sections::limits::Limits;
use sections::log::Log;
use sections::outbound::Outbound;
use sections::postgres::Postgres;
use sections::reconcile::Reconcile;
use sections::redis::Redis;
use sections::retention::Retention;
use sections::server::Server;
use sections::shutdown::Stopping;
use sections::slack::Slack;
use sections::telemetry::Telemetry;

/// The keys of every section, in the order in which they are printed.
pub const KEYS: &[&[Key]] = &[
    sections::server::KEYS,
    sections::data::KEYS,
    sections::amqp::KEYS,
    sections::redis::KEYS,
    sections::postgres::KEYS,
    sections::ingest::KEYS,
    sections::dispatcher::KEYS,
    sections::outbound::KEYS,
    sections::slack::KEYS,
    sections::api::KEYS,
    sections::limits::KEYS,
    sections::retention::KEYS,
    sections::reconcile::KEYS,
    sections::log::KEYS,
    sections::telemetry::KEYS,
    sections::keys::KEYS,
    sections::shutdown::KEYS,
];

/// Everything that can be configured, checked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the process listens.
    pub server: Server,
    /// Where its data is.
    pub data: Data,
    /// The broker of the distributed processes.
    pub amqp: Amqp,
    /// Their cache.
    pub redis: Redis,
    /// Their store and log.
    pub postgres: Postgres,
    /// What comes in.
    pub ingest: Ingest,
    /// What goes out at once.
    pub dispatcher: Dispatcher,
    /// Whom webhooks may call.
    pub outbound: Outbound,
    /// Where Slack is.
    pub slack: Slack,
    /// How often management may be asked.
    pub api: Api,
    /// How much a space may have.
    pub limits: Limits,
    /// How long the log is kept.
    pub retention: Retention,
    /// How what a broker lost is put back.
    pub reconcile: Reconcile,
    /// What is logged.
    pub log: Log,
    /// What is told to a collector.
    pub telemetry: Telemetry,
    /// The key ring.
    pub keys: Keys,
    /// How the process stops.
    pub shutdown: Stopping,
}

/// One thing that is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Who said it.
    pub source: Source,
    /// Which setting; empty when it is the whole file.
    pub key: String,
    /// What is wrong, and what would be right.
    pub what: String,
}

/// Everything that is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

/// Lays the layers over each other and checks every value.
///
/// # Errors
/// All faults together.
pub fn load(places: &Places) -> Result<(Settings, Layers), Faults> {
    let mut faults = Vec::new();
    let layers = layers::lay(places, &mut faults);
    let settings = Settings::read(&mut Reader::new(&layers, &mut faults));
    match settings {
        Some(settings) if faults.is_empty() => Ok((settings, layers)),
        _ => Err(Faults(faults)),
    }
}

impl Settings {
    /// Reads every section before it gives up, so that every fault is seen.
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let server = Server::read(reader);
        let data = Data::read(reader);
        let amqp = Amqp::read(reader);
        let redis = Redis::read(reader);
        let postgres = Postgres::read(reader);
        let ingest = Ingest::read(reader);
        let dispatcher = Dispatcher::read(reader);
        let outbound = Outbound::read(reader);
        let slack = Slack::read(reader);
        let api = Api::read(reader);
        let limits = Limits::read(reader);
        let retention = Retention::read(reader);
        let reconcile = Reconcile::read(reader);
        let log = Log::read(reader);
        let telemetry = Telemetry::read(reader);
        let keys = Keys::read(reader);
        let shutdown = Stopping::read(reader);
        Some(Self {
            server: server?,
            data: data?,
            amqp: amqp?,
            redis: redis?,
            postgres: postgres?,
            ingest: ingest?,
            dispatcher: dispatcher?,
            outbound: outbound?,
            slack: slack?,
            api: api?,
            limits: limits?,
            retention: retention?,
            reconcile: reconcile?,
            log: log?,
            telemetry: telemetry?,
            keys: keys?,
            shutdown: shutdown?,
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key.as_str() {
            "" => write!(f, "{} {}", self.source, self.what),
            key => write!(f, "{key} {} ({})", self.what, self.source),
        }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration has {} fault(s):", self.0.len())?;
        self.0.iter().try_for_each(|fault| write!(f, "\n  - {fault}"))
    }
}

impl std::error::Error for Faults {}
