//! A collector that hangs, refuses or is away holds nobody up: what it does not take is dropped and counted.

use std::time::Duration;

use postrider_runtime::telemetry::{self, Settings};
use postrider_runtime::trace::{Kind, Origin, Remote, Span};
use postrider_testkit::collector::{Collector, Manner};
use tokio::time::Instant;

/// More than the queue of 4,096 and a batch on its way can hold.
const MANY: usize = 20_000;

#[tokio::test]
async fn work_goes_on_and_the_end_is_not_far_when_the_collector_hangs() {
    let collector = Collector::start();
    collector.behave(Manner::Hang);
    let settings = Settings { otlp: Some(collector.url()), filter: "off".to_owned(), ..Settings::default() };
    let telemetry = telemetry::init(&settings).expect("telemetry is set up");
    let begun = Instant::now();
    for _ in 0..MANY {
        Span::begin(Kind::Producer, "one of many", Origin::Child(Remote::default())).end();
    }
    assert!(begun.elapsed() < Duration::from_secs(3), "one export's time-out: nobody waited for one");
    let lost = || async {
        let text = scraped().await;
        let line = text.lines().find(|line| line.starts_with("postrider_telemetry_lost_total "));
        line.and_then(|line| line.split(' ').nth(1)?.parse::<usize>().ok()).expect("it is counted")
    };
    let dropped = lost().await;
    assert!((MANY - 8_192..MANY).contains(&dropped), "{dropped} of {MANY}");

    collector.behave(Manner::Refuse(400));
    let (telemetry, all_went_out) = tokio::task::spawn_blocking(move || {
        let all_went_out = telemetry.flush();
        (telemetry, all_went_out)
    })
    .await
    .expect("it does not panic");
    assert!(!all_went_out, "a refusal is no success");
    assert!(lost().await > dropped, "what was refused is lost too");

    drop(collector);
    let begun = Instant::now();
    drop(telemetry);
    assert!(begun.elapsed() < Duration::from_secs(6), "the last flush is bounded by 5 s");
}

async fn scraped() -> String {
    use axum::body::{Body, to_bytes};
    use tower::ServiceExt;
    let request = axum::http::Request::get("/metrics").body(Body::empty()).expect("a request");
    let response = telemetry::metrics_router().oneshot(request).await.expect("it answers");
    let body = to_bytes(response.into_body(), 1 << 20).await.expect("a short body");
    String::from_utf8(body.to_vec()).expect("text")
}
