//! The disk that a test fills: full it fails what a server wants to write, freed it does not, and nothing stays mounted.

use std::path::PathBuf;

use postrider_testkit::servers::disk::Disk;
use postrider_testkit::servers::postgres::{OnDisk, Server};
use postrider_testkit::servers::redis;

/// Enough for a new server and a few tables.
const MEBIBYTES: u32 = 160;

/// More than the space that a table or the log may still have to itself.
const LARGE: &str = "CREATE TABLE large AS SELECT repeat('x', 1000) FROM generate_series(1, 60000)";

/// Processes that still see something mounted there.
fn seen_by(place: &str) -> Vec<PathBuf> {
    let processes = std::fs::read_dir("/proc").expect("Linux").flatten().map(|entry| entry.path());
    let sees = |process: &PathBuf| {
        std::fs::read_to_string(process.join("mountinfo")).is_ok_and(|mounts| mounts.contains(place))
    };
    processes.filter(sees).collect()
}

#[tokio::test]
async fn a_full_disk_fails_what_is_written_until_it_is_freed() {
    let disk = Disk::mount(MEBIBYTES).await.expect("mounted");
    let server = Server::start_on(disk, OnDisk::Tables).await.expect("it starts");
    let disk = server.disk().expect("it is on a disk");
    disk.fill().expect("filled");
    let full = server.sql(LARGE).await.expect_err("no space");
    assert!(full.to_string().contains("No space left on device"), "{full}");
    disk.free().expect("freed");
    server.sql(LARGE).await.expect("space again");
}

#[tokio::test]
async fn a_server_whose_log_finds_no_space_ends_and_comes_back_when_it_does() {
    let disk = Disk::mount(MEBIBYTES).await.expect("mounted");
    let mut server = Server::start_on(disk, OnDisk::Everything).await.expect("it starts");
    server.sql("CREATE TABLE kept AS SELECT 1 AS one").await.expect("space");
    server.disk().expect("it is on a disk").fill().expect("filled");
    // Nothing but log: what is rolled back takes no other space.
    while server.sql("BEGIN; UPDATE kept SET one = one + 1; SELECT pg_switch_wal(); ROLLBACK").await.is_ok() {
    }
    server.ended().await.expect("it ends by itself");
    server.disk().expect("it is on a disk").free().expect("freed");
    server.start_again().await.expect("it starts again");
    server.sql("TABLE kept").await.expect("what was committed is there");
}

#[tokio::test]
async fn nothing_stays_mounted_when_a_test_panics() {
    let disk = Disk::mount(1).await.expect("mounted");
    let place = disk.place().into_owned();
    assert!(!seen_by(&place).is_empty(), "it is mounted for somebody");
    let panicking = std::thread::spawn(move || {
        let _held = disk;
        panic!("as a failed assertion does");
    });
    panicking.join().expect_err("it panicked");
    assert_eq!(seen_by(&place), Vec::<PathBuf>::new());
    assert!(!std::path::Path::new(&place).exists());
}

#[tokio::test]
async fn a_redis_that_keeps_what_it_is_told_knows_it_after_a_kill() {
    let mut server = redis::Server::start_keeping().await.expect("it starts");
    server.command("SET key value").await.expect("it answers");
    server.kill().await;
    server.start_again().await.expect("it starts again");
    assert_eq!(server.command("STRLEN key").await.expect("it answers"), ":5");
}
