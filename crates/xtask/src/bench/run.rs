//! One run of a scenario, on a system started for it alone.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::book::{Account, Book, now};
use super::figures::{number, thousandths};
use super::load::{Door, flood, steadily};
use super::reading::{Reading, peaks};
use super::receiver::{Manner, Receiver};
use super::scenario::{Kind, Scenario};
use super::servers::Servers;
use super::system::{LOOK, System};
use super::usage::load;

/// Deliveries before those that count, to the same webhooks: connections are opened, and a webhook's share has grown from
/// the few calls at once that a new one gets.
pub(crate) const WARM_UP: usize = 1000;
/// The longest that a webhook may ask for, in seconds (DESIGN §4.4).
const LONGEST_TIMEOUT: u32 = 30;
/// How long a changed webhook may take until it is obeyed.
pub(crate) const OBEYED: Duration = Duration::from_secs(1);
/// How long to wait for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// What every run needs.
pub(crate) struct Lab {
    pub(crate) binary: PathBuf,
    pub(crate) servers: Servers,
    pub(crate) receiver: Receiver,
    /// The hanging one has an address of its own, since calls are also limited per host.
    pub(crate) hanging: Receiver,
}

/// What a run came to.
pub(crate) struct Ran {
    /// The figure of the scenario.
    pub(crate) figure: f64,
    /// Everything that was measured.
    pub(crate) raw: Value,
}

/// A space whose webhooks call the receiver.
pub(crate) struct Space<'l> {
    system: &'l System,
    name: &'static str,
    receiver: &'l Receiver,
    load: usize,
    /// How many of its webhooks get each event.
    webhooks: usize,
    event_type: &'static str,
    content_types: usize,
}

impl Lab {
    /// Runs it once.
    ///
    /// # Errors
    /// When something was lost, repeated or refused, or a process failed; with what the processes said.
    pub(crate) async fn run(&mut self, scenario: &Scenario, number: usize) -> Result<Ran> {
        let before = load();
        let system = if scenario.kind.is_embedded() {
            System::embedded(&self.binary).await?
        } else {
            System::distributed(&self.binary, &mut self.servers).await?
        };
        let ran = match scenario.kind {
            Kind::Flood { webhooks, events, manner, .. } => {
                self.flood(&system, webhooks, events, manner).await
            }
            Kind::Steady { events, per_second } => self.steady(&system, events, per_second).await,
            Kind::Beside { events, per_second, hanging } => {
                self.beside(&system, events, per_second, hanging).await
            }
        };
        let mut ran = ran.with_context(|| system.errors())?;
        ran.raw["scenario"] = json!(scenario.name);
        ran.raw["run"] = json!(number);
        ran.raw["figure"] = json!(thousandths(ran.figure));
        ran.raw["load_before"] = json!(before);
        ran.raw["peak_mib"] = peaks(&system, &self.servers)?;
        system.stop(&self.servers).await?;
        Ok(ran)
    }

    async fn flood(&self, system: &System, webhooks: usize, events: usize, manner: Manner) -> Result<Ran> {
        let space = Space::open(system, &self.receiver, "flood", webhooks, manner).await?;
        space.warm_up().await?;
        let book = space.book(events);
        let before = Reading::take(system, &self.servers).await?;
        let started = now();
        flood(&space.door("run"), &book, events).await?;
        let accepted = started.elapsed();
        let account = space.account(&book).await?;
        let logged = space.until_logged(WARM_UP.div_ceil(webhooks) * webhooks + book.deliveries()).await?;
        let after = Reading::take(system, &self.servers).await?;
        let per_second = number(account.deliveries) / account.took.as_secs_f64();
        let mut raw = costs(&before, &after, account.deliveries);
        raw["accepted_after_seconds"] = json!(thousandths(accepted.as_secs_f64()));
        raw["on_record_after_seconds"] = json!(thousandths(logged.duration_since(started).as_secs_f64()));
        note(&mut raw, &account);
        Ok(Ran { figure: per_second, raw })
    }

    async fn steady(&self, system: &System, events: usize, per_second: u32) -> Result<Ran> {
        let space = Space::open(system, &self.receiver, "steady", 1, Manner::AtOnce).await?;
        space.warm_up().await?;
        let before = Reading::take(system, &self.servers).await?;
        let account = space.pace("run", events, per_second).await?;
        space.until_logged(WARM_UP + account.deliveries).await?;
        let after = Reading::take(system, &self.servers).await?;
        let mut raw = costs(&before, &after, account.deliveries);
        note(&mut raw, &account);
        Ok(Ran { figure: account.latencies.percentile_ms(50), raw })
    }

    async fn beside(&self, system: &System, events: usize, per_second: u32, hanging: usize) -> Result<Ran> {
        let healthy = Space::open(system, &self.receiver, "healthy", 1, Manner::AtOnce).await?;
        let hangs = Space::open(system, &self.hanging, "hangs", 1, Manner::Never).await?;
        healthy.warm_up().await?;
        let alone = healthy.pace("alone", events, per_second).await?;
        let before = Reading::take(system, &self.servers).await?;
        let book = hangs.book(hanging);
        flood(&hangs.door("run"), &book, hanging).await?;
        let beside = healthy.pace("beside", events, per_second).await?;
        healthy.until_logged(WARM_UP + 2 * events).await?;
        let hung = hangs.until_known(hanging).await?;
        let after = Reading::take(system, &self.servers).await?;
        let mut raw = costs(&before, &after, beside.deliveries);
        note(&mut raw, &beside);
        raw["latency_ms_alone"] = alone.latencies.json();
        raw["hanging"] =
            json!({ "events": hanging, "calls_received": hanging - book.missing(), "states": hung });
        let ratio = beside.latencies.percentile_ms(95) / alone.latencies.percentile_ms(95);
        Ok(Ran { figure: ratio, raw })
    }
}

impl<'l> Space<'l> {
    /// Makes the space and its webhooks.
    pub(crate) async fn open(
        system: &'l System,
        receiver: &'l Receiver,
        name: &'static str,
        webhooks: usize,
        manner: Manner,
    ) -> Result<Self> {
        let load = receiver.open(&Arc::new(Book::new(webhooks, 0)));
        let url = |webhook| format!("http://{}{}", receiver.address(), Receiver::path(load, manner, webhook));
        system.space(name, &(0..webhooks).map(url).collect::<Vec<_>>()).await?;
        Ok(Self { system, name, receiver, load, webhooks, event_type: "Entry", content_types: 1 })
    }

    /// Makes webhooks for events of one type, each for one content type, so that every event is for one of them. The space
    /// is there.
    pub(crate) async fn split(
        system: &'l System,
        receiver: &'l Receiver,
        (name, event_type): (&'static str, &'static str),
        webhooks: usize,
        manner: Manner,
    ) -> Result<Self> {
        let load = receiver.open(&Arc::new(Book::new(1, 0)));
        let url = format!("http://{}{}", receiver.address(), Receiver::path(load, manner, 0));
        for number in 0..webhooks {
            let definition = json!({
                "name": format!("{event_type} {number}"), "url": url, "timeout": LONGEST_TIMEOUT,
                "topics": [format!("{event_type}.publish")], "contentTypes": [format!("page-{number}")],
            });
            system.webhook(name, &definition).await?;
        }
        // The space may be known to dispatchers, and then they hear of new webhooks within a second.
        tokio::time::sleep(OBEYED).await;
        Ok(Self { system, name, receiver, load, webhooks: 1, event_type, content_types: webhooks })
    }

    /// A book for so many events; what the receiver gets from now on goes into it.
    pub(crate) fn book(&self, events: usize) -> Arc<Book> {
        let book = Arc::new(Book::new(self.webhooks, events));
        self.receiver.replace(self.load, &book);
        book
    }

    pub(crate) fn door(&self, what: &str) -> Door {
        let mut door = self.system.door(self.name);
        door.prefix = format!("{}-{}-{what}", self.name, self.event_type);
        (door.event_type, door.content_types) = (self.event_type, self.content_types);
        door
    }

    /// Publishes [`WARM_UP`] deliveries and waits until they are on record.
    pub(crate) async fn warm_up(&self) -> Result<()> {
        let deliveries = self.at_full_speed("warm", WARM_UP.div_ceil(self.webhooks)).await?.deliveries;
        self.until_logged(deliveries).await.map(drop)
    }

    /// Publishes as fast as events are accepted, and waits until all have arrived.
    pub(crate) async fn at_full_speed(&self, what: &str, events: usize) -> Result<Account> {
        let book = self.book(events);
        flood(&self.door(what), &book, events).await?;
        self.account(&book).await
    }

    pub(crate) async fn pace(&self, what: &str, events: usize, per_second: u32) -> Result<Account> {
        let book = self.book(events);
        steadily(&self.door(what), &book, events, per_second).await?;
        self.account(&book).await
    }

    /// Waits until all have arrived, and closes the account.
    async fn account(&self, book: &Book) -> Result<Account> {
        if tokio::time::timeout(PATIENCE, book.until_complete()).await.is_err() {
            let states = self.system.states(self.name).await?;
            return book.account().with_context(|| format!("on record: {states}"));
        }
        book.account()
    }

    /// Waits until so many deliveries of the space are on record as delivered, and answers when that was.
    async fn until_logged(&self, deliveries: usize) -> Result<std::time::Instant> {
        let states = self.until(|states| states["delivered"].as_u64(), deliveries).await?;
        let others = total(&states) - states["delivered"].as_u64().unwrap_or(0);
        ensure!(others == 0, "all arrived, but on record stands {states}");
        Ok(now())
    }

    /// Waits until so many deliveries of the space are on record in any state; answers how many stand in each.
    async fn until_known(&self, deliveries: usize) -> Result<Value> {
        self.until(|states| Some(total(states)), deliveries).await
    }

    async fn until(&self, count: impl Fn(&Value) -> Option<u64>, wanted: usize) -> Result<Value> {
        let reached = async {
            loop {
                let states = self.system.states(self.name).await?;
                let count = usize::try_from(count(&states).unwrap_or(0)).unwrap_or(usize::MAX);
                ensure!(count <= wanted, "{count} deliveries are on record instead of {wanted}: {states}");
                if count == wanted {
                    return Ok(states);
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        if let Ok(reached) = tokio::time::timeout(PATIENCE, reached).await {
            return reached;
        }
        let states = self.system.states(self.name).await?;
        bail!("of {wanted} deliveries of space {} on record: {states}", self.name)
    }
}

/// The sum over all states.
pub(crate) fn total(states: &Value) -> u64 {
    states.as_object().map_or(0, |states| states.values().filter_map(Value::as_u64).sum())
}

fn costs(before: &Reading, after: &Reading, deliveries: usize) -> Value {
    json!({
        "cpu_seconds_per_1000": after.cpu(before, deliveries),
        "per_delivery": after.cost(before, deliveries),
    })
}

fn note(raw: &mut Value, account: &Account) {
    raw["deliveries"] = json!(account.deliveries);
    raw["seconds"] = json!(thousandths(account.took.as_secs_f64()));
    raw["deliveries_per_second"] =
        json!(thousandths(number(account.deliveries) / account.took.as_secs_f64()));
    raw["latency_ms"] = account.latencies.json();
}
