//! What a `listen --forward-to` leaves behind that was killed: its webhook. A file beside it names the webhook, and a lock on
//! the file lives exactly as long as the process, so the next one can tell whose session is over and remove its webhook.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::webhooks::webhook_path;
use crate::client::Client;
use crate::output::{note, text};

/// Sessions that are looked at; more are not left behind by people.
const MOST: usize = 100;

/// The mark of a session that runs; gone with it.
pub(super) struct Mark {
    path: PathBuf,
    /// Locked.
    _file: File,
}

impl Mark {
    /// Marks a webhook as this session's. Best effort: without a folder to write to there is no mark.
    pub(super) fn set(webhook: &str, client: &Client) -> Option<Self> {
        let folder = folder()?;
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).ok()?;
        // The id was drawn by the server; as the name of a file it must not lead elsewhere.
        let name: String =
            webhook.chars().filter(|one| one.is_ascii_alphanumeric() || "_-".contains(*one)).collect();
        let path = folder.join(format!("{name}.json"));
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path).ok()?;
        file.lock().ok()?;
        let said = json!({ "server": client.base(), "space": client.space(), "webhook": webhook });
        file.write_all(said.to_string().as_bytes()).ok()?;
        Some(Self { path, _file: file })
    }

    /// The webhook is removed.
    pub(super) fn clear(&self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Removes the webhooks that sessions of this user left in this space. What cannot be removed stays for the next time.
pub(super) async fn sweep(client: &Client) {
    let entries = folder().and_then(|folder| std::fs::read_dir(folder).ok());
    for entry in entries.into_iter().flatten().flatten().take(MOST) {
        let Some(webhook) = left(&entry.path(), client) else { continue };
        let removed = client.delete(&webhook_path(client, &webhook)).await;
        let gone =
            removed.as_ref().err().is_some_and(|error| crate::code_of(error) == crate::exit::Code::NotFound);
        if removed.is_ok() {
            note(&format!("Removed webhook {webhook}, which a listen that was killed had left behind."));
        }
        if removed.is_ok() || gone {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// The webhook of a session that is over, if it was one of this server and space.
fn left(path: &Path, client: &Client) -> Option<String> {
    let mut file = File::open(path).ok()?;
    // Whoever holds the lock is alive.
    file.try_lock().ok()?;
    let mut said = String::new();
    file.read_to_string(&mut said).ok()?;
    let said: Value = serde_json::from_str(&said).ok()?;
    let here = text(&said, "/server") == client.base() && text(&said, "/space") == client.space();
    here.then(|| text(&said, "/webhook"))
}

/// Where sessions are marked: the usual place for what a program remembers of a user.
fn folder() -> Option<PathBuf> {
    Some(std::env::home_dir()?.join(".local/state/postrider/listen"))
}
