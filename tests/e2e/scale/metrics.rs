//! The counters of a system, read from `/metrics` of each of its processes.

use crate::process::Process;

/// What was spent so far.
#[derive(Debug, Clone, Copy)]
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
    /// By all of these processes.
    pub(crate) async fn by(processes: &[Process]) -> Self {
        let pages = futures::future::join_all(processes.iter().map(page)).await;
        let sum = |name: &str| {
            let counters: Vec<f64> = pages.iter().filter_map(|page| value(page, name)).collect();
            assert!(!counters.is_empty(), "no process has {name}");
            counters.iter().sum()
        };
        Self {
            published: sum("postrider_broker_published_total"),
            delivered: sum("postrider_broker_delivered_total"),
            redis: sum("postrider_redis_round_trips_total"),
            sql: sum("postrider_sql_statements_total"),
        }
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
