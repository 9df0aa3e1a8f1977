//! The counters of a system, read from `/metrics` of each of its processes.

use crate::process::Process;

/// What was spent so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spent {
    /// Messages handed to the broker.
    pub(crate) published: f64,
    /// Messages handed out by the broker.
    pub(crate) delivered: f64,
    /// Answers of Redis that were waited for.
    pub(crate) redis: f64,
    /// Statements sent to Postgres.
    pub(crate) sql: f64,
}

impl Spent {
    /// By each of these processes. A process has no counter of a server that it does not use.
    pub(crate) async fn by_each(processes: &[&Process]) -> Vec<Self> {
        let pages = futures::future::join_all(processes.iter().copied().map(page)).await;
        for name in NAMES {
            assert!(pages.iter().any(|page| value(page, name).is_some()), "no process has {name}");
        }
        let read = |page: &String| {
            let [published, delivered, redis, sql] = NAMES.map(|name| value(page, name).unwrap_or_default());
            Self { published, delivered, redis, sql }
        };
        pages.iter().map(read).collect()
    }

    /// By all together.
    pub(crate) fn sum(each: &[Self]) -> Self {
        each.iter().fold(Self::default(), |sum, one| Self {
            published: sum.published + one.published,
            delivered: sum.delivered + one.delivered,
            redis: sum.redis + one.redis,
            sql: sum.sql + one.sql,
        })
    }

    /// Since `before`, for each of so many deliveries.
    pub(crate) fn each(self, before: Self, deliveries: usize) -> Self {
        let count = f64::from(u32::try_from(deliveries).expect("small"));
        Self {
            published: (self.published - before.published) / count,
            delivered: (self.delivered - before.delivered) / count,
            redis: (self.redis - before.redis) / count,
            sql: (self.sql - before.sql) / count,
        }
    }
}

/// In the order of the fields of [`Spent`].
const NAMES: [&str; 4] = [
    "postrider_broker_published_total",
    "postrider_broker_delivered_total",
    "postrider_redis_round_trips_total",
    "postrider_sql_statements_total",
];

async fn page(process: &Process) -> String {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let answer = client.get(format!("{}/metrics", process.url)).send().await.expect("an answer");
    assert!(answer.status().is_success(), "{}: {}", process.service, answer.status());
    answer.text().await.expect("a page")
}

/// The sum of a counter over its labels,
/// <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>; `None` where it is not on the page.
fn value(page: &str, name: &str) -> Option<f64> {
    let samples = page.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        rest.starts_with(['{', ' ']).then(|| rest.rsplit(' ').next()?.parse::<f64>().ok()).flatten()
    });
    samples.reduce(|sum, one| sum + one)
}
