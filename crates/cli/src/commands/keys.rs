//! `postrider keys`: the key ring that seals secrets.

use clap::Subcommand;

use crate::compose::keyring::new_key;
use crate::compose::random::OsRandom;
use crate::exit::{Code, Failure};
use crate::output::{Output, line};
use serde_json::json;

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Print a new key: one line of a ring, whose first key seals
    New {
        /// Its id, which every sealed value names
        #[arg(long, default_value = "k1")]
        id: String,
    },
}

/// Makes a key. It is stored nowhere.
pub fn run(keys: &Keys, output: Output) -> anyhow::Result<Code> {
    let Keys::New { id } = keys;
    let key = new_key(id, &OsRandom).map(|key| key.to_line().as_str().to_owned()).ok_or_else(|| {
        Failure::new(Code::Invalid, format!("{id:?} cannot be the id of a key"))
            .next("write 1 to 32 of A-Z a-z 0-9 _ -, such as k2")
    })?;
    line(&if output.json { json!({ "id": id, "key": key }).to_string() } else { key });
    Ok(Code::Ok)
}
