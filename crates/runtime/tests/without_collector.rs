//! Without a collector nothing is exported, contexts pass through unchanged, and metrics are served all the same.

use postrider_runtime::metrics;
use postrider_runtime::telemetry::{self, Settings};
use postrider_runtime::trace::{Carried, Kind, Origin, Remote, Span};

#[tokio::test]
async fn a_context_that_came_in_goes_out_unchanged() {
    let before_init = metrics::counter("postrider.test.early", "Made too early", "{thing}");
    let telemetry = telemetry::init(&Settings::default()).expect("telemetry is set up");
    let parent = Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    let remote = Remote { parent, state: Some("vendor=1") };
    for origin in [Origin::Child(remote), Origin::NewTrace(remote)] {
        for span in [Span::begin(Kind::Client, "POST", origin), Span::send("events", origin)] {
            let span = span.describe(|_| panic!("nobody asks for what is not recorded"));
            assert_eq!(span.context(), Carried::from(remote));
            assert_eq!(span.run(async { 7 }).await, 7);
            span.end();
        }
    }
    let none = Span::process("events", Origin::Child(Remote::default()));
    assert_eq!(none.context(), Carried::default());

    before_init.add(1);
    metrics::counter("postrider.test.kept", "Kept", "{thing}").add(1);
    let text = scraped().await;
    assert!(text.contains("postrider_test_kept_total 1"), "{text}");
    assert!(!text.contains("postrider_test_early"), "{text}");
    assert!(text.contains("service_name=\"postrider\""), "{text}");
    drop(telemetry);
}

async fn scraped() -> String {
    use axum::body::{Body, to_bytes};
    use tower::ServiceExt;
    let request = axum::http::Request::get("/metrics").body(Body::empty()).expect("a request");
    let response = telemetry::metrics_router().oneshot(request).await.expect("it answers");
    let body = to_bytes(response.into_body(), 1 << 20).await.expect("a short body");
    String::from_utf8(body.to_vec()).expect("text")
}
