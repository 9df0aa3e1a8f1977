//! The connection: one, shared by all, that comes back by itself; batches go over it in one round trip.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{Stream, StreamExt};
use postrider_ports::error::{PortError, PortResult};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, ConnectionAddr, Pipeline, RedisError, RedisResult, Value};
use rustls::crypto::{CryptoProvider, aws_lc_rs};

use crate::keys::HINTS;
use crate::lua::Call;

/// How long an answer, or a new connection, may take. Who waits longer works without the cache.
const TIMEOUT: Duration = Duration::from_secs(1);

/// A Redis or Valkey server, 6.0 or newer.
///
/// Nothing is asked twice unless the connection broke, and then once more. So a call may have been made twice; all are
/// such that this costs a lookup, a few tokens or a probe, never an event.
///
/// Give it `maxmemory-policy noeviction`: a full server then refuses, and the services work without it, while one that
/// evicts forgets ids without anybody noticing.
pub struct Redis {
    client: Client,
    /// Host, port and database, never the password.
    place: String,
    connection: Mutex<Connection>,
    round_trips: AtomicU64,
}

#[derive(Clone)]
struct Connection {
    manager: ConnectionManager,
    /// Which one it is, so that of many who see it broken one replaces it.
    number: u64,
}

impl Redis {
    /// Takes the server at a URL, `redis://[user][:password@]host[:port][/database]` or `rediss://` for TLS. It is
    /// reached with the first call, so it may be away now. Call it inside a Tokio runtime: the client library keeps its
    /// connection alive there.
    pub fn new(url: &str) -> PortResult<Arc<Self>> {
        let wrong = |error| {
            PortError::permanent(
                "the Redis URL cannot be used; write redis://[user][:password@]host[:port][/database]",
            )
            .because(said(&error))
        };
        let client = Client::open(url).map_err(wrong)?;
        let info = client.get_connection_info();
        if matches!(info.addr(), ConnectionAddr::TcpTls { .. }) {
            choose_cryptography();
        }
        let place = format!("{}/{}", info.addr(), info.redis_settings().db());
        let manager = manager(&client).map_err(wrong)?;
        let connection = Mutex::new(Connection { manager, number: 0 });
        Ok(Arc::new(Self { client, place, connection, round_trips: AtomicU64::new(0) }))
    }

    /// How often an answer was waited for: the cost of what was done (DESIGN §5).
    pub fn round_trips(&self) -> u64 {
        self.round_trips.load(Ordering::Relaxed)
    }

    /// Whether it answers.
    pub async fn ping(&self) -> PortResult<()> {
        let mut ping = redis::pipe();
        ping.cmd("PING").ignore_errors();
        self.send("asking whether it is there", &ping).await?.into_iter().try_for_each(|answer| {
            answer.map(drop).map_err(|error| self.failed("asking whether it is there", &error))
        })
    }

    /// Makes the calls in one round trip and in their order; the answers come in the same order. `what` completes
    /// "Redis at …: ".
    pub(crate) async fn ask(&self, what: &str, calls: &[Call]) -> PortResult<Vec<Value>> {
        if calls.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipeline = redis::pipe();
        for call in calls {
            pipeline.add_command(call.short());
        }
        let mut answers = self.send(what, pipeline.ignore_errors()).await?;
        self.tell_unknown(what, calls, &mut answers).await?;
        let judged = calls.iter().zip(answers);
        judged.map(|(call, answer)| answer.map_err(|error| self.refused(what, call, &error))).collect()
    }

    /// Makes one call.
    pub(crate) async fn ask_one(&self, what: &str, call: Call) -> PortResult<Value> {
        let answers = self.ask(what, &[call]).await?;
        answers.into_iter().next().ok_or_else(|| self.odd(what, "no answer came"))
    }

    /// What a key holds cannot have been written by Postrider.
    pub(crate) fn foreign(&self, what: &str, key: &str) -> PortError {
        PortError::transient(format!(
            "Redis at {}: {what}: the key {key:?} holds what Postrider did not write; delete it, or give Postrider a \
             database of its own",
            self.place
        ))
    }

    /// An answer that no Redis gives.
    pub(crate) fn odd(&self, what: &str, how: &str) -> PortError {
        PortError::transient(format!("Redis at {}: {what}: {how}", self.place))
    }

    /// Hints, from now on, until the connection breaks.
    pub(crate) async fn hints(&self) -> PortResult<impl Stream<Item = ()> + use<>> {
        let what = "listening for changes of webhooks";
        let subscribed = async {
            let mut listener = self.client.get_async_pubsub().await?;
            listener.subscribe(HINTS).await?;
            Ok(listener)
        };
        match tokio::time::timeout(TIMEOUT, subscribed).await {
            Ok(Ok(listener)) => Ok(listener.into_on_message().map(drop)),
            Ok(Err(error)) => Err(self.failed(what, &error)),
            Err(_) => Err(self.odd(what, "no answer within 1 s")),
        }
    }

    /// Repeats with their text the calls whose script the server does not know.
    async fn tell_unknown(
        &self,
        what: &str,
        calls: &[Call],
        answers: &mut [RedisResult<Value>],
    ) -> PortResult<()> {
        let unknown = |answer: &RedisResult<Value>| {
            answer.as_ref().is_err_and(|error| error.code() == Some("NOSCRIPT"))
        };
        let again: Vec<usize> = (0..answers.len()).filter(|index| unknown(&answers[*index])).collect();
        if again.is_empty() {
            return Ok(());
        }
        let mut pipeline = redis::pipe();
        for call in again.iter().filter_map(|index| calls.get(*index)) {
            pipeline.add_command(call.long());
        }
        let told = self.send(what, pipeline.ignore_errors()).await?;
        for (index, answer) in again.into_iter().zip(told) {
            answers[index] = answer;
        }
        Ok(())
    }

    /// Sends what is no batch of calls on keys, too; each answer stands by itself.
    pub(crate) async fn send(&self, what: &str, pipeline: &Pipeline) -> PortResult<Vec<RedisResult<Value>>> {
        let sent = match self.send_once(pipeline).await {
            // The connection had broken, perhaps long ago: the server may be back.
            Some(Err(error)) if !error.is_timeout() => self.send_once(pipeline).await,
            sent => sent,
        };
        match sent {
            Some(Ok(answers)) => Ok(answers),
            Some(Err(error)) => Err(self.failed(what, &error)),
            None => Err(self.odd(what, "no answer within 1 s")),
        }
    }

    /// `None` when it takes too long.
    async fn send_once(&self, pipeline: &Pipeline) -> Option<RedisResult<Vec<RedisResult<Value>>>> {
        let Connection { mut manager, number } = self.current();
        self.round_trips.fetch_add(1, Ordering::Relaxed);
        let sent = tokio::time::timeout(TIMEOUT, pipeline.query_async(&mut manager)).await.ok()?;
        if let Err(error) = &sent
            && !error.is_io_error()
        {
            self.replace(number);
        }
        Some(sent)
    }

    fn current(&self) -> Connection {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The manager comes back by itself after an I/O error, but keeps for ever the refusal of a server that was still
    /// loading its data, or whose password was mended since.
    fn replace(&self, number: u64) {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        if connection.number == number
            && let Ok(manager) = manager(&self.client)
        {
            *connection = Connection { manager, number: number + 1 };
        }
    }

    fn failed(&self, what: &str, error: &RedisError) -> PortError {
        PortError::transient(format!("Redis at {}: {what}", self.place)).because(said(error))
    }

    fn refused(&self, what: &str, call: &Call, error: &RedisError) -> PortError {
        let is_foreign = error.code().is_some_and(|code| code == "WRONGTYPE" || code == "FOREIGN")
            // Redis 6 puts the error inside a script into words.
            || error.detail().is_some_and(|detail| detail.contains("WRONGTYPE"));
        if is_foreign {
            return self.foreign(what, call.names());
        }
        let what = format!("{what}: the call on the key {:?} was refused", call.names());
        self.failed(&what, error)
    }
}

/// What the library says about a failure. It names addresses and what the server said, never the URL or the password.
fn said(error: &RedisError) -> String {
    error.to_string()
}

/// The client library takes the cryptography of the process and panics where none is chosen. Chosen already is chosen.
fn choose_cryptography() {
    if CryptoProvider::get_default().is_none() {
        // Somebody may be faster; then his stands.
        drop(aws_lc_rs::default_provider().install_default());
    }
}

/// Connects with the first call, and again with the first call after a failure; never waits between attempts, so that
/// callers learn at once that the server is away.
fn manager(client: &Client) -> RedisResult<ConnectionManager> {
    let config = ConnectionManagerConfig::new()
        .set_number_of_retries(0)
        .set_response_timeout(Some(TIMEOUT))
        .set_connection_timeout(Some(TIMEOUT));
    ConnectionManager::new_lazy_with_config(client.clone(), config)
}
