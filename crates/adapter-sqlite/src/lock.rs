//! One process per data directory, held by a lock that the operating system takes back when the process ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use crate::open_error::OpenError;

/// The lock's file, beside the database. It holds the process id of its owner as text, and stays when that ends.
const FILE_NAME: &str = "postrider.lock";

/// Takes the lock; it is held until the file is dropped.
pub(crate) fn take(dir: &Path) -> Result<File, OpenError> {
    let path = dir.join(FILE_NAME);
    let fail = |error: &std::io::Error| OpenError::from_io(&path, error);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|error| fail(&error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut owner = String::new();
            // Who it is only helps people: an owner that cannot be read is left out.
            let pid = file.read_to_string(&mut owner).ok().and_then(|_| owner.trim().parse().ok());
            return Err(OpenError::InUse { path: dir.to_owned(), pid });
        }
        Err(TryLockError::Error(error)) => return Err(fail(&error)),
    }
    let written = file
        .set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| file.write_all(std::process::id().to_string().as_bytes()));
    written.map_err(|error| fail(&error))?;
    Ok(file)
}
