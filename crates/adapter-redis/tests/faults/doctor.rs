//! What doctor says of a server.

use postrider_adapter_redis::Redis;
use postrider_ports::doctor::{Finding, Severity};
use postrider_testkit::ManualClock;
use postrider_testkit::clock::RealClock;

use super::Bench;

fn of<'f>(findings: &'f [Finding], subject: &str) -> &'f Finding {
    let found = findings.iter().find(|finding| finding.subject == subject);
    found.unwrap_or_else(|| panic!("nothing about {subject} in {findings:?}"))
}

#[tokio::test]
async fn a_server_of_our_own_with_the_right_policy_is_fine_in_everything() {
    let bench = Bench::start().await;
    bench.type_in(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]).await;
    bench.use_all().await;
    let findings = bench.redis.findings(&RealClock::new()).await;
    for subject in ["version", "mode", "maxmemory-policy", "clock", "keys"] {
        assert_eq!(of(&findings, subject).severity, Severity::Fine, "{findings:?}");
    }
    assert!(of(&findings, "version").found.contains('7'), "{findings:?}");
}

#[tokio::test]
async fn eviction_other_keys_and_a_wrong_clock_are_told_with_what_to_do() {
    let bench = Bench::start().await;
    bench.type_in(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]).await;
    bench.type_in(&["SET", "session:1", "x"]).await;
    let findings = bench.redis.findings(&ManualClock::new()).await;
    for (subject, change) in [("maxmemory-policy", "noeviction"), ("keys", "of its own"), ("clock", "NTP")] {
        let finding = of(&findings, subject);
        assert_eq!(finding.severity, Severity::Warning);
        assert!(finding.change.as_ref().is_some_and(|told| told.contains(change)), "{finding:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_a_fault_without_its_password() {
    let redis = Redis::new("redis://:hush-4711@127.0.0.1:1/").expect("a URL");
    let findings = redis.findings(&ManualClock::new()).await;
    assert_eq!((findings.len(), findings[0].severity), (1, Severity::Fault));
    assert!(
        findings[0].found.contains("127.0.0.1:1") && !format!("{findings:?}").contains("4711"),
        "{findings:?}"
    );
}
