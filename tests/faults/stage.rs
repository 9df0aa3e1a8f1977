//! The stage of a story: servers that it may kill, a crew of processes on them, a receiver, and steady load.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures::future::{join, join_all};
use postrider_testkit::relay::Relay;
use postrider_testkit::servers::disk::Disk;
use postrider_testkit::servers::full;
use postrider_testkit::servers::postgres::OnDisk;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::composition::{Composition, Crew, Servers, can_work};
use crate::ledger::Seen;
use crate::load::{Doors, Load};
use crate::process::Process;
use crate::report::{Loss, Series};
use crate::servers::{self, Own, Turn};
use crate::sockets::ports;
use crate::system::{System, webhook};
use crate::target::{Answer, Target};

/// The crew of a story that wants no other.
pub(crate) const CREW: &Crew =
    &[("ingest", 2), ("dispatcher", 2), ("log-writer", 2), ("jobs", 1), ("api", 1)];
/// Webhooks that want every event, and so the deliveries in one message.
pub(crate) const WEBHOOKS: usize = 2;
/// So many calls show that deliveries flow.
pub(crate) const FLOWING: usize = 500;
/// How long it may take after a fault until [`FLOWING`] calls came and every process can work. Connections are looked for
/// every 3 s at most, and 500 calls are one second of the load; the rest is for a machine that also compiles.
const RECOVERY: Duration = Duration::from_secs(30);

/// The network, as far as a story has a hand in it.
pub(crate) struct Relays {
    /// Between a CMS and RabbitMQ.
    pub(crate) cms: Relay,
    /// Between our processes and RabbitMQ.
    pub(crate) amqp: Relay,
    /// Between our processes and Redis.
    pub(crate) redis: Relay,
    /// Between our processes and Postgres.
    pub(crate) postgres: Relay,
}

/// A relay to the server of this URL. A process that is to have one of its own gets the relay's URL through
/// [`Stage::start_one`].
pub(crate) async fn relay(url: &str) -> Relay {
    Relay::before(url).await.expect("a port")
}

/// An outage lasts: a minute when the whole suite runs, else 3 s. The only time that a story lets pass.
pub(crate) async fn outage() {
    tokio::time::sleep(Duration::from_secs(if full() { 60 } else { 3 })).await;
}

/// The stage of one story.
pub(crate) struct Stage {
    /// What the story is called in the results.
    pub(crate) story: &'static str,
    /// First, so that processes end before servers.
    pub(crate) system: System,
    /// The receiver. It fails one first call in ten.
    pub(crate) target: Target,
    /// What it saw.
    pub(crate) seen: Arc<Seen>,
    /// The ids of the webhooks.
    pub(crate) webhooks: Vec<String>,
    /// Between the processes and their servers.
    pub(crate) relays: Relays,
    /// The story's own servers.
    pub(crate) own: Own,
    /// What was lost, which explains calls made again.
    pub(crate) losses: Vec<Loss>,
    /// How long each recovery took.
    pub(crate) recoveries: Vec<Duration>,
    /// The longest a recovery may take.
    pub(crate) recovery_bound: Duration,
    /// Whatever else the story counts, for its results.
    pub(crate) also: BTreeMap<&'static str, Value>,
    doors: Doors,
    load: Option<(Load, Series)>,
    /// The virtual host on the broker.
    pub(crate) vhost: String,
    turn: Turn,
}

impl Stage {
    /// Waits for its turn and starts the usual crew on empty servers, with webhooks.
    pub(crate) async fn start(story: &'static str) -> Self {
        Self::with(story, CREW, &[]).await
    }

    /// The same with another crew and settings (`section.key=value`).
    pub(crate) async fn with(story: &'static str, crew: &Crew, settings: &[&str]) -> Self {
        Self::over(servers::take().await, story, crew, settings).await
    }

    /// The same over a Postgres of which this lies on a disk of so many MiB, which [`Stage::disk`] fills.
    pub(crate) async fn on_disk(story: &'static str, crew: &Crew, mebibytes: u32, what: OnDisk) -> Self {
        let (turn, mut own) = servers::take().await;
        own.postgres_on_disk(mebibytes, what).await;
        Self::over((turn, own), story, crew, &[]).await
    }

    /// The usual crew on a cluster of three brokers, whose addresses it knows.
    pub(crate) async fn on_cluster(story: &'static str) -> Self {
        let (turn, mut own) = servers::take().await;
        own.rabbitmq_as_cluster().await;
        Self::over((turn, own), story, CREW, &[]).await
    }

    /// The disk of Postgres.
    pub(crate) fn disk(&self) -> &Disk {
        self.own.postgres().disk().expect("it lies on a disk of its own")
    }

    async fn over((turn, own): (Turn, Own), story: &'static str, crew: &Crew, settings: &[&str]) -> Self {
        let seen = Arc::new(Seen::default());
        let noted = Arc::clone(&seen);
        let target = Target::start(move |hit| {
            let (delivery, attempt) = noted.note(hit);
            let sum: usize = delivery.bytes().map(usize::from).sum();
            Answer::Status(if attempt == 1 && sum.is_multiple_of(10) { 500 } else { 200 })
        })
        .await;
        let nodes = own.nodes();
        let vhost = nodes[0].management().vhost().await.expect("a virtual host");
        own.redis().command("FLUSHALL").await.expect("Redis forgets the story before");
        let amqp: Vec<String> = nodes.iter().map(|node| format!("{}/{vhost}", node.url())).collect();
        let redis = own.redis().url();
        let postgres = own.postgres().database().await.expect("a database");
        let relays = Relays {
            cms: relay(&amqp[0]).await,
            amqp: relay(&amqp[0]).await,
            redis: relay(&redis).await,
            postgres: relay(&postgres).await,
        };
        // The nodes of a cluster are known by their own addresses.
        let through = |relay: &Relay| if let [one] = &amqp[..] { relay.url(one) } else { amqp.join(",") };
        let servers = Servers {
            amqp: through(&relays.amqp),
            redis: relays.redis.url(&redis),
            postgres: relays.postgres.url(&postgres),
            _borrowed: None,
        };
        let doors_amqp = through(&relays.cms);
        let system = System::over(Composition::on(servers, crew, settings).await).await;
        let mut webhooks = Vec::new();
        for number in 0..WEBHOOKS {
            let mut hook = webhook(&target.url(&format!("/{number}")), &["Entry.*"]);
            // Over a second: the broker keeps what waits for its retry.
            hook["retryPolicy"] = json!({ "schedule": vec![1.1; 8] });
            webhooks.push(system.webhook(&hook).await);
        }
        let doors = Doors { http: Arc::default(), amqp: doors_amqp, token: system.token().to_owned() };
        let (losses, recoveries, also) = (Vec::new(), Vec::new(), BTreeMap::new());
        let mut stage = Self {
            story,
            system,
            target,
            seen,
            webhooks,
            relays,
            own,
            losses,
            recoveries,
            recovery_bound: RECOVERY,
            also,
            doors,
            load: None,
            vhost,
            turn,
        };
        stage.open_doors();
        stage
    }

    /// Begins to publish, and returns after so many calls.
    pub(crate) async fn load(&mut self, calls: usize) {
        let load = Load::start(&self.doors);
        let series = Series::start(load.told(), self.target.calls());
        self.load = Some((load, series));
        self.target.until(calls).await;
    }

    /// Starts RabbitMQ on an empty disk: without the story's virtual host, which whoever runs it makes again.
    pub(crate) async fn start_blank_rabbitmq(&mut self) {
        self.own.start_rabbitmq().await;
        let path = format!("/api/vhosts/{}", self.vhost);
        self.own.rabbitmq().management().expect("PUT", &path, "").await.expect("the virtual host is made");
    }

    /// The ids of the events accepted so far.
    pub(crate) fn accepted(&self) -> Vec<String> {
        self.load.as_ref().expect("there is load").0.told().ids()
    }

    /// Ends what [`Stage::load`] began, once everything is accepted.
    pub(crate) async fn unload(&mut self) -> (crate::load::Published, Vec<Value>) {
        let (load, series) = self.load.take().expect("there is load");
        (load.stop().await, series.end().await)
    }

    /// Waits for so many calls more.
    pub(crate) async fn flow(&self, calls: usize) {
        self.target.until(self.target.count() + calls).await;
    }

    /// The fault is over: waits until [`FLOWING`] more calls came and every process can work, without help, and notes how
    /// long that took.
    pub(crate) async fn recover(&mut self) {
        let over = Instant::now();
        let working = join_all(self.system.processes().iter().map(can_work));
        join(self.flow(FLOWING), working).await;
        self.recoveries.push(over.elapsed());
    }

    /// The processes of a service.
    pub(crate) fn of(&self, service: &str) -> Vec<&Process> {
        self.system.composition().of(service).collect()
    }

    /// Lets a process stand still, counts the deliveries that it has in hand, and kills it. Only who calls receivers or says
    /// what is to be delivered has any: whoever keeps records, cleans up or shows must cause no call again.
    pub(crate) async fn kill(&mut self, service: &'static str, number: usize) {
        let victim = self.of(service)[number];
        let id = victim.id();
        victim.signal("STOP");
        if ["dispatcher", "ingest"].contains(&service) {
            let deliveries = self.in_hand(&[victim]).await;
            self.losses.push(Loss { what: format!("SIGKILL to one {service}"), deliveries });
        }
        self.of(service)[number].signal("KILL");
        let processes = &mut self.system.composition.processes;
        let at = processes.iter().position(|process| process.id() == id).expect("it is there");
        processes.remove(at).ended().await;
    }

    /// Kills every process and every server, as one power cut does.
    pub(crate) async fn kill_everything(&mut self) {
        let deliveries = self.freeze("dispatcher").await;
        self.system.signal("KILL");
        self.own.kill_all().await;
        self.system.ended().await;
        self.lost("SIGKILL to everything", deliveries);
    }

    /// Starts one more process of a service, with these variables in its environment beside the usual ones, and waits until
    /// it listens.
    pub(crate) async fn start_one(&mut self, service: &'static str, environment: &[(&str, &str)]) {
        let composition = &self.system.composition;
        let mut command = composition.command();
        command.envs(environment.iter().copied());
        let process = Process::start(command, service, &composition.settings).await;
        self.system.composition.processes.push(process);
        self.open_doors();
    }

    /// Lets every process of a service stand still; the deliveries that they have in hand.
    pub(crate) async fn freeze(&self, service: &str) -> usize {
        let processes = self.of(service);
        for process in &processes {
            process.signal("STOP");
        }
        self.in_hand(&processes).await
    }

    /// Lets them go on.
    pub(crate) fn thaw(&self, service: &str) {
        for process in self.of(service) {
            process.signal("CONT");
        }
    }

    /// This happened while so many deliveries were in hand.
    pub(crate) fn lost(&mut self, what: &str, deliveries: usize) {
        self.losses.push(Loss { what: what.to_owned(), deliveries });
    }

    /// Deliveries that these processes have in hand: messages that they have not acknowledged, with [`WEBHOOKS`]
    /// deliveries each. They must stand still.
    async fn in_hand(&self, processes: &[&Process]) -> usize {
        let channels = self.own.broker().unacknowledged().await.expect("the broker answers");
        let held: HashSet<u16> = processes.iter().flat_map(|process| ports(process.id())).collect();
        // What the broker sees are the relay's ends of their connections. The nodes of a cluster see their own.
        let ends = self.relays.amqp.ends();
        let relayed: HashSet<u16> =
            ends.iter().filter(|ends| held.contains(&ends.client)).map(|ends| ends.ours).collect();
        let held = if self.own.is_cluster() { held } else { relayed };
        // Channels are named by their connection: `127.0.0.1:51234 -> 127.0.0.1:5672 (1)`.
        let port = |name: &str| name.split([':', ' ']).nth(1).and_then(|port| port.parse::<u16>().ok());
        let theirs = channels.iter().filter(|(name, _)| port(name).is_some_and(|port| held.contains(&port)));
        let messages: u64 = theirs.map(|(_, count)| count).sum();
        usize::try_from(messages).expect("small") * WEBHOOKS
    }

    /// Events go to the ingest processes that there are now. As long as one is missing its old place is known too.
    fn open_doors(&mut self) {
        let there: Vec<String> = self.of("ingest").iter().map(|process| process.url.clone()).collect();
        *self.doors.http.lock().unwrap_or_else(PoisonError::into_inner) = there;
    }

    /// Hands the servers on to the next story. Not reached by one that fails: its servers end with it.
    pub(crate) async fn end(self) {
        let Self { system, own, vhost, turn, .. } = self;
        drop(system);
        if !own.is_cluster() {
            // 26 quorum queues cost the broker for as long as they exist.
            let management = own.rabbitmq().management();
            management.expect("DELETE", &format!("/api/vhosts/{vhost}"), "").await.expect("the queues go");
        }
        servers::hand_on(turn, own);
    }
}
