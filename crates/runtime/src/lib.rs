//! What a process is: shutdown, supervisor, health, serving, telemetry. It knows no webhook.
//!
//! A process of Postrider is put together in one place (`cli`) from these parts:
//!
//! - [`shutdown`]: the one wish to stop, soft and hard, that everything else listens to;
//! - [`signals`]: the operator's way to express it;
//! - [`supervisor`]: the only place that spawns. No task outlives it, and none dies silently;
//! - [`health`]: what `/livez` and `/readyz` answer;
//! - [`http`]: binding an address and serving a router on it until the process stops;
//! - [`telemetry`]: where log lines, traces and metrics go; [`trace`] and [`metrics`]: how services make them.
//!
//! Every service library shows the same three names to be run here: `Settings`, `Deps` and
//! `run(settings, deps, shutdown: Shutdown) -> Result<(), Error>`.

pub mod health;
pub mod http;
pub mod metrics;
pub mod shutdown;
pub mod signals;
pub mod supervisor;
pub mod telemetry;
pub mod trace;
