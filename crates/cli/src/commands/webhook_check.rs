//! Before `webhooks apply` changes anything: whether the server would take every webhook as the file has it.

use postrider_adapter_http::operator::OperatorRequest;
use postrider_domain::webhook::Method;
use serde_json::{Value, json};

use super::webhook_file::Kept;
use crate::client::Client;
use crate::exit::{Code, Failure};

/// Stands for a secret that the file leaves out because the server has it.
const KEPT_SECRET: &str = "kept-by-the-server";

/// Asks the server about each webhook; a preview saves nothing.
///
/// # Errors
/// With all that is wrong with all of them.
pub(super) async fn check(client: &Client, wanted: &[(&Kept, bool)]) -> anyhow::Result<()> {
    let mut faults = Vec::new();
    for (kept, is_there) in wanted {
        let body = json!({ "webhook": draft(kept, *is_there) });
        let path = client.in_space("/webhook_definitions/preview");
        let request = OperatorRequest::send(Method::Post, path, body.to_string());
        if let Some(said) = client.faults(request).await? {
            faults.push(format!("{} ({:?}): {said}", kept.place, kept.id));
        }
    }
    if faults.is_empty() {
        return Ok(());
    }
    let said = format!("nothing was changed, because the server would not take this\n{}", faults.join("\n"));
    Err(Failure::new(Code::Invalid, said).next("mend the file, and apply it again").into())
}

/// The webhook as it would be saved: what the server has of its secrets counts as given.
fn draft(kept: &Kept, is_there: bool) -> Value {
    let mut fields = kept.fields.clone();
    if is_there {
        for header in fields.get_mut("headers").and_then(Value::as_array_mut).into_iter().flatten() {
            if header["secret"] == json!(true) && header["value"].is_null() {
                header["value"] = json!(KEPT_SECRET);
            }
        }
        if fields.contains_key("httpBasicUsername") {
            fields.entry("httpBasicPassword").or_insert_with(|| json!(KEPT_SECRET));
        }
    }
    // The API names fields from the webhook on.
    Value::Object(fields)
}
