//! Everything that can be wrong with a path and a file, for real.

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use postrider_adapter_sqlite::{Database, FILE_NAME, OpenError, SCHEMA, Settings};
use sqlx::Connection;
use tempfile::TempDir;

use crate::rig::{Rig, by_hand, clock};

async fn refused(settings: &Settings) -> OpenError {
    match Database::open(settings, clock()).await {
        Ok(_) => panic!("{} must not open", settings.dir.display()),
        Err(error) => error,
    }
}

async fn refused_in(dir: &Path) -> OpenError {
    refused(&Settings::new(dir)).await
}

/// The error says where, and what to do about it.
fn helps(error: &OpenError, dir: &Path, fix: &str) {
    let text = error.to_string();
    assert!(text.contains(&dir.display().to_string()), "no path in: {text}");
    assert!(text.contains(fix), "no {fix:?} in: {text}");
}

async fn closed() -> TempDir {
    Rig::new().await.close().await.0
}

#[tokio::test]
async fn a_directory_that_is_missing_is_made() {
    let dir = tempfile::tempdir().expect("a directory");
    let deep = dir.path().join("a/b");
    let (_database, _driver) = Database::open(&Settings::new(&deep), clock()).await.expect("opens");
    assert!(deep.join(FILE_NAME).exists());
}

#[tokio::test]
async fn a_path_that_is_a_file_is_no_data_directory() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("file");
    std::fs::write(&file, "text").expect("written");
    for path in [file.clone(), file.join("below")] {
        let error = refused_in(&path).await;
        assert!(matches!(error, OpenError::NotADirectory(_)), "{error:?}");
        helps(&error, &file, "name a directory");
    }
}

#[tokio::test]
async fn a_place_where_nothing_can_be_made_is_not_permitted() {
    // The kernel's own file systems let nobody make a file, root included.
    let dir = Path::new("/proc/self/postrider");
    let error = refused_in(dir).await;
    assert!(matches!(error, OpenError::NotPermitted { .. }), "{error:?}");
    helps(&error, dir, "another data directory");
}

#[tokio::test]
async fn a_directory_in_the_files_place_is_not_permitted() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(dir.path().join(FILE_NAME)).expect("made");
    let error = refused_in(dir.path()).await;
    assert!(matches!(error, OpenError::NotPermitted { .. }), "{error:?}");
    helps(&error, dir.path(), "directory");
}

#[tokio::test]
async fn a_second_process_is_told_who_the_first_one_is() {
    let rig = Rig::new().await;
    let error = refused_in(rig.path()).await;
    let OpenError::InUse { pid, .. } = error else { panic!("{error:?}") };
    assert_eq!(pid, Some(std::process::id()));
    helps(&error, rig.path(), "stop that one");
    rig.reopen().await;
}

#[tokio::test]
async fn a_file_that_is_no_database_is_left_as_it_is() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join(FILE_NAME), "a diary, not a database").expect("written");
    let error = refused_in(dir.path()).await;
    assert!(matches!(error, OpenError::NotADatabase(_)), "{error:?}");
    helps(&error, dir.path(), "move it away");
    let text = std::fs::read_to_string(dir.path().join(FILE_NAME)).expect("read");
    assert_eq!(text, "a diary, not a database");
}

#[tokio::test]
async fn a_database_of_another_program_is_left_as_it_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut theirs = by_hand(dir.path()).await;
    sqlx::query("CREATE TABLE recipes (name TEXT)").execute(&mut theirs).await.expect("made");
    theirs.close().await.expect("closed");
    let before = std::fs::read(dir.path().join(FILE_NAME)).expect("read");
    let error = refused_in(dir.path()).await;
    assert!(matches!(error, OpenError::Foreign { found: 0, .. }), "{error:?}");
    helps(&error, dir.path(), "move it away");
    assert_eq!(std::fs::read(dir.path().join(FILE_NAME)).expect("read"), before);
}

#[tokio::test]
async fn a_start_that_was_broken_off_before_it_made_a_table_is_begun_again() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join(FILE_NAME), "").expect("written");
    let rig = Rig::over(dir, clock()).await;
    rig.publish(&["a"]).await;
}

#[tokio::test]
async fn a_newer_schema_is_refused_by_both_numbers() {
    let dir = closed().await;
    let mut newer = by_hand(dir.path()).await;
    sqlx::query("PRAGMA user_version = 7").execute(&mut newer).await.expect("set");
    newer.close().await.expect("closed");
    let error = refused_in(dir.path()).await;
    assert!(matches!(error, OpenError::Newer { found: 7, known: SCHEMA, .. }), "{error:?}");
    helps(&error, dir.path(), "newer");
}

#[tokio::test]
async fn an_addition_by_a_newer_release_does_not_keep_this_one_out() {
    let dir = closed().await;
    let mut newer = by_hand(dir.path()).await;
    for addition in [
        "ALTER TABLE webhooks ADD COLUMN colour TEXT",
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'colour', TRUE, x'00', 0)",
    ] {
        sqlx::query(addition).execute(&mut newer).await.expect("added");
    }
    newer.close().await.expect("closed");
    Rig::over(dir, clock()).await.publish(&["a"]).await;
}

#[tokio::test]
async fn a_file_that_another_program_has_locked_is_named_as_such() {
    let dir = closed().await;
    let mut shell = by_hand(dir.path()).await;
    sqlx::query("BEGIN EXCLUSIVE").execute(&mut shell).await.expect("locked");
    let error = refused_in(dir.path()).await;
    assert!(matches!(error, OpenError::Locked(_)), "{error:?}");
    helps(&error, dir.path(), "sqlite3 shell");
}

#[tokio::test]
async fn a_file_that_may_only_be_read_is_named_as_such() {
    let dir = closed().await;
    let path = dir.path().join(FILE_NAME);
    // "File format write version" above 2 means: read only (https://www.sqlite.org/fileformat.html §1.3.3). It binds
    // root too, whom no permission does.
    let mut file = std::fs::OpenOptions::new().read(true).write(true).open(&path).expect("opens");
    let mut version = [0];
    file.seek(SeekFrom::Start(18)).expect("there");
    file.read_exact(&mut version).expect("read");
    assert_eq!(version, [2], "WAL");
    file.seek(SeekFrom::Start(18)).expect("there");
    file.write_all(&[3]).expect("written");
    drop(file);
    let error = refused_in(dir.path()).await;
    assert!(matches!(error, OpenError::ReadOnly(_)), "{error:?}");
    helps(&error, dir.path(), "make it writable");
}

#[tokio::test]
async fn a_disk_without_room_for_the_tables_is_full() {
    let dir = tempfile::tempdir().expect("a directory");
    let settings = Settings { max_pages: Some(5), ..Settings::new(dir.path()) };
    let error = refused(&settings).await;
    assert!(matches!(error, OpenError::Full(_)), "{error:?}");
    helps(&error, dir.path(), "make room");
    // With room, the same directory opens.
    let (_database, _driver) = Database::open(&Settings::new(dir.path()), clock()).await.expect("opens");
}

#[tokio::test]
async fn a_damaged_file_is_named_as_such() {
    let dir = closed().await;
    let path = dir.path().join(FILE_NAME);
    let mut bytes = std::fs::read(&path).expect("read");
    // Everything behind the header of the file: the schema itself.
    bytes[100..4096].fill(0xa5);
    std::fs::write(&path, bytes).expect("written");
    let error = refused_in(dir.path()).await;
    assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
    helps(&error, dir.path(), "backup");
}
