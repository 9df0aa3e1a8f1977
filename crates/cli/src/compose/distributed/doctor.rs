//! Looks at every server, one after the other, for `postrider doctor`.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Uri;
use postrider_adapter_amqp::doctor as broker;
use postrider_adapter_http::operator::{OperatorClient, OperatorRequest, Reply};
use postrider_control::LONGEST_TIMEOUT;
use postrider_domain::timestamp::Timestamp;
use postrider_ports::clock::Clock;
use postrider_ports::doctor::Finding;

use super::servers::{broker_settings, cache, database_settings};
use crate::compose::clock::SystemClock;
use crate::exit::Failure;
use crate::settings::Settings;

/// What was found at one server.
#[derive(Debug)]
pub struct Examined {
    /// Which.
    pub server: &'static str,
    /// What was looked at.
    pub findings: Vec<Finding>,
}

/// Looks at broker, cache and database. What cannot be reached is a finding.
///
/// # Errors
/// Only for addresses that are none.
pub async fn examine(settings: &Settings) -> Result<Vec<Examined>, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let amqp = broker_settings(settings);
    let mut of_broker = broker::reach(&amqp).await;
    match &settings.amqp.management {
        Some(address) => of_broker.extend(management(&amqp, address, &*clock).await),
        None => of_broker.extend(broker::unasked(LONGEST_TIMEOUT)),
    }
    let of_cache = cache(settings)?.findings(&*clock).await;
    let of_database = database_settings(settings)?.findings(&*clock).await;
    Ok(vec![
        Examined { server: "RabbitMQ (amqp.url)", findings: of_broker },
        Examined { server: "Redis (redis.url)", findings: of_cache },
        Examined { server: "Postgres (postgres.url)", findings: of_database },
    ])
}

/// What the broker's management API tells.
async fn management(
    amqp: &postrider_adapter_amqp::Settings,
    address: &str,
    clock: &dyn Clock,
) -> Vec<Finding> {
    let unusable = |why: String| {
        let change = "Set amqp.management to http://user:password@host:15672, or leave it empty.";
        vec![Finding::warning("management", why, change)]
    };
    let Some((base, authorization)) = credentials(address) else {
        return unusable("amqp.management is no address".to_owned());
    };
    let client = match OperatorClient::new(&base, None) {
        Ok(client) => client,
        Err(error) => return unusable(error.to_string()),
    };
    let questions = match broker::questions(amqp) {
        Ok(questions) => questions,
        Err(error) => return unusable(error.to_string()),
    };
    let mut findings = Vec::new();
    for (number, question) in questions.into_iter().enumerate() {
        let request = OperatorRequest::get(question.path());
        let request =
            authorization.iter().fold(request, |request, basic| request.with("authorization", basic.clone()));
        let before = clock.now();
        match client.call(request).await {
            Ok(reply) => {
                if number == 0 {
                    findings.extend(date(&reply).map(|date| Finding::clock(date, before, clock.now())));
                }
                findings.extend(question.judge(reply.status, &reply.body, LONGEST_TIMEOUT));
            }
            // The next one would fare no better.
            Err(error) => return unusable(error.to_string()),
        }
    }
    findings
}

/// The address without user and password, and what they are as a header (RFC 7617).
fn credentials(address: &str) -> Option<(String, Option<String>)> {
    let uri: Uri = address.parse().ok()?;
    let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
    let Some((user, place)) = authority.as_str().rsplit_once('@') else {
        return Some((format!("{scheme}://{authority}"), None));
    };
    Some((format!("{scheme}://{place}"), Some(format!("Basic {}", STANDARD.encode(user)))))
}

/// When the broker answered, by its own clock; to the second, and so up to a second behind.
fn date(reply: &Reply) -> Option<Timestamp> {
    let (_, value) = reply.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("date"))?;
    let date = httpdate::parse_http_date(value).ok()?;
    let since = date.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(Timestamp::from_unix_ms(i64::try_from(since.as_millis()).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_password_leave_the_address_for_a_header() {
        let (base, basic) = credentials("http://guest:guest@127.0.0.1:15672/").expect("an address");
        assert_eq!(base, "http://127.0.0.1:15672");
        assert_eq!(basic.as_deref(), Some("Basic Z3Vlc3Q6Z3Vlc3Q="));
        assert_eq!(credentials("http://host:1"), Some(("http://host:1".to_owned(), None)));
        assert_eq!(credentials("nowhere"), None);
    }
}
