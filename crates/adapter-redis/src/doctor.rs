//! What `postrider doctor` learns of a Redis or Valkey server, from `INFO`, `TIME` and one bounded `SCAN`.

use postrider_domain::timestamp::Timestamp;
use postrider_ports::clock::Clock;
use postrider_ports::doctor::Finding;
use redis::Value;

use crate::connection::Redis;
use crate::lua::{number, text};

/// The oldest release whose commands are enough.
const OLDEST: u64 = 6;
/// Keys that are looked at, at most about so many: one call of a millisecond.
const SAMPLE: usize = 1000;
/// What all our keys begin with.
const OURS: &str = "postrider:";

impl Redis {
    /// Looks at the server and changes nothing. A server that cannot be reached is one finding.
    pub async fn findings(&self, clock: &dyn Clock) -> Vec<Finding> {
        let mut asked = redis::pipe();
        asked.cmd("INFO").cmd("TIME").cmd("SCAN").arg(0).arg("COUNT").arg(SAMPLE).ignore_errors();
        let before = clock.now();
        let answers = match self.send("looking at the server", &asked).await {
            Ok(answers) => answers,
            Err(error) => {
                let change = "Start it, or mend redis.url (host, port, password, redis:// or rediss://).";
                return vec![Finding::fault("connection", error.to_string(), change)];
            }
        };
        let after = clock.now();
        let [info, time, scan] = answers.as_slice() else { return Vec::new() };
        let mut findings = match info {
            Ok(info) => of_info(text(info).unwrap_or_default()),
            Err(error) => vec![unanswered("INFO", &error.to_string())],
        };
        findings.push(match time.as_ref().ok().and_then(instant) {
            Some(theirs) => Finding::clock(theirs, before, after),
            None => unanswered("TIME", "no time"),
        });
        findings.extend(scan.as_ref().ok().map(of_keys));
        findings
    }
}

/// The answer to `INFO` (<https://redis.io/docs/latest/commands/info/>): lines `name:value`.
fn of_info(info: &str) -> Vec<Finding> {
    let field = |name: &str| {
        let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.map(str::trim)
    };
    // Valkey says for the sake of old clients which Redis it is like, and its own version beside it.
    let (product, version) = match field("valkey_version") {
        Some(version) => ("Valkey", version),
        None => ("Redis", field("redis_version").unwrap_or("unknown")),
    };
    let mut findings = vec![of_version(product, version)];
    findings.push(match field("redis_mode") {
        Some("cluster") => Finding::fault(
            "mode",
            "cluster",
            "Name a server that is no part of a cluster, or a proxy before it: no command stands against a cluster, but \
             this release does not follow its redirections.",
        ),
        mode => Finding::fine("mode", mode.unwrap_or("standalone")),
    });
    if field("role").is_some_and(|role| role != "master") {
        let change = "Name the primary in redis.url: a replica takes no writes.";
        findings.push(Finding::fault("role", "replica", change));
    }
    findings.extend(field("maxmemory_policy").map(of_policy));
    findings
}

fn of_version(product: &str, version: &str) -> Finding {
    let found = format!("{product} {version}");
    let major = version.split('.').next().and_then(|major| major.parse::<u64>().ok());
    match major {
        Some(major) if major < OLDEST => {
            Finding::fault("version", found, "Update it: Redis 6.0 or Valkey 7.2 is the oldest that works.")
        }
        _ => Finding::fine("version", found),
    }
}

fn of_policy(policy: &str) -> Finding {
    match policy {
        "noeviction" => Finding::fine("maxmemory-policy", policy),
        _ => Finding::warning(
            "maxmemory-policy",
            policy,
            "Set maxmemory-policy to noeviction: a full server then refuses, and Postrider works without it, while one that \
             evicts forgets event ids without anybody noticing.",
        ),
    }
}

/// The answer to `SCAN`: a cursor and keys.
fn of_keys(answer: &Value) -> Finding {
    let keys = match answer {
        Value::Array(parts) => match parts.get(1) {
            Some(Value::Array(keys)) => keys.as_slice(),
            _ => &[],
        },
        _ => &[],
    };
    let is_foreign = |key: &&Value| text(key).is_none_or(|key| !key.starts_with(OURS));
    let foreign = keys.iter().filter(is_foreign).count();
    if foreign == 0 {
        return Finding::fine("keys", "only Postrider's");
    }
    Finding::warning(
        "keys",
        format!("{foreign} of {} keys looked at are not Postrider's", keys.len()),
        "Give Postrider a server, or at least a database number, of its own: whoever fills or flushes this one takes \
         Postrider's memory with it.",
    )
}

/// The answer to `TIME`: seconds and microseconds.
fn instant(answer: &Value) -> Option<Timestamp> {
    let Value::Array(parts) = answer else { return None };
    let [seconds, micros] = parts.as_slice() else { return None };
    Some(Timestamp::from_unix_ms(number(seconds)?.checked_mul(1000)? + number(micros)? / 1000))
}

fn unanswered(command: &str, how: &str) -> Finding {
    Finding::warning(
        command,
        how,
        format!("Let the user of redis.url call {command}, so that doctor can judge the server."),
    )
}

#[cfg(test)]
mod tests {
    use postrider_ports::doctor::Severity::{self, Fault, Fine, Warning};

    use super::*;

    fn judged(info: &str) -> Vec<(String, Severity)> {
        of_info(info)
            .into_iter()
            .map(|one| (format!("{}: {}", one.subject, one.found), one.severity))
            .collect()
    }

    #[test]
    fn a_server_as_it_should_be_is_fine() {
        let info = "# Server\r\nredis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.0.1\r\n\
                    redis_mode:standalone\r\nrole:master\r\nmaxmemory_policy:noeviction\r\n";
        let expected = [
            ("version: Valkey 8.0.1", Fine),
            ("mode: standalone", Fine),
            ("maxmemory-policy: noeviction", Fine),
        ];
        assert_eq!(judged(info), expected.map(|(what, severity)| (what.to_owned(), severity)));
    }

    #[test]
    fn what_is_wrong_is_told_each_by_itself() {
        let info =
            "redis_version:5.0.14\r\nredis_mode:cluster\r\nrole:slave\r\nmaxmemory_policy:allkeys-lru\r\n";
        let expected = [
            ("version: Redis 5.0.14", Fault),
            ("mode: cluster", Fault),
            ("role: replica", Fault),
            ("maxmemory-policy: allkeys-lru", Warning),
        ];
        assert_eq!(judged(info), expected.map(|(what, severity)| (what.to_owned(), severity)));
    }
}
