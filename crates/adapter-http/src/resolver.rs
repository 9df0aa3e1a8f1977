//! Names to judged addresses. The client connects to nothing that did not come out of here (or stood in the URL and was
//! judged there), so a name that changes its mind between two questions gains nothing.

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;

use crate::guard::Guard;
use crate::stopwatch::{self, Mark};

/// A name that has no address.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the name cannot be resolved: {0}")]
pub struct Unresolved(pub String);

/// Finds the addresses of a name.
#[async_trait]
pub trait Lookup: Send + Sync {
    /// All of them, IPv6 first.
    async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, Unresolved>;
}

/// The name servers and the hosts file of this machine. The resolver obeys the records' own time to live.
pub struct SystemLookup(TokioResolver);

impl SystemLookup {
    /// Reads the machine's configuration; touches no network. Without one (no `resolv.conf`), only the hosts file and
    /// `localhost` resolve.
    pub fn new() -> Result<Self, Unresolved> {
        let mut builder = TokioResolver::builder_tokio().unwrap_or_else(|error| {
            tracing::warn!(%error, "the machine names no usable name server: only its hosts file is used");
            let nothing = ResolverConfig::from_parts(None, Vec::new(), Vec::new());
            TokioResolver::builder_with_config(nothing, TokioRuntimeProvider::default())
        });
        builder.options_mut().ip_strategy = LookupIpStrategy::Ipv6AndIpv4;
        builder.build().map(Self).map_err(|error| Unresolved(error.to_string()))
    }
}

#[async_trait]
impl Lookup for SystemLookup {
    async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, Unresolved> {
        let found = self.0.lookup_ip(name).await.map_err(|error| Unresolved(in_words(&error)))?;
        Ok(found.iter().collect())
    }
}

/// The two ordinary answers in plain words; the resolver's own texts print whole queries.
fn in_words(error: &hickory_resolver::net::NetError) -> String {
    if error.is_nx_domain() {
        "no such host".to_owned()
    } else if error.is_no_records_found() {
        "the host has no address".to_owned()
    } else {
        error.to_string()
    }
}

/// Resolves and judges; what the HTTP client asks.
pub(crate) struct GuardedResolver {
    pub(crate) lookup: Arc<dyn Lookup>,
    pub(crate) guard: Guard,
}

impl GuardedResolver {
    async fn judged(
        lookup: &dyn Lookup,
        guard: &Guard,
        name: &str,
    ) -> Result<Vec<IpAddr>, Box<dyn Error + Send + Sync>> {
        let found = lookup.addresses(name).await?;
        if found.is_empty() {
            return Err(Unresolved("the host has no address".to_owned()).into());
        }
        Ok(guard.judge_all(found)?)
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (lookup, guard) = (Arc::clone(&self.lookup), self.guard.clone());
        let watch = stopwatch::current();
        Box::pin(async move {
            watch.note(Mark::Resolving);
            let judged = Self::judged(lookup.as_ref(), &guard, name.as_str()).await?;
            watch.note(Mark::Resolved);
            // Port 0 stands for the URL's.
            Ok(Box::new(judged.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Answers with the next list at each question.
    struct Changing(Vec<Vec<IpAddr>>, AtomicUsize);

    #[async_trait]
    impl Lookup for Changing {
        async fn addresses(&self, _: &str) -> Result<Vec<IpAddr>, Unresolved> {
            Ok(self.0[self.1.fetch_add(1, Ordering::Relaxed)].clone())
        }
    }

    fn resolver(answers: &[&[Ipv4Addr]]) -> GuardedResolver {
        let answers = answers.iter().map(|list| list.iter().copied().map(IpAddr::V4).collect()).collect();
        GuardedResolver {
            lookup: Arc::new(Changing(answers, AtomicUsize::new(0))),
            guard: Guard::for_https(&[]),
        }
    }

    async fn ask(resolver: &GuardedResolver) -> Result<Vec<SocketAddr>, String> {
        let name = "receiver.example".parse().expect("a name");
        resolver.resolve(name).await.map(Iterator::collect).map_err(|error| error.to_string())
    }

    const PUBLIC: Ipv4Addr = Ipv4Addr::new(1, 1, 1, 1);
    const PRIVATE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

    #[tokio::test]
    async fn a_name_that_turns_private_at_the_second_question_is_judged_again() {
        let resolver = resolver(&[&[PUBLIC], &[PRIVATE]]);
        assert_eq!(ask(&resolver).await, Ok(vec![SocketAddr::from((PUBLIC, 0))]));
        let error = ask(&resolver).await.expect_err("now private");
        assert!(error.contains("10.0.0.1") && error.contains("10.0.0.0/8"), "{error}");
    }

    #[tokio::test]
    async fn a_name_with_one_blocked_address_among_good_ones_is_refused() {
        assert!(ask(&resolver(&[&[PUBLIC, PRIVATE]])).await.is_err());
    }

    #[tokio::test]
    async fn a_name_without_addresses_is_unresolved() {
        assert!(ask(&resolver(&[&[]])).await.expect_err("nothing").contains("no address"));
    }

    #[tokio::test]
    async fn localhost_resolves_without_a_network() {
        let found = SystemLookup::new().expect("a resolver").addresses("localhost").await.expect("addresses");
        assert!(!found.is_empty() && found.iter().all(IpAddr::is_loopback), "{found:?}");
    }
}
