//! One running Postrider, as a story sees it. What processes it consists of is the composition's matter, and each test
//! target chooses one: the stories do not know which.

use std::process::ExitStatus;

use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::composition::Composition;
use crate::process::{PATIENCE, Process};

/// Its processes, and how to speak to them.
pub(crate) struct System {
    pub(crate) composition: Composition,
    client: Client,
}

impl System {
    /// Starts a new one with nothing in it. Each setting is `section.key=value`.
    pub(crate) async fn start(settings: &[&str]) -> Self {
        Self::over(Composition::prepare(settings).await).await
    }

    /// Starts this composition.
    pub(crate) async fn over(composition: Composition) -> Self {
        let client = Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client");
        let mut system = Self { composition, client };
        system.run().await;
        system
    }

    /// Starts its processes (again) and returns when all can work.
    pub(crate) async fn run(&mut self) {
        self.composition.run().await;
    }

    /// Its processes.
    pub(crate) fn processes(&self) -> &[Process] {
        &self.composition().processes
    }

    /// What it is composed of.
    pub(crate) fn composition(&self) -> &Composition {
        &self.composition
    }

    /// The first admin's token.
    pub(crate) fn token(&self) -> &str {
        self.composition.token()
    }

    /// SIGKILL, at once.
    pub(crate) async fn kill(&mut self) {
        self.signal("KILL");
        self.ended().await;
    }

    /// Sends a signal by name (`TERM`) to each process.
    pub(crate) fn signal(&self, name: &str) {
        for process in self.processes() {
            process.signal(name);
        }
    }

    /// Returns when each process has noticed that it is to stop.
    pub(crate) async fn draining(&self) {
        futures::future::join_all(self.processes().iter().map(Process::draining)).await;
    }

    /// Waits for each process to end; the status of that which says the worst.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        // One that a signal ended has no code, which is worse than any.
        let worst = |status: &ExitStatus| status.code().unwrap_or(i32::MAX);
        self.statuses().await.into_iter().map(|(_, status)| status).max_by_key(worst).expect("it ran")
    }

    /// Waits for each process to end; each with its service.
    pub(crate) async fn statuses(&mut self) -> Vec<(String, ExitStatus)> {
        let processes = std::mem::take(&mut self.composition.processes);
        let ended =
            processes.into_iter().map(async |process| (process.service.clone(), process.ended().await));
        futures::future::join_all(ended).await
    }

    /// The peak of the resident memory of that process that took the most, in KiB.
    pub(crate) fn peak_memory_kib(&self) -> u64 {
        let peaks = self.processes().iter().map(Process::peak_memory_kib);
        peaks.max().expect("it runs")
    }

    /// A request to it with its own token.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.bare(method, path).bearer_auth(self.token())
    }

    /// A request without a token.
    pub(crate) fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.composition.base(&method, path));
        self.client.request(method, url)
    }

    /// An answer that must be a success.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Value {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.expect("an answer");
        let status = answer.status();
        let text = answer.text().await.expect("a body");
        assert!(status.is_success(), "{path}: {status} {text}");
        if text.is_empty() { Value::Null } else { serde_json::from_str(&text).expect("JSON") }
    }

    /// Makes a webhook from its definition and returns its id.
    pub(crate) async fn webhook(&self, definition: &Value) -> String {
        let made = self.call(Method::POST, "/spaces/default/webhook_definitions", Some(definition)).await;
        made["sys"]["id"].as_str().expect("an id").to_owned()
    }

    /// Publishes one event or an array; the answer's status and body.
    pub(crate) async fn publish(&self, event: &Value) -> (StatusCode, Value) {
        let sent =
            self.request(Method::POST, "/spaces/default/environments/master/events").json(event).send().await;
        let answer = sent.expect("an answer");
        (answer.status(), answer.json().await.expect("JSON"))
    }

    /// Publishes what must be accepted.
    pub(crate) async fn accept(&self, event: &Value) {
        let (status, body) = self.publish(event).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{body}");
    }

    /// Publishes these events and returns when so many deliveries are done.
    pub(crate) async fn happen(&self, events: &[Value], deliveries: u64) {
        self.accept(&json!(events)).await;
        self.until("all are delivered", |balance| balance.of("delivered") == deliveries).await;
    }

    /// How many deliveries stand in each state, of generation 0.
    pub(crate) async fn balance(&self) -> Balance {
        Balance(self.call(Method::GET, "/spaces/default/balance", None).await)
    }

    /// Polls the balance until it is as wanted. Each poll is a round trip to the system, which is what is awaited.
    pub(crate) async fn until(&self, what: &str, wanted: impl Fn(&Balance) -> bool) -> Balance {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let balance = self.balance().await;
            if wanted(&balance) {
                return balance;
            }
            assert!(tokio::time::Instant::now() < deadline, "{what} did not come: {:?}", balance.0);
            tokio::task::yield_now().await;
        }
    }
}

/// The count of every state of DESIGN §2.
#[derive(Debug)]
pub(crate) struct Balance(Value);

impl Balance {
    /// How many stand in this state.
    pub(crate) fn of(&self, state: &str) -> u64 {
        self.0["states"][state].as_u64().unwrap_or(0)
    }

    /// How many there are in all.
    pub(crate) fn total(&self) -> u64 {
        self.0["states"].as_object().expect("states").values().filter_map(Value::as_u64).sum()
    }
}

/// A native event, as small as it may be.
pub(crate) fn event(id: &str, topic: &str) -> Value {
    let (event_type, action) = topic.split_once('.').expect("a dot");
    json!({ "id": id, "type": event_type, "action": action, "resource": { "id": format!("r-{id}") }, "data": { "n": id } })
}

/// A webhook on these topics that calls this URL.
pub(crate) fn webhook(url: &str, topics: &[&str]) -> Value {
    json!({ "name": "story", "url": url, "topics": topics })
}
