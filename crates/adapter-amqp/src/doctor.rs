//! What `postrider doctor` says of the broker.
//!
//! Over AMQP it learns the version, whether it is let in, and whether the topology is right ([`reach`]). Feature flags,
//! alarms, nodes and policies are only told by the management API; this crate speaks no HTTP, so it names the questions
//! ([`questions`]) and reads the answers ([`Question::judge`]). The broker's clock is in the `Date` header of any answer
//! (RFC 9110, §6.6.1); delays do not depend on it. `consumer_timeout` in `rabbitmq.conf` is told by nothing that can be
//! asked over the network: only a policy that sets it can be seen.

mod management;

use futures::future::join_all;
use postrider_ports::doctor::Finding;
use postrider_ports::error::PortError;

use crate::connection::Settings;
use crate::greeting::{Greeting, greeting};
use crate::topology;

pub use management::{Question, questions, unasked};

/// The oldest release that will do: quorum queues have TTLs and at-least-once dead-lettering since 3.10
/// (<https://www.rabbitmq.com/docs/quorum-queues#dead-lettering>).
const OLDEST: (u32, u32) = (3, 10);

/// Looks at the broker over AMQP. What cannot be looked at is a finding too.
pub async fn reach(settings: &Settings) -> Vec<Finding> {
    let greetings = join_all(settings.urls.iter().map(|url| greeting(url))).await;
    let none = greetings.iter().all(Result::is_err);
    let mut findings: Vec<Finding> = greetings
        .iter()
        .map(|one| one.as_ref().map_or_else(|error| unreached(error, none), version))
        .collect();
    if none {
        return findings;
    }
    // Nodes of one cluster say the same.
    findings.dedup();
    match topology::verify(settings).await {
        Ok(compared) => findings.extend(compared_with(&compared)),
        Err(error) => {
            let change = "Set amqp.url to a user and a virtual host that the broker knows, and give the user all three \
                          permissions (configure, write, read) on postrider.*.";
            findings.push(Finding::fault("sign-in", error.to_string(), change));
        }
    }
    findings
}

/// An address that does not answer; `none` does.
fn unreached(error: &PortError, none: bool) -> Finding {
    if none {
        let change = "Start the broker, or set amqp.url to where it is; until then every process waits.";
        return Finding::fault("connection", error.to_string(), change);
    }
    let change =
        "Start that node, or take its address out of amqp.url; until then the processes use the others.";
    Finding::warning("connection", error.to_string(), change)
}

fn version(greeting: &Greeting) -> Finding {
    let Greeting { product, version, cluster } = greeting;
    let cluster = cluster.as_ref().map(|name| format!(", cluster {name}")).unwrap_or_default();
    let found = format!("{product} {version}{cluster}");
    if product != "RabbitMQ" {
        return Finding::warning(
            "version",
            found,
            "Use RabbitMQ: Postrider relies on its quorum queues and is tested with no other broker.",
        );
    }
    let mut parts = version.split('.').map_while(|part| part.parse::<u32>().ok());
    let known = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if known < OLDEST {
        return Finding::fault(
            "version",
            found,
            "Use RabbitMQ 3.10 or newer: before it, quorum queues know no message TTL, so nothing can be put off.",
        );
    }
    Finding::fine("version", found)
}

fn compared_with(compared: &[topology::Finding]) -> Vec<Finding> {
    let wrong: Vec<&topology::Finding> = compared.iter().filter(|one| one.wrong.is_some()).collect();
    if wrong.is_empty() {
        let found = format!("all {} exchanges and queues are as they must be", compared.len());
        return vec![Finding::fine("topology", found)];
    }
    if compared.iter().all(|one| one.missing) {
        let found = format!("none of the {} exchanges and queues is there", compared.len());
        let change = "Run `postrider topology declare` (each process does so too when it starts), and check that amqp.url \
                      names the right virtual host.";
        return vec![Finding::fault("topology", found, change)];
    }
    let told = wrong.into_iter().map(|one| {
        let found = format!("{}: {}", one.name, one.wrong.as_deref().unwrap_or_default());
        let change = one.change.as_deref().unwrap_or_default();
        // Only the public exchange is used although it differs.
        if one.name == topology::EVENTS_EXCHANGE && !one.missing {
            Finding::warning("topology", found, change)
        } else {
            Finding::fault("topology", found, change)
        }
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use postrider_ports::doctor::Severity;

    use super::*;

    fn judged(product: &str, version: &str) -> Severity {
        let (product, version) = (product.to_owned(), version.to_owned());
        super::version(&Greeting { product, version, cluster: None }).severity
    }

    #[test]
    fn a_version_below_3_10_is_a_fault_and_another_product_a_warning() {
        for fine in ["3.10.8", "3.13.7", "4.0.5", "4.10.0-rc.1", "10.0"] {
            assert_eq!(judged("RabbitMQ", fine), Severity::Fine, "{fine}");
        }
        for old in ["3.9.29", "3.8", "2.99.0", ""] {
            assert_eq!(judged("RabbitMQ", old), Severity::Fault, "{old}");
        }
        assert_eq!(judged("LavinMQ", "2.0.0"), Severity::Warning);
    }
}
