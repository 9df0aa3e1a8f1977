//! The guarded client passes the suite of its port.

use std::sync::Arc;

use postrider_adapter_http::{GuardedClient, Settings};
use postrider_domain::webhook::PlainHttp;
use postrider_ports::sender::Sender;
use postrider_testkit::{ManualClock, conformance};

#[tokio::test]
async fn the_guarded_client_passes() {
    let client = |_: Arc<ManualClock>| -> Arc<dyn Sender> {
        let settings = Settings { plain_http: PlainHttp::Loopback, ..Settings::default() };
        Arc::new(GuardedClient::new(&settings).expect("a client"))
    };
    conformance::sender::run(&client).await;
}
