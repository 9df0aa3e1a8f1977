//! Private servers for tests: RabbitMQ, Redis and Postgres as processes of our own, on free loopback ports, with their
//! data in a temporary folder.
//!
//! One instance of each serves a whole run of tests. `postrider-test-servers` (`bin/servers.rs`) starts them, names them
//! in the environment and stops them; a test asks for a part of its own: [`rabbitmq::vhost`], [`redis::database`],
//! [`postgres::database`]. A test that stops, restarts or cuts off a server starts one of its own instead:
//! [`rabbitmq::Broker`], [`redis::Server`], [`postgres::Server`]; the last one on a [`disk::Disk`] that can be filled.

pub mod disk;
mod installation;
pub mod postgres;
mod process;
pub mod rabbitmq;
pub mod redis;

use std::io;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The AMQP URL of the shared broker, without a virtual host; its user is an administrator.
pub const AMQP: &str = "POSTRIDER_TEST_AMQP";
/// The URL of the shared broker's management API, with user and password.
pub const AMQP_MANAGEMENT: &str = "POSTRIDER_TEST_AMQP_MANAGEMENT";
/// The root folder of another Debian whose RabbitMQ is to be used instead of this system's. Entering it takes root's rights.
pub const RABBITMQ_ROOT: &str = "POSTRIDER_TEST_RABBITMQ_ROOT";
/// The URL of the shared Redis, without a database number.
pub const REDIS: &str = "POSTRIDER_TEST_REDIS";
/// The URL of the shared Postgres, without a database; its user is a superuser.
pub const POSTGRES: &str = "POSTRIDER_TEST_POSTGRES";

/// How long a server may take to start: RabbitMQ takes 6 s alone, and many times that beside a compiler.
const START: Duration = Duration::from_secs(120);
/// Between two looks at whether it has started.
const LOOK: Duration = Duration::from_millis(20);

/// The value of one of the variables above.
///
/// # Panics
/// When it is missing, with the command that sets it.
#[expect(
    clippy::disallowed_methods,
    reason = "the runner of the tests hands the servers over in the environment"
)]
fn shared(variable: &str) -> String {
    let Ok(url) = std::env::var(variable) else {
        panic!(
            "{variable} is not set, this test needs the private servers: run it through `cargo xtask test`, or `cargo run \
             -p postrider-testkit --bin postrider-test-servers -- cargo test -p …`"
        );
    };
    url
}

/// Whether `cargo xtask test --full` runs: tests may then take minutes.
#[expect(
    clippy::disallowed_methods,
    reason = "the runner of the tests says in the environment how long they may take"
)]
pub fn full() -> bool {
    std::env::var_os("POSTRIDER_TEST_FULL").is_some()
}

/// Whether servers must sync to disk as they do for an operator: the bench measures them so.
#[expect(clippy::disallowed_methods, reason = "the bench says in the environment how servers must be run")]
fn synced() -> bool {
    std::env::var_os("POSTRIDER_TEST_SYNC").is_some()
}

/// Returns once `ready` answers true. A server that is starting gives no signal but its answer, so this asks again and
/// again, for a bounded time.
async fn until_ready(
    what: &str,
    process: &mut process::Process,
    ready: impl AsyncFn() -> bool,
) -> io::Result<()> {
    let started = async {
        while !ready().await {
            process.check()?;
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    };
    match tokio::time::timeout(START, started).await {
        Ok(done) => done,
        Err(_) => Err(io::Error::other(format!("{what} does not answer after {} s", START.as_secs()))),
    }
}

/// A loopback port that nobody listens on. It lies below 32,768, where Linux takes no ports for outgoing connections, so
/// that it is still free when a server comes back to it.
pub(crate) fn free_port() -> io::Result<u16> {
    static DRAWN: AtomicU32 = AtomicU32::new(0);
    for _ in 0..1000 {
        let drawn = DRAWN.fetch_add(1, Ordering::Relaxed);
        // The processes of a run start far from each other.
        let offset = std::process::id().wrapping_mul(7919).wrapping_add(drawn) % 12_000;
        let port = 20_000 + u16::try_from(offset).unwrap_or(0);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err(io::Error::other("no free port between 20000 and 32000"))
}

/// The newest program `file` in a folder `{base}/{version…}/{inside}`.
fn newest(base: &str, starts_with: &str, inside: &str, package: &str) -> io::Result<PathBuf> {
    let missing = || io::Error::other(format!("nothing in {base}: install the Debian package {package}"));
    let mut found: Vec<PathBuf> = std::fs::read_dir(base)
        .map_err(|_| missing())?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(starts_with)))
        .map(|path| path.join(inside))
        .filter(|path| path.exists())
        .collect();
    found.sort();
    found.pop().ok_or_else(missing)
}
