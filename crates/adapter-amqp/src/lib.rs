//! The durable queues on RabbitMQ (3.10 or newer, no plugin).
//!
//! ```text
//!  ports ─▶ Amqp ─┬─ Publish ─▶ Session: connection for publishing ─▶ default exchange ─▶ queue (confirmed)
//!                 └─ Consume ◀─ Line (one per queue) ◀── connection for consuming
//!                                  ▲
//!  Driver: connects, declares the topology, watches, rebuilds; parks and puts off what the lines hand it
//! ```
//!
//! - [`Amqp`] is the handle: it implements the ports. Clones are cheap and mean the same connections.
//! - [`Driver`] is its engine. Nothing here spawns a task, so whoever makes an [`Amqp`] runs the driver beside the
//!   services. It is never dead and never silent: any error, closed stream, failed acknowledgement or late confirm ends
//!   the session, [`Amqp::status`] says why, and it connects again until [`Amqp::close`] is called.
//! - **Stored** means confirmed by the queue itself: every publish is persistent and `mandatory`, and only a confirm
//!   without a returned message counts (`publisher.rs`). After a refusal the next publishes go over another channel.
//! - **Lines** (`line.rs`). All consumers of one queue share one subscription. What was fetched ahead, dropped, released
//!   or rejected waits in the line, without going back to the broker, where on 3.10 every return would count towards the
//!   delivery limit. A line that nobody asks gives everything back.
//! - **Delays** (`defer.rs`) travel through queues whose messages expire into `deliver.late`. `not_before` is an instant of
//!   the publisher's clock; what passes in the queues is the broker's time. With clocks that agree a delay ends within a
//!   second of its instant. A receiver whose clock is behind hands it out no later for that; one whose clock is ahead by so
//!   much hands it out by up to so much earlier, but never before its first queue, which is more than half of the delay.
//! - **Doctor** (`doctor.rs`) says what is wrong with a broker, and what to change.
//! - **Epochs** (`epoch.rs`) are exchanges that nothing is published to: with the broker's disk they are gone.
//! - **Names and arguments** of all objects stand in `topology.rs` alone.

mod connection;
mod consumer;
mod costs;
mod defer;
mod depths;
pub mod doctor;
mod driver;
mod entry;
mod epoch;
mod greeting;
mod headers;
mod inbox;
mod kind;
mod lease;
mod line;
mod parked;
mod publisher;
mod session;
pub mod topology;

pub use connection::{Settings, check_url, each_url};
pub use driver::{Amqp, Driver, Status};
