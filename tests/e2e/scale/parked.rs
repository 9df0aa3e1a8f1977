//! What a person does about messages that many processes could not process: `postrider parked` over a real broker, with
//! several reasons at once and over pages.

use std::collections::BTreeMap;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Connection, ConnectionProperties};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::ALONE;
use crate::composition::{Composition, Crew, Servers};
use crate::process::PATIENCE;
use crate::system::{System, event};
use crate::target::Target;

/// Where a CMS publishes, and where what cannot be processed lies (DESIGN §4.2).
const EVENTS_EXCHANGE: &str = "postrider.events";
const PARKED: &str = "postrider.v1.parked";

const CREW: &Crew = &[("ingest", 1), ("dispatcher", 1), ("log-writer", 1), ("api", 2)];

/// A command against the running system: its exit code, and what it said on both outputs.
async fn postrider(system: &System, arguments: &[&str]) -> (i32, String) {
    let composition = system.composition();
    let mut command = composition.command();
    let api = composition.of("api").next().expect("it runs").url.as_str();
    command.env("POSTRIDER_SERVER", api).env("POSTRIDER_TOKEN", composition.token()).args(arguments);
    let output = timeout(PATIENCE, tokio::process::Command::from(command).output()).await;
    let output = output.expect("it ends").expect("it starts");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().expect("it ended by itself"), String::from_utf8(said).expect("UTF-8"))
}

/// The answer of a command that succeeds.
async fn json(system: &System, arguments: &[&str]) -> Value {
    let (code, said) = postrider(system, &[arguments, &["--json"]].concat()).await;
    assert_eq!(code, 0, "{said}");
    serde_json::from_str(&said).expect("JSON")
}

/// What a publisher with its own ideas sends: exchange, routing key, body.
async fn publish(url: &str, messages: &[(&str, &str, String)]) {
    let connection = Connection::connect(url, ConnectionProperties::default()).await.expect("connected");
    let channel = connection.create_channel().await.expect("a channel");
    channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms");
    for (exchange, key, body) in messages {
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let properties = BasicProperties::default().with_delivery_mode(2);
        let (exchange, key) = ((*exchange).into(), (*key).into());
        let sent = channel.basic_publish(exchange, key, options, body.as_bytes(), properties).await;
        assert!(sent.expect("sent").await.expect("confirmed").is_ack());
    }
    drop(connection.close(200, "bye".into()).await);
}

/// Ids and reasons of everything parked, once there is so much; read in pages of two.
async fn parked(system: &System, count: usize) -> BTreeMap<i64, String> {
    let listing = async {
        loop {
            let (mut found, mut cursor) = (BTreeMap::new(), None);
            loop {
                let mut arguments = vec!["parked", "list", "--limit", "2"];
                arguments.extend(cursor.as_deref().map(|cursor| ["--cursor", cursor]).into_iter().flatten());
                let page = json(system, &arguments).await;
                for message in page["items"].as_array().expect("items") {
                    let text = |pointer| message.pointer(pointer).and_then(Value::as_str).expect("a text");
                    let id: i64 = text("/sys/id").parse().expect("a number");
                    assert!(
                        found.last_key_value().is_none_or(|(last, _)| *last < id),
                        "ids rise over the pages"
                    );
                    found.insert(id, text("/reason").to_owned());
                }
                cursor = page.pointer("/pages/next").and_then(Value::as_str).map(str::to_owned);
                if cursor.is_none() {
                    break;
                }
            }
            // Each look is a process and several round trips.
            if found.len() == count {
                return found;
            }
        }
    };
    timeout(PATIENCE, listing).await.unwrap_or_else(|_| panic!("there are never {count} parked messages"))
}

/// The id of the one message whose reason has this in it.
fn with(parked: &BTreeMap<i64, String>, part: &str) -> String {
    let mut found = parked.iter().filter(|(_, reason)| reason.contains(part));
    let (id, _) = found.next().unwrap_or_else(|| panic!("nothing is parked for {part:?}: {parked:?}"));
    assert!(found.next().is_none(), "more than one is parked for {part:?}: {parked:?}");
    id.to_string()
}

#[tokio::test]
async fn what_is_parked_for_several_reasons_is_paged_shown_put_back_and_dropped() {
    let _alone = ALONE.lock().await;
    let composition = Composition::on(Servers::borrow().await, CREW, &[]).await;
    let (system, target) = (System::over(composition).await, Target::willing().await);
    let (code, said) = postrider(&system, &["parked", "list"]).await;
    assert!(code == 0 && said.contains("Nothing is parked."), "{said}");
    let good = event("late", "Entry.publish").to_string();
    let inbox = |key, body: &str| (EVENTS_EXCHANGE, key, body.to_owned());
    let messages = [
        inbox("default.master.Entry.publish", "{\"type\":"),
        inbox("default.master.Asset.publish", &good),
        inbox("shop.master.Entry.publish", &good),
        inbox("nonsense", &good),
        ("", "postrider.v1.deliver.fresh", json!({"v": 1, "nonsense": true}).to_string()),
        // As the broker parks by itself what nobody came to an end with: no header of ours.
        ("", PARKED, "given up".to_owned()),
    ];
    publish(&system.composition().servers.amqp, &messages).await;

    let found = parked(&system, messages.len()).await;
    let [broken, shop, given_up] = ["JSON", "shop", "the broker gave it up"].map(|part| with(&found, part));
    for (id, part) in [(&broken, "{\"type\":"), (&shop, "\"late\""), (&given_up, "given up")] {
        let (code, shown) = postrider(&system, &["parked", "show", id]).await;
        assert!(code == 0 && shown.contains(part), "{part} is not in:\n{shown}");
    }
    assert_eq!(postrider(&system, &["parked", "show", "4711"]).await.0, 5);

    // Once the space is there, what was parked for want of it is an event like any other.
    json(&system, &["spaces", "create", "shop"]).await;
    let url = target.url("/shop");
    let webhook =
        ["webhooks", "create", "--space", "shop", "--name", "w", "--url", &url, "--topic", "Entry.*"];
    json(&system, &webhook).await;
    json(&system, &["parked", "redrive", &shop]).await;
    target.until(1).await;
    // What is still broken comes back under a new id, and what never was a message cannot go anywhere.
    json(&system, &["parked", "redrive", &broken]).await;
    let (code, said) = postrider(&system, &["parked", "redrive", &given_up]).await;
    assert!(code == 6 && said.contains("never was a message"), "{said}");
    let left = parked(&system, messages.len() - 1).await;
    assert_ne!(with(&left, "JSON"), broken, "it was parked again");
    assert!(!left.values().any(|reason| reason.contains("shop")), "{left:?}");

    for id in left.keys() {
        assert_eq!(postrider(&system, &["parked", "drop", &id.to_string()]).await.0, 0);
    }
    assert_eq!(target.count(), 1, "put back once it is called once: {:?}", target.hits("/shop"));
    assert_eq!(postrider(&system, &["parked", "drop", &given_up]).await.0, 5);
    let (code, said) = postrider(&system, &["parked", "list"]).await;
    assert!(code == 0 && said.contains("Nothing is parked."), "{said}");
}
