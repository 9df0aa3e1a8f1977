//! What the management API is asked, and what its answers mean
//! (<https://www.rabbitmq.com/docs/http-api-reference>; 3.10 and 4.0 answer alike).

use std::fmt::Write as _;
use std::time::Duration;

use postrider_domain::message::Queue;
use postrider_ports::doctor::Finding;
use postrider_ports::error::PortResult;
use serde_json::Value;

use crate::connection::{self, Settings};
use crate::topology;

/// How long the broker waits for an acknowledgement unless it is told otherwise, since 3.8.17
/// (<https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout>).
const CONSUMER_TIMEOUT: Duration = Duration::from_mins(30);
/// How long a message is held beside its call: a minute in a line that nobody asks, and one more because the broker looks
/// once a minute.
const HELD_BESIDE: Duration = Duration::from_mins(2);
/// Quorum queues, and what at-least-once dead-lettering is built on.
const FLAGS: [&str; 2] = ["quorum_queue", "stream_queue"];
/// What a policy must not do to our queues: each of these throws messages away or holds them up.
const HARMFUL: [&str; 5] = ["message-ttl", "expires", "max-length", "max-length-bytes", "delivery-limit"];

/// Which question it is.
#[derive(Debug, Clone, Copy)]
enum About {
    FeatureFlags,
    Nodes,
    Queues,
}

/// A question to the management API.
#[derive(Debug, Clone)]
pub struct Question {
    about: About,
    path: String,
}

/// All questions, in the order in which the findings are best read. The virtual host comes from the AMQP URL.
///
/// # Errors
/// When that URL cannot be read.
pub fn questions(settings: &Settings) -> PortResult<Vec<Question>> {
    let vhost = encoded(&connection::parse(settings.url(0))?.vhost);
    let columns = "name,policy,operator_policy,effective_policy_definition";
    Ok(vec![
        Question { about: About::FeatureFlags, path: "/api/feature-flags".to_owned() },
        Question { about: About::Nodes, path: "/api/nodes".to_owned() },
        Question { about: About::Queues, path: format!("/api/queues/{vhost}?columns={columns}") },
    ])
}

/// What there is to say without the management API: how far the longest call is from the usual `consumer_timeout`.
pub fn unasked(longest_call: Duration) -> Vec<Finding> {
    vec![consumer_timeout(None, longest_call)]
}

impl Question {
    /// What to GET, from the slash on.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What the answer means. `longest_call` is the longest time-out that a webhook may have.
    pub fn judge(&self, status: u16, body: &[u8], longest_call: Duration) -> Vec<Finding> {
        let answer = serde_json::from_slice::<Value>(body).ok().filter(|_| status == 200);
        let Some(Value::Array(list)) = answer else { return vec![self.unanswered(status)] };
        match self.about {
            About::FeatureFlags => vec![feature_flags(&list)],
            About::Nodes => nodes(&list),
            About::Queues => queues(&list, longest_call),
        }
    }

    fn unanswered(&self, status: u16) -> Finding {
        let found = format!("{} was answered with status {status}", self.path);
        let change = match status {
            401 => {
                "Give amqp.management a user that exists and has the tag `monitoring` and, for the queues, permissions on the \
                 virtual host."
            }
            403 | 404 => "Set amqp.management to the address of RabbitMQ's management API, without a path.",
            _ => {
                "Check that amqp.management is the address of RabbitMQ's management API, and look at the broker's log."
            }
        };
        Finding::warning("management API", found, change)
    }
}

fn feature_flags(flags: &[Value]) -> Finding {
    let subject = "feature flags";
    let off = |flag: &&Value| !matches!(flag["state"].as_str(), Some("enabled" | "state_changing"));
    let names = |flags: Vec<&Value>| -> Vec<String> {
        flags.iter().filter_map(|flag| flag["name"].as_str()).map(str::to_owned).collect()
    };
    let is_needed = |flag: &&Value| flag["name"].as_str().is_some_and(|name| FLAGS.contains(&name));
    // One that is not listed is part of the release for good.
    let needed = names(flags.iter().filter(is_needed).filter(off).collect());
    if !needed.is_empty() {
        let commands: Vec<String> =
            needed.iter().map(|name| format!("`rabbitmqctl enable_feature_flag {name}`")).collect();
        let change = format!(
            "Run {}: without them the queues cannot be declared, or what is put off can be lost.",
            commands.join(" and ")
        );
        return Finding::fault(subject, format!("off: {}", needed.join(", ")), change);
    }
    let stable = |flag: &&Value| flag["stability"] == "stable";
    let left = names(flags.iter().filter(stable).filter(off).collect());
    if left.is_empty() {
        return Finding::fine(subject, format!("{} are on, and so is every stable one", FLAGS.join(" and ")));
    }
    Finding::warning(
        subject,
        format!("stable, but off: {}", left.join(", ")),
        "Run `rabbitmqctl enable_feature_flag all` once all nodes run the same release: the next one may refuse to start \
         without them.",
    )
}

fn nodes(nodes: &[Value]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for node in nodes {
        let name = node["name"].as_str().unwrap_or("without a name");
        if node["running"] == false {
            let change = "Start it: a quorum queue works only while more than half of its nodes do.";
            findings.push(Finding::fault("nodes", format!("node {name} does not run"), change));
        }
        if node["mem_alarm"] == true {
            let change = "Give it memory, or let the dispatchers catch up: until then the broker takes no messages, and \
                          ingest answers 503.";
            findings.push(Finding::fault("alarms", format!("node {name} is out of memory"), change));
        }
        if node["disk_free_alarm"] == true {
            let free = node["disk_free"].as_u64().unwrap_or(0) / 1_000_000;
            let change = "Free or add disk: until then the broker takes no messages, and ingest answers 503.";
            let found = format!("node {name} is out of disk ({free} MB free)");
            findings.push(Finding::fault("alarms", found, change));
        }
        if node["partitions"].as_array().is_some_and(|others| !others.is_empty()) {
            let change = "Mend the network between the nodes, then restart the node on the smaller side.";
            findings.push(Finding::fault("nodes", format!("node {name} is cut off from others"), change));
        }
    }
    if nodes.len() == 2 {
        let change = "Add a third node: of two, both must run, so that two are safer than one for the data and weaker for \
                      the service.";
        findings.push(Finding::warning("nodes", "2 nodes", change));
    }
    if findings.is_empty() {
        findings.push(Finding::fine("nodes", format!("{} running, no alarms", nodes.len())));
    }
    findings
}

fn queues(queues: &[Value], longest_call: Duration) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut shortest: Option<Duration> = None;
    let held: Vec<&str> = Queue::ALL.into_iter().map(topology::name).chain([topology::INBOX]).collect();
    for queue in queues {
        let name = queue["name"].as_str().unwrap_or_default();
        if !topology::is_ours(name) {
            continue;
        }
        let policy = &queue["effective_policy_definition"];
        let harm = |key: &str| policy[key].as_u64().filter(|value| harms(key, *value));
        let set: Vec<String> =
            HARMFUL.into_iter().filter_map(|key| Some(format!("{key} = {}", harm(key)?))).collect();
        if !set.is_empty() {
            let set = set.join(", ");
            let of = ["policy", "operator_policy"].into_iter().filter_map(|kind| queue[kind].as_str());
            let of: Vec<&str> = of.filter(|name| !name.is_empty()).collect();
            let found = format!("policy {} sets {set} on {name}", of.join(" and "));
            let change = "Take these keys out of the policy, or let its pattern leave out ^postrider\\.: they lose or hold up what is \
                 in the queue.";
            findings.push(Finding::fault("policies", found, change));
        }
        if let Some(ms) = policy["consumer-timeout"].as_u64().filter(|_| held.contains(&name)) {
            let timeout = Duration::from_millis(ms);
            shortest = Some(shortest.map_or(timeout, |shortest| shortest.min(timeout)));
        }
    }
    if findings.is_empty() {
        findings.push(Finding::fine("policies", "none limits our queues"));
    }
    findings.push(consumer_timeout(shortest, longest_call));
    findings
}

fn harms(key: &str, value: u64) -> bool {
    // The lower of policy and argument holds, so only a lower limit changes anything.
    key != "delivery-limit" || value < u64::from(topology::DELIVERY_LIMIT)
}

/// `set` by a policy; `None` when none does.
fn consumer_timeout(set: Option<Duration>, longest_call: Duration) -> Finding {
    let subject = "consumer_timeout";
    let least = longest_call + HELD_BESIDE;
    let (value, whence) = match set {
        Some(set) => (set, "set by a policy"),
        None => {
            (CONSUMER_TIMEOUT, "the default; rabbitmq.conf may say otherwise, which cannot be seen from here")
        }
    };
    let found =
        format!("{} s ({whence}); the longest call takes {} s", value.as_secs(), longest_call.as_secs());
    if value >= least {
        return Finding::fine(subject, found);
    }
    let change = format!(
        "Set consumer_timeout in rabbitmq.conf, or consumer-timeout in the policy, to {} or more (ms), or shorten the longest \
         time-out of webhooks: a message that is held longer is handed to another worker while the call still runs.",
        least.as_millis()
    );
    Finding::fault(subject, found, change)
}

/// A path segment: all but letters, digits, `-`, `.`, `_` and `~` as `%XX` (RFC 3986, §2.3).
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _infallible = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use postrider_ports::doctor::Severity::{self, Fault, Fine, Warning};

    use super::*;

    const CALL: Duration = Duration::from_secs(30);

    fn judge(index: usize, status: u16, body: &str) -> Vec<(Severity, String)> {
        let questions = questions(&Settings::new("amqp://guest:guest@localhost/%2f")).expect("a URL");
        let findings = questions[index].judge(status, body.as_bytes(), CALL);
        let told = |one: Finding| {
            assert_eq!(one.change.is_some(), one.severity != Fine, "{one:?}");
            (one.severity, format!("{}: {} {}", one.subject, one.found, one.change.unwrap_or_default()))
        };
        findings.into_iter().map(told).collect()
    }

    #[test]
    fn the_virtual_host_is_written_as_a_path_wants_it() {
        let questions = questions(&Settings::new("amqp://localhost/a%20b")).expect("a URL");
        assert!(questions[2].path().starts_with("/api/queues/a%20b?columns="), "{}", questions[2].path());
        assert_eq!(encoded("/"), "%2F");
    }

    #[test]
    fn a_needed_feature_flag_that_is_off_is_a_fault_and_another_stable_one_a_warning() {
        let flag = |name: &str, state: &str, stability: &str| {
            format!(r#"{{"name":"{name}","state":"{state}","stability":"{stability}"}}"#)
        };
        let on = flag("quorum_queue", "enabled", "required");
        let experimental = flag("khepri_db", "disabled", "experimental");
        let off = flag("stream_queue", "disabled", "stable");
        let other = flag("user_limits", "disabled", "stable");
        assert_eq!(judge(0, 200, &format!("[{on},{experimental}]"))[0].0, Fine);
        let told = judge(0, 200, &format!("[{on},{off},{other}]"));
        assert!(told[0].0 == Fault && told[0].1.contains("enable_feature_flag stream_queue`"), "{told:?}");
        let told = judge(0, 200, &format!("[{on},{other}]"));
        assert!(told[0].0 == Warning && told[0].1.contains("user_limits"), "{told:?}");
    }

    #[test]
    fn alarms_and_nodes_that_are_down_are_faults() {
        let told = judge(
            1,
            200,
            r#"[{"name":"a","running":true,"mem_alarm":true,"partitions":[]},{"name":"b","running":false},
                {"name":"c","running":true,"disk_free_alarm":true,"disk_free":48000000,"partitions":["b"]}]"#,
        );
        for (told, words) in told.iter().zip(["out of memory", "b does not run", "48 MB free", "cut off"]) {
            assert!(told.0 == Fault && told.1.contains(words), "{told:?}");
        }
        assert_eq!(told.len(), 4);
        assert_eq!(judge(1, 200, r#"[{"name":"a","running":true}]"#)[0].0, Fine);
        assert_eq!(judge(1, 200, r#"[{"running":true},{"running":true}]"#)[0].0, Warning);
    }

    #[test]
    fn a_policy_that_limits_our_queues_is_a_fault_and_a_foreign_queue_is_none_of_ours() {
        let policy = r#""policy":"limits","operator_policy":"","effective_policy_definition""#;
        let told = judge(
            2,
            200,
            &format!(
                r#"[{{"name":"postrider.v1.delay.03",{policy}:{{"max-length":9,"delivery-limit":30}}}}]"#
            ),
        );
        assert!(told[0].0 == Fault && told[0].1.contains("policy limits sets max-length = 9 on"), "{told:?}");
        assert_eq!(told[1].0, Fine);
        let told = judge(2, 200, &format!(r#"[{{"name":"theirs",{policy}:{{"max-length":9}}}}]"#));
        assert!(told.iter().all(|told| told.0 == Fine), "{told:?}");
    }

    #[test]
    fn the_consumer_timeout_must_outlast_the_longest_call() {
        let with = |ms: u64| {
            let body = format!(
                r#"[{{"name":"postrider.v1.deliver.late","effective_policy_definition":{{"consumer-timeout":{ms}}}}}]"#
            );
            judge(2, 200, &body).pop().expect("a finding")
        };
        assert_eq!(with(150_000).0, Fine);
        let told = with(149_999);
        assert!(told.0 == Fault && told.1.contains("to 150000 or more"), "{told:?}");
        assert_eq!(unasked(Duration::from_mins(28))[0].severity, Fine);
        assert_eq!(unasked(Duration::from_mins(29))[0].severity, Fault);
    }

    #[test]
    fn a_refusal_and_an_answer_that_is_none_say_what_to_mend() {
        assert!(judge(1, 401, r#"{"error":"not_authorised"}"#)[0].1.contains("tag `monitoring`"));
        assert!(judge(1, 404, "")[0].1.contains("without a path"));
        for nonsense in ["", "{}", "<html>"] {
            assert_eq!(judge(2, 200, nonsense)[0].0, Warning, "{nonsense}");
        }
    }
}
