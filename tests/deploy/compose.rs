//! Rules over the compose file.

use postrider_tests::house::Breach;
use serde_json::{Value, json};

use crate::LONGEST_CALL;
use crate::container::{Container, is_from_outside, is_ours, list, seconds, services, text, texts};
use crate::tools::COMPOSE;

/// What must be true of the file as written.
pub(crate) fn written(raw: &Value) -> Vec<Breach> {
    let mut breaches = Vec::new();
    // docker-compose 1.29 refuses `name`, Compose v2 warns about `version`.
    for key in raw.as_object().into_iter().flat_map(serde_json::Map::keys) {
        if !["services", "networks", "volumes"].contains(&key.as_str()) && !key.starts_with("x-") {
            breaches.push(breach(key, "is not understood by both docker-compose 1.29 and Compose v2"));
        }
    }
    for (name, service) in services(raw) {
        let variables = service["environment"].as_object().into_iter().flatten();
        let passwords = variables.filter(|(key, _)| key.contains("PASS") || key.ends_with("_AUTH"));
        for (key, _) in passwords.filter(|(_, value)| !is_from_outside(&text(value))) {
            breaches.push(breach(name, format!("{key} has a value in the file; take it from .env")));
        }
        for port in texts(&service["ports"]).iter().filter(|port| !port.starts_with("127.0.0.1:")) {
            breaches.push(breach(name, format!("publishes {port} to every network of the machine")));
        }
    }
    if services(raw)
        .filter(|(_, service)| service["command"] == json!(["dispatcher"]))
        .any(|(_, s)| s["scale"] != 2)
    {
        breaches.push(breach("dispatcher", "does not start twice"));
    }
    breaches
}

/// What must be true of our containers in it.
pub(crate) fn ours(config: &Value, containers: &[Container]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for ((name, service), container) in
        services(config).filter(|(_, service)| is_ours(service)).zip(containers)
    {
        let mut demand = |is_met: bool, what: &str| {
            if !is_met {
                breaches.push(breach(name, what));
            }
        };
        demand(service["read_only"] == true, "may write to its image; say `read_only: true`");
        demand(service["cap_drop"] == json!(["ALL"]), "keeps capabilities; say `cap_drop: [ALL]`");
        demand(
            texts(&service["security_opt"]).contains(&"no-new-privileges:true".to_owned()),
            "may gain privileges; say `security_opt: [\"no-new-privileges:true\"]`",
        );
        demand(!service["mem_limit"].is_null(), "may take all memory; give it a `mem_limit`");
        let bind = container.port("POSTRIDER__SERVER__BIND").map(|port| format!(":{port}"));
        let own = bind.unwrap_or_default();
        let reaches_it = |port: &String| port.trim_end_matches("/tcp").ends_with(&own);
        demand(
            texts(&service["ports"]).iter().all(reaches_it),
            "publishes a port on which it does not listen",
        );
        if name == "migrate" {
            demand(service["restart"] == "no", "is started again when it has ended well");
            continue;
        }
        demand(service["restart"] == "unless-stopped", "stays away when it dies");
        demand(
            service["depends_on"]["migrate"]["condition"] == "service_completed_successfully",
            "starts before the tables and queues are there",
        );
        let grace = container.seconds("POSTRIDER__SHUTDOWN__GRACE");
        demand(grace > Some(LONGEST_CALL), "stops before the longest call is over; raise shutdown.grace");
        let killed = seconds(&text(&service["stop_grace_period"]));
        demand(killed > grace, "is killed while it still stops; raise `stop_grace_period`");
    }
    breaches
}

/// What must be true of the servers: somebody can wait for them, and they come back.
pub(crate) fn servers(config: &Value) -> Vec<Breach> {
    let waited_for = |name: &str| !config["services"]["migrate"]["depends_on"][name].is_null();
    let servers = services(config).filter(|(name, _)| waited_for(name));
    let sick = servers.filter(|(_, service)| {
        list(&service["healthcheck"]["test"]).next().is_none() || service["restart"] != "unless-stopped"
    });
    sick.map(|(name, _)| breach(name, "has no health check, or stays away when it dies")).collect()
}

fn breach(service: &str, what: impl Into<String>) -> Breach {
    Breach::new(format!("{COMPOSE}: {service}"), what)
}
