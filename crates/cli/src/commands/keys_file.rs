//! The file of the key ring, changed by one command at a time and replaced whole.

use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use postrider_vault::{InvalidEdit, InvalidKeys, RingText};

use crate::compose::keyring::{read_ring, ring_file};
use crate::exit::{Code, Failure};
use crate::settings::Settings;

/// A ring in its file. While it is held no other command changes it.
pub(super) struct RingFile {
    path: PathBuf,
    text: RingText,
    /// The folder, locked: the file itself is another one after each change.
    _folder: File,
}

impl RingFile {
    /// Opens the ring of these settings to change it.
    ///
    /// # Errors
    /// When there is none in a file, another command is changing it, or it has a fault.
    pub(super) fn open(settings: &Settings) -> Result<Self, Failure> {
        let named = ring_file(settings).ok_or_else(no_file)?;
        let cannot = |error: &io::Error| unreadable(&named, error);
        // A link stays one: what it leads to is replaced.
        let path = named.canonicalize().map_err(|error| cannot(&error))?;
        let folder = File::open(folder_of(&path)).map_err(|error| cannot(&error))?;
        match folder.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let cause = format!("another command is changing the key ring {}", path.display());
                return Err(Failure::new(Code::Failure, cause).next("wait for its end, and try again"));
            }
            Err(TryLockError::Error(error)) => return Err(cannot(&error)),
        }
        let text = read(&path)?;
        Ok(Self { path, text, _folder: folder })
    }

    /// The ring as it stands in the file.
    pub(super) fn text(&self) -> &RingText {
        &self.text
    }

    /// The file, for people.
    pub(super) fn shown(&self) -> String {
        self.path.display().to_string()
    }

    /// Replaces the file whole: who reads it sees the old ring or the new one. Owner and group stay; others than these
    /// may not read it, whatever was before.
    ///
    /// # Errors
    /// When the change is none that a ring takes, or the file cannot be written.
    pub(super) fn change(
        &mut self,
        change: impl FnOnce(&RingText) -> Result<RingText, InvalidEdit>,
    ) -> Result<(), Failure> {
        let text = change(&self.text).map_err(|error| refused(&error))?;
        replace(&self.path, text.as_str()).map_err(|error| {
            let cause = format!("the key ring {} cannot be written: {error}", self.path.display());
            Failure::new(Code::Failure, cause).next(
                "run this where the file is kept and may be written; a ring that is mounted from a secret is changed there",
            )
        })?;
        self.text = text;
        Ok(())
    }
}

/// The ring in its file, only to look; `None` when there is no file.
pub(super) fn look(settings: &Settings) -> Result<Option<(PathBuf, RingText)>, Failure> {
    let Some(path) = ring_file(settings).filter(|path| path.exists()) else { return Ok(None) };
    let text = read(&path)?;
    Ok(Some((path, text)))
}

fn read(path: &Path) -> Result<RingText, Failure> {
    let text = read_ring(path).map_err(|error| unreadable(path, &error))?;
    RingText::parse(text).map_err(|error: InvalidKeys| {
        Failure::new(Code::Invalid, format!("{} cannot be used: {error}", path.display()))
    })
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let old = std::fs::metadata(path)?;
    let new = path.with_extension("new");
    let written = write(&new, text, &old).and_then(|()| std::fs::rename(&new, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&new);
    }
    written?;
    File::open(folder_of(path))?.sync_all()
}

fn write(new: &Path, text: &str, old: &std::fs::Metadata) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(new)?;
    let made = file.metadata()?;
    if (made.uid(), made.gid()) != (old.uid(), old.gid()) {
        fchown(&file, Some(old.uid()), Some(old.gid()))?;
    }
    // What the group might do it still may: processes of other users read a shared ring so.
    file.set_permissions(Permissions::from_mode(0o600 | (old.mode() & 0o070)))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn no_file() -> Failure {
    let cause = "the key ring is the setting keys.value, which a command can neither change nor make processes read again";
    Failure::new(Code::Invalid, cause).next(
        "put the line of `postrider keys new --id …` into it and start the processes again, in the steps of \
         docs/deployment.md; or keep the ring in a file (keys.file), which is read while they run",
    )
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let cause = format!("the key ring {} cannot be read: {error}", path.display());
    Failure::new(Code::Invalid, cause)
        .next("run this where the ring is kept, and name it with --data-dir or --set keys.file=FILE")
}

fn refused(error: &InvalidEdit) -> Failure {
    let code = if matches!(error, InvalidEdit::Missing { .. }) { Code::NotFound } else { Code::Invalid };
    Failure::new(code, error.to_string())
}
