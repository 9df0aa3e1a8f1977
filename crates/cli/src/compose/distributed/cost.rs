//! What this process costs its servers, as metrics (DESIGN §5, "telemetry of cost").

use std::sync::Arc;

use postrider_adapter_amqp::Amqp;
use postrider_adapter_postgres::Database;
use postrider_adapter_redis::Redis;
use postrider_runtime::metrics::observe_counter;

/// Messages to and from the broker.
pub(super) fn of_broker(amqp: &Amqp) {
    let (out, back) = (amqp.clone(), amqp.clone());
    observe_counter("postrider.broker.published", "Messages sent to the broker.", "{message}", move || {
        out.published()
    });
    observe_counter(
        "postrider.broker.delivered",
        "Messages that the broker handed out.",
        "{message}",
        move || back.delivered(),
    );
}

/// Answers waited for.
pub(super) fn of_cache(redis: &Arc<Redis>) {
    let redis = redis.clone();
    let about = "Answers of Redis that were waited for; a pipeline is one.";
    observe_counter("postrider.redis.round_trips", about, "{round trip}", move || redis.round_trips());
}

/// Statements sent.
pub(super) fn of_database(database: &Arc<Database>) {
    let database = database.clone();
    let about = "SQL statements sent to Postgres.";
    observe_counter("postrider.sql.statements", about, "{statement}", move || database.statements());
}
