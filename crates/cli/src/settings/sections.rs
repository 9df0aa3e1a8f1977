//! The sections of the configuration: one file each, with its keys, its type and how it is read.

pub mod amqp;
pub mod api;
pub mod data;
pub mod dispatcher;
pub mod ingest;
pub mod keys;
pub mod limits;
pub mod log;
pub mod outbound;
pub mod postgres;
pub mod reconcile;
pub mod redis;
pub mod retention;
pub mod server;
pub mod shutdown;
pub mod slack;
pub mod telemetry;
