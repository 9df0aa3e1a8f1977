//! What the services need from the outside, as small traits named by who needs them.
//!
//! Every trait has a conformance suite in `testkit`, and every adapter passes it. All of them are used behind
//! `Arc<dyn …>`: beside a disk or a network the indirection is noise.
//!
//! | trait | needed by | embedded | distributed |
//! |---|---|---|---|
//! | [`clock::Clock`], [`clock::Random`] | everyone | operating system | operating system |
//! | [`queue::Publish`], [`queue::Consume`], [`queue::Depths`], [`queue::Parked`] | all services | adapter-sqlite | adapter-amqp |
//! | [`inbox::Inbox`] | ingest | – | adapter-amqp |
//! | [`claims::Claims`] | ingest | adapter-memory | adapter-redis |
//! | [`access::Tokens`], [`access::Spaces`] | ingest, control | adapter-sqlite | adapter-postgres |
//! | [`sources::Sources`] | ingest, control | adapter-sqlite | adapter-postgres |
//! | [`subscriptions::Subscriptions`] | dispatcher | adapter-sqlite | adapter-redis |
//! | [`progress::Marks`], [`progress::Progresses`] | dispatcher | adapter-memory, adapter-sqlite | adapter-redis, adapter-postgres |
//! | [`windows::Windows`] | dispatcher | adapter-memory | adapter-redis |
//! | [`limits::Rates`], [`limits::Breakers`] | dispatcher | adapter-memory | adapter-redis |
//! | [`sender::Sender`] | dispatcher, control | adapter-http | adapter-http |
//! | [`secrets::Secrets`] | dispatcher, control, ingest | vault | vault |
//! | [`keys::Keys`] | control | vault | vault |
//! | [`bodies::Bodies`] | ingest, dispatcher, control | adapter-sqlite | adapter-postgres |
//! | [`log::LogWrite`], [`log::LogRead`] | log-writer, control, jobs | adapter-sqlite | adapter-postgres |
//! | [`log::Retention`], [`log::Days`] | jobs | adapter-sqlite | adapter-postgres |
//! | [`leader::Leadership`] | jobs | adapter-memory | adapter-postgres |
//! | [`reconcile::BrokerEpoch`] | jobs | adapter-sqlite | adapter-amqp |
//! | [`reconcile::Reconciliations`], [`reconcile::OpenDeliveries`] | jobs | adapter-sqlite | adapter-postgres |
//! | [`registry::Registry`], [`registry::Disable`] | control, dispatcher, jobs | adapter-sqlite | adapter-postgres |
//! | [`wellness::Wellness`] | dispatcher, jobs | adapter-sqlite | adapter-postgres |

pub mod access;
pub mod bodies;
pub mod claims;
pub mod clock;
pub mod doctor;
pub mod error;
pub mod inbox;
pub mod keys;
pub mod leader;
pub mod limits;
pub mod log;
pub mod progress;
pub mod queue;
pub mod reconcile;
pub mod registry;
pub mod secrets;
pub mod sender;
pub mod sources;
pub mod subscriptions;
pub mod wellness;
pub mod windows;
