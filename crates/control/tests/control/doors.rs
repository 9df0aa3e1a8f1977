//! Who is let in: tokens that are refused, and tokens that ask too often.

use std::net::IpAddr;
use std::time::Duration;

use postrider_control::{Settings, Unauthenticated};

use crate::instance::Instance;

const PEER: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)));

async fn waits(instance: &Instance, bearer: &str) -> Option<Duration> {
    match instance.control.authenticate(bearer, PEER).await {
        Err(Unauthenticated::Throttled { retry_after, .. }) => Some(retry_after),
        _ => None,
    }
}

#[tokio::test]
async fn guesses_are_throttled_and_a_token_that_was_valid_here_still_passes() {
    let instance = Instance::start().await;
    let long = "x".repeat(600);
    for guess in 0..20 {
        // Empty and far too long ones are guesses as well.
        let bearer = ["prt_wrong", "", &long][guess % 3];
        assert_eq!(waits(&instance, bearer).await, None, "guess {guess}");
    }
    assert_eq!(waits(&instance, "prt_wrong").await, Some(Duration::from_secs(3)));
    // It was valid a moment ago, when the instance started.
    instance.control.authenticate(&instance.bearer, PEER).await.expect("a proxy may stand at this address");
    instance.clock.advance(Duration::from_mins(11));
    while waits(&instance, "prt_wrong").await.is_none() {}
    let refused = instance.control.authenticate(&instance.bearer, PEER).await.expect_err("not seen lately");
    assert_eq!(
        refused.to_string(),
        "too many access tokens from this address were refused; try again in 3 s"
    );
    instance.clock.advance(Duration::from_secs(3));
    instance.control.authenticate(&instance.bearer, PEER).await.expect("after the wait");
    instance.control.authenticate(&instance.bearer, PEER).await.expect("it was no guess");
}

#[tokio::test]
async fn a_token_that_is_over_is_a_guess_and_is_not_believed() {
    let instance = Instance::start().await;
    let revoke = instance.admin.token.clone();
    let draft = postrider_control::tokens::TokenDraft {
        name: "other".to_owned(),
        role: postrider_domain::token::Role::Admin,
        space: None,
        expires_at: None,
    };
    instance.control.create_token(&instance.admin, draft).await.expect("made");
    instance.control.revoke_token(&instance.admin, &revoke).await.expect("revoked");
    for _ in 0..21 {
        assert_eq!(waits(&instance, &instance.bearer).await, None);
    }
    assert_eq!(waits(&instance, &instance.bearer).await, Some(Duration::from_secs(3)));
}

#[tokio::test]
async fn a_token_that_asks_too_often_waits_and_the_others_do_not() {
    let instance = Instance::with(Settings { requests_per_second: 10, ..Settings::default() }).await;
    // One was used up by the start.
    for _ in 0..19 {
        assert_eq!(waits(&instance, &instance.bearer).await, None);
    }
    let refused = instance.control.authenticate(&instance.bearer, None).await.expect_err("too often");
    assert_eq!(
        refused.to_string(),
        "this token makes more than 10 requests per second (setting api.requests_per_second); try again in 1 s"
    );
    assert_eq!(waits(&instance, &instance.bearer).await, Some(Duration::from_millis(100)));
    instance.clock.advance(Duration::from_millis(100));
    assert_eq!(waits(&instance, &instance.bearer).await, None);
    assert_eq!(waits(&instance, &instance.bearer).await, Some(Duration::from_millis(100)));
}
