//! `postrider keys rotate`: a new key takes over while the server runs, in an order in which every secret opens at every
//! moment: added, known to the server, active, everything sealed anew.

use clap::Args;
use serde_json::{Value, json};

use super::keys::made;
use super::keys_file::RingFile;
use super::keys_server::{Resealed, ServerKey, is_away, keys_of, reseal};
use crate::Context;
use crate::client::{Account, Client};
use crate::exit::{Code, Failure};
use crate::output::note;

/// The flags of `keys rotate`.
#[derive(Debug, Args)]
pub struct Rotate {
    /// The id of the new key, or of one that is in the ring already, to go on with it [default: k and the next number]
    #[arg(long)]
    id: Option<String>,
    #[command(flatten)]
    account: Account,
}

/// Rotates; run again with the same id it goes on where it ended.
pub(super) async fn run(rotate: &Rotate, context: &Context) -> anyhow::Result<Code> {
    let mut file = RingFile::open(&context.settings)?;
    let id = rotate.id.clone().unwrap_or_else(|| file.text().free_id());
    if !file.text().ids().contains(&id) {
        let key = made(&id)?;
        file.change(|ring| ring.add(&key))?;
        note(&format!("{id} is in {}: it opens, and does not seal yet", file.shown()));
    }
    let done = take_over(rotate, context, &mut file, &id).await;
    done.map_err(|error| go_on(error, &id))
}

async fn take_over(
    rotate: &Rotate,
    context: &Context,
    file: &mut RingFile,
    id: &str,
) -> anyhow::Result<Code> {
    let client = match running(rotate, context).await? {
        Ok(client) => client,
        // Nobody but the one process uses the data folder's own ring, so there is nobody to wait for.
        Err(_) if context.settings.keys.file.is_none() => return without_server(context, file, id),
        Err(away) => {
            let cause = format!("{away}, so nobody says that all processes know {id}; it does not seal yet");
            let next = "start the API, or follow the steps in docs/deployment.md";
            return Err(Failure::new(Code::Server, cause).next(next).into());
        }
    };
    let known = keys_of(&client).await?;
    if !known.iter().any(|key| key.id == id && key.in_ring) {
        let cause = format!(
            "the server {} does not know {id}: it reads another ring than {}",
            client.base(),
            file.shown()
        );
        let next = "name the server's own file with --set keys.file=FILE; where each process has a copy, or keys.value, \
                    follow the steps in docs/deployment.md";
        return Err(Failure::new(Code::Failure, cause).next(next).into());
    }
    file.change(|ring| ring.activate(id))?;
    note(&format!("{id} seals from now on"));
    let resealed = reseal(&client, Some(id)).await?;
    let remaining = keys_of(&client).await?;
    context.output.print(&written(id, &resealed, &remaining), |_| told(id, &resealed, &remaining));
    Ok(if resealed.failures == 0 { Code::Ok } else { Code::Failure })
}

/// The server, or why it is taken to be stopped.
async fn running(rotate: &Rotate, context: &Context) -> anyhow::Result<Result<Client, String>> {
    let client = match rotate.account.client(context) {
        Ok(client) => client,
        Err(unknown) if context.settings.keys.file.is_none() => return Ok(Err(unknown.to_string())),
        Err(unknown) => return Err(unknown),
    };
    if is_away(&client).await {
        return Ok(Err(format!("nobody answers at {}", client.base())));
    }
    Ok(Ok(client))
}

/// The part of it that a file takes.
fn without_server(context: &Context, file: &mut RingFile, id: &str) -> anyhow::Result<Code> {
    file.change(|ring| ring.activate(id))?;
    let next = "postrider keys reseal";
    context.output.print(&json!({ "key": id, "next": next }), |_| {
        format!(
            "{id} seals from the next start on. No server runs, so what is stored is still sealed with older keys: start it, \
             then run `{next}`"
        )
    });
    Ok(Code::Ok)
}

fn written(id: &str, resealed: &Resealed, remaining: &[ServerKey]) -> Value {
    let others = remaining.iter().filter(|key| !key.active);
    let mut written = resealed.json();
    written["key"] = json!(id);
    written["remaining"] = others.map(|key| json!({ "key": key.id, "sealed": key.sealed })).collect();
    written
}

fn told(id: &str, resealed: &Resealed, remaining: &[ServerKey]) -> String {
    let mut text = resealed.text();
    for key in remaining.iter().filter(|key| key.id != id) {
        let old = &key.id;
        text = match (key.total(), key.in_ring) {
            (0, _) => {
                format!("{text}\nnothing is sealed with {old}: `postrider keys forget {old}` removes it")
            }
            (left, true) => {
                format!(
                    "{text}\n{left} secrets are still sealed with {old}: `postrider keys reseal` tries them again"
                )
            }
            (left, false) => format!(
                "{text}\n{left} secrets are sealed with {old}, which the server does not have: add its line to the ring, or \
                 give those secrets anew"
            ),
        };
    }
    format!("{text}\nKeep old keys as long as backups of the database that need them.")
}

/// Whatever kept it from its end, it can be taken up again.
fn go_on(error: anyhow::Error, id: &str) -> anyhow::Error {
    let again = format!("`postrider keys rotate --id {id}` goes on from here");
    match error.downcast::<Failure>() {
        Ok(failure) => {
            let next = failure.next.map_or_else(|| again.clone(), |next| format!("{next}; then {again}"));
            Failure { code: failure.code, cause: failure.cause, next: Some(next) }.into()
        }
        Err(other) => other.context(again),
    }
}
