//! `postrider keys`: the key ring that seals secrets.

use clap::{Args, Subcommand};
use postrider_vault::Key;
use serde_json::{Value, json};

use super::keys_file::{RingFile, look};
use super::keys_rotate::{self, Rotate};
use super::keys_server::{ServerKey, is_away, keys_of, reseal};
use crate::Context;
use crate::client::{Account, Client};
use crate::compose::keyring::new_key;
use crate::compose::random::OsRandom;
use crate::exit::{Code, Failure};
use crate::output::{line, note, table};

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Print a new key: one line of a ring, whose first key seals
    New {
        /// Its id, which every sealed value names
        #[arg(long, value_name = "KEY", default_value = "k1")]
        id: String,
    },
    /// List the keys of the ring, and how many secrets are sealed with each; never the keys themselves
    List(Ask),
    /// Let a new key take over while the server runs: add it, make it seal, seal everything stored anew
    Rotate(Rotate),
    /// Add a new key to the ring's file, where it opens and does not seal yet
    Add {
        /// Its id [default: k and the next number]
        #[arg(long, value_name = "KEY")]
        id: Option<String>,
    },
    /// Put a key of the ring's file in front, where it seals
    Activate {
        /// The key's id
        #[arg(value_name = "KEY")]
        id: String,
    },
    /// Seal everything stored anew with the key that seals; can be repeated
    Reseal(Ask),
    /// Remove a key from the ring's file, once nothing stored is sealed with it
    Forget(Forget),
}

/// The flags of a command that only asks the server.
#[derive(Debug, Args)]
pub struct Ask {
    #[command(flatten)]
    account: Account,
}

/// The flags of `keys forget`.
#[derive(Debug, Args)]
pub struct Forget {
    /// The key's id
    #[arg(value_name = "KEY")]
    id: String,
    #[command(flatten)]
    account: Account,
}

/// Runs `keys …`.
pub async fn run(keys: Keys, context: &Context) -> anyhow::Result<Code> {
    let output = context.output;
    match keys {
        Keys::New { id } => {
            let key = made(&id)?;
            let key = key.to_line();
            line(&if output.json {
                json!({ "id": id, "key": key.as_str() }).to_string()
            } else {
                key.to_string()
            });
        }
        Keys::List(ask) => list(&ask.account, context).await?,
        Keys::Rotate(rotate) => return keys_rotate::run(&rotate, context).await,
        Keys::Add { id } => {
            let mut file = RingFile::open(&context.settings)?;
            let id = id.unwrap_or_else(|| file.text().free_id());
            let key = made(&id)?;
            file.change(|ring| ring.add(&key))?;
            let text = format!(
                "added {id} to {}: it opens, and does not seal yet. Once every process knows it: `postrider keys activate {id}`",
                file.shown()
            );
            output.print(&json!({ "added": id }), |_| text);
        }
        Keys::Activate { id } => {
            let mut file = RingFile::open(&context.settings)?;
            file.change(|ring| ring.activate(&id))?;
            let text = format!(
                "{id} seals as soon as a process has read {}; then: `postrider keys reseal`",
                file.shown()
            );
            output.print(&json!({ "activated": id }), |_| text);
        }
        Keys::Reseal(ask) => {
            let done = reseal(&ask.account.client(context)?, None).await?;
            output.print(&done.json(), |_| done.text());
            return Ok(if done.failures == 0 { Code::Ok } else { Code::Failure });
        }
        Keys::Forget(forget) => {
            let client = forget.account.client(context)?;
            self::forget(&forget.id, &client, context).await?;
        }
    }
    Ok(Code::Ok)
}

/// A new key of this id.
pub(super) fn made(id: &str) -> Result<Key, Failure> {
    new_key(id, &OsRandom).ok_or_else(|| {
        Failure::new(Code::Invalid, format!("{id:?} cannot be the id of a key"))
            .next("write 1 to 32 of A-Z a-z 0-9 _ -, such as k2")
    })
}

/// What the file has and what the server has, side by side; either may be missing, not both.
async fn list(account: &Account, context: &Context) -> anyhow::Result<()> {
    let found = look(&context.settings)?;
    let server = match account.client(context) {
        Ok(client) if found.is_some() && is_away(&client).await => {
            note(&format!(
                "nobody answers at {}: it is not known what is sealed with which key",
                client.base()
            ));
            None
        }
        Ok(client) => Some(keys_of(&client).await?),
        Err(_) if found.is_some() => None,
        Err(error) => return Err(error),
    };
    let in_file = found.as_ref().map(|(_, ring)| ring.ids());
    let mut ids: Vec<&str> = in_file.into_iter().flatten().map(String::as_str).collect();
    for key in server.iter().flatten() {
        if !ids.contains(&key.id.as_str()) {
            ids.push(&key.id);
        }
    }
    let rows: Vec<Value> = ids.iter().map(|id| row(id, in_file, server.as_deref())).collect();
    let file = found.as_ref().map(|(path, _)| path.display().to_string());
    context.output.print(&json!({ "file": file, "keys": rows }), |_| shown(&rows));
    Ok(())
}

fn row(id: &str, in_file: Option<&[String]>, server: Option<&[ServerKey]>) -> Value {
    let key = server.and_then(|keys| keys.iter().find(|key| key.id == id));
    let seals_by_file = in_file.map(|ids| ids.first().is_some_and(|first| first == id));
    json!({
        "id": id,
        "inFile": in_file.map(|ids| ids.iter().any(|known| known == id)),
        "inServer": server.map(|_| key.is_some_and(|key| key.in_ring)),
        "active": seals_by_file.unwrap_or_else(|| key.is_some_and(|key| key.active)),
        "sealed": server.map(|_| key.map_or_else(none_sealed, |key| key.sealed.clone())),
    })
}

fn none_sealed() -> Value {
    json!({ "webhooks": 0, "sources": 0, "settings": 0 })
}

fn shown(rows: &[Value]) -> String {
    let word = |value: &Value| match value {
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Null => "-".to_owned(),
        other => other.as_str().map_or_else(|| other.to_string(), str::to_owned),
    };
    let cells = rows.iter().map(|row| {
        let sealed = |kind: &str| word(&row["sealed"][kind]);
        [
            word(&row["id"]),
            word(&row["active"]),
            word(&row["inFile"]),
            word(&row["inServer"]),
            sealed("webhooks"),
            sealed("sources"),
            sealed("settings"),
        ]
    });
    table(["key", "seals", "in the file", "in the server", "of webhooks", "of sources", "of spaces"], cells)
}

/// Removes a key that nothing needs.
async fn forget(id: &str, client: &Client, context: &Context) -> anyhow::Result<()> {
    let mut file = RingFile::open(&context.settings)?;
    let keys = keys_of(client).await?;
    if let Some(used) = keys.iter().find(|key| key.id == id && key.total() > 0) {
        let cause =
            format!("{} secrets are sealed with {id}: without it they would not open any more", used.total());
        return Err(Failure::new(Code::Failure, cause)
            .next("`postrider keys reseal` seals them anew")
            .into());
    }
    if keys.iter().any(|key| key.id == id && key.active) {
        let cause = format!("the server {} seals with {id}", client.base());
        return Err(Failure::new(Code::Failure, cause)
            .next("`postrider keys rotate` lets a new key take over")
            .into());
    }
    file.change(|ring| ring.remove(id))?;
    // The process that answers lets go of it at once; the others do when they read the ring next.
    keys_of(client).await?;
    let text = format!(
        "removed {id} from {}. Secrets in backups of the database that were sealed with it open only with a copy of it.",
        file.shown()
    );
    context.output.print(&json!({ "forgotten": id }), |_| text);
    Ok(())
}
