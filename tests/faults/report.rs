//! What a story found, for people and for `cargo xtask reliability`.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use postrider_testkit::servers::{full, rabbitmq};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval};

use crate::load::Told;

/// Between two points of the raw series.
const POINT: Duration = Duration::from_millis(250);

/// Something that explains calls made again: work that was in hand when it was lost.
#[derive(Debug)]
pub(crate) struct Loss {
    /// What happened.
    pub(crate) what: String,
    /// Deliveries whose message was not acknowledged.
    pub(crate) deliveries: usize,
}

/// What was counted after a story.
#[derive(Debug)]
pub(crate) struct Found {
    /// Events that were accepted.
    pub(crate) accepted: usize,
    /// Deliveries that must exist: accepted events × webhooks that want them.
    pub(crate) deliveries: usize,
    /// Batches that publishers had to send again.
    pub(crate) repeats: usize,
    /// How many deliveries are in each state of DESIGN §2.
    pub(crate) states: BTreeMap<String, u64>,
    /// What must exist less what does.
    pub(crate) difference: i64,
    /// Deliveries that the receiver never saw.
    pub(crate) unseen: usize,
    /// Calls that the receiver saw.
    pub(crate) calls: usize,
    /// Calls on record that the receiver did not see.
    pub(crate) invented: usize,
    /// Calls that it saw again.
    pub(crate) again: usize,
    /// How many of these what was lost explains.
    pub(crate) explained: usize,
    /// What was lost.
    pub(crate) losses: Vec<Loss>,
    /// From the end of each fault until deliveries flowed and every process could work again.
    pub(crate) recoveries: Vec<Duration>,
    /// The longest that may take.
    pub(crate) recovery_bound: Duration,
    /// Whatever else the story counted.
    pub(crate) also: BTreeMap<&'static str, Value>,
}

impl Found {
    /// One line for people.
    pub(crate) fn line(&self, story: &str) -> String {
        let states: Vec<String> =
            self.states.iter().map(|(state, count)| format!("{state} {count}")).collect();
        let recoveries: Vec<String> =
            self.recoveries.iter().map(|one| format!("{:.1} s", one.as_secs_f64())).collect();
        format!(
            "{story}: {} events, {} deliveries ({}), difference {}; called again {}, explained {}; recovered after [{}]",
            self.accepted,
            self.deliveries,
            states.join(", "),
            self.difference,
            self.again,
            self.explained,
            recoveries.join(", ")
        )
    }

    fn json(&self, story: &str, series: &[Value]) -> Value {
        let losses =
            self.losses.iter().map(|loss| json!({ "what": loss.what, "deliveries": loss.deliveries }));
        let seconds: Vec<f64> = self.recoveries.iter().map(Duration::as_secs_f64).collect();
        json!({
            "story": story,
            "test": std::thread::current().name(),
            "rabbitmq": rabbitmq::version(),
            "full": full(),
            "accepted": self.accepted,
            "deliveries": self.deliveries,
            "sentAgain": self.repeats,
            "states": self.states,
            "difference": self.difference,
            "unseen": self.unseen,
            "calls": self.calls,
            "invented": self.invented,
            "calledAgain": self.again,
            "explained": self.explained,
            "losses": losses.collect::<Vec<_>>(),
            "recoveriesSeconds": seconds,
            "recoveryBoundSeconds": self.recovery_bound.as_secs_f64(),
            "also": self.also,
            "series": { "columns": ["ms", "accepted", "calls"], "points": series },
        })
    }

    /// Prints it and writes it to `target/reliability/<story>.json`.
    pub(crate) fn write(&self, story: &str, series: &[Value]) {
        println!("{}", self.line(story));
        let folder = folder();
        fs::create_dir_all(&folder).expect("the folder of the results is made");
        let text = serde_json::to_string(&self.json(story, series)).expect("JSON");
        fs::write(folder.join(format!("{story}.json")), text + "\n").expect("the result is written");
    }
}

/// `target/reliability`, in whatever folder cargo builds.
#[expect(clippy::disallowed_methods, reason = "cargo says in the environment where it builds")]
fn folder() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|| postrider_tests::house::root().join("target")).join("reliability")
}

/// How many events were accepted and how many calls seen, over the time of a story.
pub(crate) struct Series {
    task: JoinHandle<Vec<Value>>,
    stop: watch::Sender<bool>,
}

impl Series {
    /// Begins to note.
    pub(crate) fn start(told: Arc<Told>, calls: watch::Receiver<usize>) -> Self {
        let (stop, mut stopped) = watch::channel(false);
        let began = Instant::now();
        let task = tokio::spawn(async move {
            let (mut points, mut pace) = (Vec::new(), interval(POINT));
            loop {
                tokio::select! {
                    _ = pace.tick() => {}
                    _ = stopped.changed() => return points,
                }
                let at = u64::try_from(began.elapsed().as_millis()).expect("not for ages");
                points.push(json!([at, told.accepted(), *calls.borrow()]));
            }
        });
        Self { task, stop }
    }

    /// What was noted.
    pub(crate) async fn end(self) -> Vec<Value> {
        self.stop.send_replace(true);
        self.task.await.expect("it does not panic")
    }
}
