//! Every adapter passes the suite of its port, on a real server.

use std::sync::Arc;

use async_trait::async_trait;
use postrider_adapter_redis::{
    Announced, Redis, RedisBreakers, RedisClaims, RedisMarks, RedisRates, RedisSubscriptions, RedisWindows,
};
use postrider_domain::id::{SpaceId, WebhookId};
use postrider_domain::space::SpaceSettings;
use postrider_domain::webhook::{Disabled, Webhook};
use postrider_ports::access::{Space, Spaces};
use postrider_ports::claims::Claims;
use postrider_ports::error::PortResult;
use postrider_ports::limits::{Breakers, Rates};
use postrider_ports::progress::Marks;
use postrider_ports::registry::{Disable, Registry, Written};
use postrider_ports::subscriptions::{Changes, Snapshot, Subscriptions};
use postrider_ports::windows::Windows;
use postrider_testkit::ManualClock;
use postrider_testkit::conformance::registry::WebhookAdapter;
use postrider_testkit::conformance::{self, Harness};
use postrider_testkit::servers::redis::{Server, database};
use postrider_testkit::store::MemoryStore;
use tokio::runtime::Handle;

/// Each case gets a database of the shared server.
struct OnRedis;

async fn empty() -> Arc<Redis> {
    Redis::new(&database().await).expect("a URL of the shared server")
}

#[async_trait]
impl Harness<dyn Claims> for OnRedis {
    async fn fresh(&self, clock: Arc<ManualClock>) -> Arc<dyn Claims> {
        let claims = RedisClaims::new(empty().await, clock);
        claims.begin(true).await.expect("the server is there");
        Arc::new(claims)
    }
}

#[async_trait]
impl Harness<dyn Marks> for OnRedis {
    async fn fresh(&self, clock: Arc<ManualClock>) -> Arc<dyn Marks> {
        Arc::new(RedisMarks::new(empty().await, clock))
    }
}

#[async_trait]
impl Harness<dyn Windows> for OnRedis {
    async fn fresh(&self, clock: Arc<ManualClock>) -> Arc<dyn Windows> {
        Arc::new(RedisWindows::new(empty().await, clock))
    }
}

#[async_trait]
impl Harness<dyn Rates> for OnRedis {
    async fn fresh(&self, clock: Arc<ManualClock>) -> Arc<dyn Rates> {
        Arc::new(RedisRates::new(empty().await, clock))
    }
}

#[async_trait]
impl Harness<dyn Breakers> for OnRedis {
    async fn fresh(&self, clock: Arc<ManualClock>) -> Arc<dyn Breakers> {
        Arc::new(RedisBreakers::new(empty().await, clock))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn claims_pass() {
    conformance::claims::run(&OnRedis).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn marks_pass() {
    conformance::marks::run(&OnRedis).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn windows_pass() {
    conformance::windows::run(&OnRedis).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rates_pass() {
    conformance::rates::run(&OnRedis).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn breakers_pass() {
    conformance::breakers::run(&OnRedis).await;
}

/// A store that tells the cache of each change, as the services that manage webhooks do.
struct Cached {
    announced: Announced<MemoryStore>,
    cache: Arc<RedisSubscriptions>,
    /// Pub/sub channels are shared by all databases, so each case has a server of its own.
    _server: Server,
}

struct OnServers;

#[async_trait]
impl Harness<dyn WebhookAdapter> for OnServers {
    async fn fresh(&self, clock: Arc<ManualClock>) -> Arc<dyn WebhookAdapter> {
        // The future of a starting server cannot be sent between threads, as the trait wants.
        let start = || Handle::current().block_on(Server::start());
        let server = tokio::task::block_in_place(start).expect("a server starts");
        let redis = Redis::new(&server.url()).expect("its URL");
        let store = Arc::new(MemoryStore::new());
        let truth = Arc::new(Silent(Arc::clone(&store)));
        let cache = Arc::new(RedisSubscriptions::new(redis, truth, clock));
        let listener = Arc::clone(&cache);
        tokio::spawn(async move { listener.listen().await });
        let announced = Announced::new(store, Arc::clone(&cache));
        Arc::new(Cached { announced, cache, _server: server })
    }
}

/// A truth that gives no hints, so that those that come are Redis's.
struct Silent(Arc<MemoryStore>);

#[async_trait]
impl Subscriptions for Silent {
    async fn load(&self, space: &SpaceId) -> PortResult<Snapshot> {
        self.0.load(space).await
    }

    async fn version(&self) -> PortResult<u64> {
        self.0.version().await
    }

    async fn changes_since(&self, version: u64) -> PortResult<Changes> {
        self.0.changes_since(version).await
    }

    async fn hint(&self) {
        std::future::pending::<()>().await;
    }
}

#[async_trait]
impl Registry for Cached {
    async fn create(&self, webhook: &Webhook) -> PortResult<()> {
        self.announced.create(webhook).await
    }

    async fn update(&self, webhook: &Webhook, expected: u64) -> PortResult<Written> {
        self.announced.update(webhook, expected).await
    }

    async fn delete(&self, space: &SpaceId, id: &WebhookId, expected: Option<u64>) -> PortResult<Written> {
        self.announced.delete(space, id, expected).await
    }

    async fn get(&self, space: &SpaceId, id: &WebhookId) -> PortResult<Option<Webhook>> {
        self.announced.get(space, id).await
    }

    async fn list(&self, space: &SpaceId, skip: usize, limit: usize) -> PortResult<(Vec<Webhook>, usize)> {
        self.announced.list(space, skip, limit).await
    }
}

#[async_trait]
impl Disable for Cached {
    async fn disable(&self, space: &SpaceId, id: &WebhookId, why: &Disabled) -> PortResult<bool> {
        self.announced.disable(space, id, why).await
    }
}

#[async_trait]
impl Spaces for Cached {
    async fn space(&self, id: &SpaceId) -> PortResult<Option<Space>> {
        self.announced.space(id).await
    }

    async fn spaces(&self) -> PortResult<Vec<Space>> {
        self.announced.spaces().await
    }

    async fn put_space(&self, space: &Space) -> PortResult<()> {
        self.announced.put_space(space).await
    }

    async fn settings(&self, id: &SpaceId) -> PortResult<SpaceSettings> {
        self.announced.settings(id).await
    }

    async fn put_settings(&self, id: &SpaceId, settings: &SpaceSettings, expected: u64) -> PortResult<bool> {
        self.announced.put_settings(id, settings, expected).await
    }
}

#[async_trait]
impl Subscriptions for Cached {
    async fn load(&self, space: &SpaceId) -> PortResult<Snapshot> {
        self.cache.load(space).await
    }

    async fn version(&self) -> PortResult<u64> {
        self.cache.version().await
    }

    async fn changes_since(&self, version: u64) -> PortResult<Changes> {
        self.cache.changes_since(version).await
    }

    async fn hint(&self) {
        self.cache.hint().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn subscriptions_pass() {
    conformance::subscriptions::run(&OnServers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_announced_registry_passes() {
    conformance::registry::run(&OnServers).await;
}
