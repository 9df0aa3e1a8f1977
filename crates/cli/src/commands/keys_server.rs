//! What a running server knows of its keys, and sealing everything anew there.

use postrider_adapter_http::operator::{OperatorClient, OperatorError, OperatorRequest};
use serde_json::{Value, json};

use crate::client::Client;
use crate::exit::{Code, Failure};

/// A key as the server that was asked has it.
pub(super) struct ServerKey {
    pub(super) id: String,
    pub(super) active: bool,
    pub(super) in_ring: bool,
    /// As answered: how many secrets of `webhooks`, `sources`, `settings`.
    pub(super) sealed: Value,
}

/// What was sealed anew in all.
#[derive(Default)]
pub(super) struct Resealed {
    pub(super) active: String,
    webhooks: u64,
    sources: u64,
    settings: u64,
    /// How many secrets could not be sealed anew.
    pub(super) failures: u64,
    /// The first of them, in words.
    pub(super) failed: Vec<Value>,
}

/// Failures that are shown: enough to see what they have in common.
const SHOWN: usize = 100;

impl ServerKey {
    /// How many secrets are sealed with it.
    pub(super) fn total(&self) -> u64 {
        ["webhooks", "sources", "settings"].iter().filter_map(|kind| self.sealed[kind].as_u64()).sum()
    }
}

impl Resealed {
    pub(super) fn json(&self) -> Value {
        json!({
            "active": self.active,
            "resealed": {"webhooks": self.webhooks, "sources": self.sources, "settings": self.settings},
            "failures": self.failures,
            "failed": self.failed,
        })
    }

    /// In a sentence, and a line for each failure.
    pub(super) fn text(&self) -> String {
        let Self { active, webhooks, sources, settings, failures, failed } = self;
        let mut text = format!(
            "sealed anew with {active}: {webhooks} secrets of webhooks, {sources} of sources, {settings} of spaces"
        );
        let part = |one: &Value, name: &str| one[name].as_str().unwrap_or_default().to_owned();
        for one in failed {
            let [kind, id, space, reason] = ["type", "id", "space", "reason"].map(|name| part(one, name));
            text = format!("{text}\n  not {kind} {id} of space {space}: {reason}");
        }
        let unshown = failures.saturating_sub(failed.len() as u64);
        if unshown > 0 { format!("{text}\n  and {unshown} more") } else { text }
    }
}

/// Whether anybody listens there at all.
pub(super) async fn is_away(client: &Client) -> bool {
    let Ok(http) = OperatorClient::new(client.base(), None) else { return false };
    matches!(http.call(OperatorRequest::get("/livez")).await, Err(OperatorError::Connect { .. }))
}

/// The keys of the server, which reads its ring again for it, and what is sealed with each.
pub(super) async fn keys_of(client: &Client) -> anyhow::Result<Vec<ServerKey>> {
    let answer = client.get("/keys?limit=1000").await?;
    let items = answer.body["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let read = |item: &Value| ServerKey {
        id: item["sys"]["id"].as_str().unwrap_or_default().to_owned(),
        active: item["active"] == true,
        in_ring: item["inRing"] == true,
        sealed: item["sealed"].clone(),
    };
    Ok(items.iter().map(read).collect())
}

/// Seals everything anew, request by request. `key` is the one that must be active.
pub(super) async fn reseal(client: &Client, key: Option<&str>) -> anyhow::Result<Resealed> {
    let mut done = Resealed::default();
    let mut from = Value::Null;
    loop {
        let order = json!({ "key": key, "from": from });
        let answer = client.post("/keys/reseal", &order).await?.body;
        let count = |kind: &str| answer["resealed"][kind].as_u64().unwrap_or_default();
        let anew = ["webhooks", "sources", "settings"].map(count);
        answer["active"].as_str().unwrap_or_default().clone_into(&mut done.active);
        done.webhooks += anew[0];
        done.sources += anew[1];
        done.settings += anew[2];
        done.failures += answer["failures"].as_u64().unwrap_or_default();
        let failed = answer["failed"].as_array().into_iter().flatten().cloned();
        done.failed.extend(failed.take(SHOWN.saturating_sub(done.failed.len())));
        if answer["next"].is_null() {
            return Ok(done);
        }
        if from == answer["next"] && anew == [0; 3] {
            let cause = format!("the server does not get beyond the space {}", answer["next"]);
            return Err(Failure::new(Code::Server, cause).next("its log says more").into());
        }
        from = answer["next"].clone();
    }
}
