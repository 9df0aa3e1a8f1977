//! What goes wrong with a server: it forgets, goes away, comes back, holds what is not ours, refuses.

mod cache;
mod clocks;
mod doctor;
mod obedience;
mod server;
mod sharers;

use std::sync::Arc;
use std::time::Duration;

use postrider_adapter_redis::{
    Redis, RedisBreakers, RedisClaims, RedisMarks, RedisRates, RedisSubscriptions, RedisWindows,
};
use postrider_domain::coalesce::{Rank, Window};
use postrider_domain::delivery::{DeliveryId, DeliveryState, Progress};
use postrider_domain::webhook::RateLimit;
use postrider_ports::claims::{Claimed, Claims};
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::limits::{Breakers, Rates};
use postrider_ports::progress::Marks;
use postrider_ports::windows::{CoalescedEvent, Entry, Opening, Windows};
use postrider_testkit::builders::{event, event_id, scope, space, webhook_id};
use postrider_testkit::servers::redis::Server;
use postrider_testkit::store::MemoryStore;
use postrider_testkit::{ManualClock, START};
use redis::aio::MultiplexedConnection;

const SECOND: Duration = Duration::from_secs(1);

/// A server of the test's own and everything on it.
struct Bench {
    server: Server,
    clock: Arc<ManualClock>,
    redis: Arc<Redis>,
    store: Arc<MemoryStore>,
}

impl Bench {
    async fn start() -> Self {
        let server = Server::start().await.expect("a server starts");
        let redis = Redis::new(&server.url()).expect("its URL");
        Self { server, clock: Arc::new(ManualClock::new()), redis, store: Arc::new(MemoryStore::new()) }
    }

    /// What an operator at the terminal has.
    async fn terminal(&self) -> MultiplexedConnection {
        let client = redis::Client::open(self.server.url()).expect("its URL");
        client.get_multiplexed_async_connection().await.expect("the server is there")
    }

    async fn type_in(&self, words: &[&str]) -> redis::Value {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        let done: redis::RedisResult<redis::Value> = command.query_async(&mut self.terminal().await).await;
        done.expect("the server does it")
    }

    /// How many connections listen for hints.
    async fn listeners(&self) -> u64 {
        let asked: redis::RedisResult<(String, u64)> = redis::cmd("PUBSUB")
            .arg(&["NUMSUB", "postrider:{*}:changed"])
            .query_async(&mut self.terminal().await)
            .await;
        asked.expect("the server tells").1
    }

    async fn keys(&self) -> Vec<String> {
        let found = redis::cmd("KEYS").arg("*").query_async(&mut self.terminal().await).await;
        found.expect("the server tells")
    }

    fn claims(&self) -> RedisClaims {
        RedisClaims::new(Arc::clone(&self.redis), self.clock.clone())
    }

    fn marks(&self) -> RedisMarks {
        RedisMarks::new(Arc::clone(&self.redis), self.clock.clone())
    }

    fn windows(&self) -> RedisWindows {
        RedisWindows::new(Arc::clone(&self.redis), self.clock.clone())
    }

    fn rates(&self) -> RedisRates {
        RedisRates::new(Arc::clone(&self.redis), self.clock.clone())
    }

    fn breakers(&self) -> RedisBreakers {
        RedisBreakers::new(Arc::clone(&self.redis), self.clock.clone())
    }

    /// The cache as another worker has it.
    fn worker(&self) -> RedisSubscriptions {
        RedisSubscriptions::new(Arc::clone(&self.redis), self.store.clone(), self.clock.clone())
    }

    async fn claim(&self, id: &str) -> Claimed {
        let wanted = [(event_id(id), [1; 32])];
        let mut claimed =
            self.claims().claim(&space("s"), &wanted, START).await.expect("the server is there");
        claimed.pop().expect("one answer")
    }

    /// One use of each port that is made for batches or single webhooks.
    async fn use_all(&self) -> Vec<(&'static str, PortResult<()>)> {
        let (s, w) = (space("s"), webhook_id("w"));
        let rank = Rank { version: Some(1), occurred_at: START, event: event_id("e") };
        let window = Window { key: "s/master/w".to_owned(), ends_at: START.plus(SECOND), rank };
        let opening = Opening { key: window.key.clone(), at: START, ends_at: window.ends_at };
        let told = CoalescedEvent::of(&event("Entry.publish").build().head);
        let entry = Entry { window: window.clone(), delivery: delivery(), event: told };
        let limit = RateLimit { calls: 10, per: SECOND };
        let done = Progress { state: DeliveryState::Delivered, attempt: 1 };
        let (claims, windows, breakers) = (self.claims(), self.windows(), self.breakers());
        let claimed = [(event_id("e"), [1; 32])];
        let pending = [(event_id("p"), [1; 32])];
        vec![
            ("{s}:claim:e", claims.claim(&s, &claimed, START).await.map(drop)),
            ("{s}:claim:e", claims.commit(&s, &claimed, START).await),
            ("{s}:claim:p", claims.claim(&s, &pending, START).await.map(drop)),
            ("{s}:claim:e", claims.release(&s, &[event_id("e")]).await),
            (":mark", self.marks().mark(&[(delivery(), done)]).await),
            (":mark", self.marks().marked(&[delivery()]).await.map(drop)),
            ("{s}:window:s/master/w", windows.join(&[opening]).await.map(drop)),
            ("{s}:gathered:", windows.register(&[entry]).await),
            ("{s}:gathered:", windows.newest(std::slice::from_ref(&window)).await.map(drop)),
            ("{s}:gathered:", windows.coalesced(&[window]).await.map(drop)),
            ("{s}:bucket:w", self.rates().lease(&s, &w, limit, 1).await.map(drop)),
            ("{s}:breaker:w", breakers.open(&s, &w, START.plus(SECOND)).await),
            ("{s}:breaker:w", breakers.probe(&s, &w, START.plus(SECOND)).await.map(drop)),
            ("{s}:breaker:w", breakers.breakers(&[(s.clone(), w.clone())]).await.map(drop)),
        ]
    }
}

fn delivery() -> DeliveryId {
    DeliveryId::derive(&scope("s"), &event_id("e"), &webhook_id("w"), 0)
}

fn assert_away(error: &PortError, server: &Server) {
    assert!(error.is_transient(), "{error}");
    let place = server.url().trim_start_matches("redis://").to_owned();
    assert!(error.to_string().contains(&place), "{error} must name {place}");
}
