//! What a run costs: processor time, memory and calls to servers, read before and after it.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::figures::{number, thousandths};
use super::servers::Servers;
use super::system::System;
use super::usage::{Processes, peak_mib};

/// The counters of cost; each process shows those of the adapters it has.
const COUNTERS: [&str; 4] = [
    "postrider_broker_published_total",
    "postrider_broker_delivered_total",
    "postrider_redis_round_trips_total",
    "postrider_sql_statements_total",
];

/// The meters at an instant.
pub(crate) struct Reading {
    seconds: Vec<(&'static str, f64)>,
    /// By counter and process.
    counted: BTreeMap<(&'static str, &'static str), f64>,
}

impl Reading {
    /// Reads all.
    pub(crate) async fn take(system: &System, servers: &Servers) -> Result<Self> {
        let mut counted = BTreeMap::new();
        for process in &system.processes {
            // Not every process has metrics: `serve` has none yet.
            let text = process.server.ask("GET", "/metrics", "").await.unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            counted.extend(COUNTERS.iter().map(|name| ((*name, process.name), count(&text, name))));
        }
        let now = Processes::now()?;
        let ours = system.processes.iter().map(|process| (process.name, now.seconds(process.id())));
        let bench = [("generator and receiver", now.seconds(std::process::id()))];
        let servers = servers.processes.iter().map(|(name, id)| (*name, now.seconds_of_tree(*id)));
        Ok(Self { seconds: ours.chain(servers).chain(bench).collect(), counted })
    }

    /// Processor seconds per 1,000 deliveries between an earlier reading and this one.
    pub(crate) fn cpu(&self, before: &Self, deliveries: usize) -> Value {
        let spent = self.seconds.iter().zip(&before.seconds);
        let per_thousand = |((name, now), (_, then)): (&(&str, f64), &(&str, f64))| {
            ((*name).to_owned(), json!(thousandths((now - then) / number(deliveries) * 1e3)))
        };
        Value::Object(spent.map(per_thousand).collect())
    }

    /// Messages, round trips and statements per delivery between an earlier reading and this one.
    pub(crate) fn cost(&self, before: &Self, deliveries: usize) -> Value {
        let mut cost = Map::new();
        for ((counter, process), now) in &self.counted {
            let spent = now - before.counted.get(&(counter, process)).copied().unwrap_or(0.0);
            if spent > 0.0 {
                let short = counter.trim_start_matches("postrider_").trim_end_matches("_total");
                let by_process = cost.entry(short).or_insert_with(|| json!({}));
                by_process[*process] = json!(thousandths(spent / number(deliveries)));
            }
        }
        Value::Object(cost)
    }
}

/// The peaks of resident memory, in MiB; of a server that of its largest process.
pub(crate) fn peaks(system: &System, servers: &Servers) -> Result<Value> {
    let now = Processes::now()?;
    let ours = system.processes.iter().map(|process| (process.name, peak_mib(process.id())));
    let servers = servers.processes.iter().map(|(name, id)| (*name, now.peak_mib_of_tree(*id)));
    let peaks = ours.chain(servers).map(|(name, mib)| (name.to_owned(), json!(thousandths(mib))));
    Ok(Value::Object(peaks.collect()))
}

/// The sum of a counter over its labels in the text form of Prometheus,
/// <https://prometheus.io/docs/instrumenting/exposition_formats/>.
fn count(text: &str, name: &str) -> f64 {
    let value = |line: &str| {
        let rest = line.strip_prefix(name)?;
        rest.starts_with(['{', ' ']).then(|| rest.rsplit(' ').next()?.parse::<f64>().ok())?
    };
    text.lines().filter_map(value).fold(0.0, |sum, value| sum + value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_summed_over_its_labels_and_not_mixed_up() {
        let text =
            "# TYPE a_total counter\na_total{q=\"x y\"} 3\na_total{q=\"z\"} 4\na_total_more 9\nb_total 1\n";
        let counts = ["a_total", "b_total", "c_total"].map(|name| count(text, name).to_string());
        assert_eq!(counts, ["7", "1", "0"]);
    }
}
