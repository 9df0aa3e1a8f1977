//! `postrider keys` on the ring of a data folder: its file keeps what is not changed, its mode and its place.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use tempfile::tempdir;

use crate::process::{Ended, Running, postrider, run};

const FILE: &str = "postrider-data/keys";

fn server(dir: &Path) -> Running {
    Running::start(dir, &["serve", "--json", "--bind", "127.0.0.1:0"]).0
}

fn ring(dir: &Path) -> String {
    fs::read_to_string(dir.join(FILE)).expect("the key ring")
}

/// The ids in the ring's file, in its order.
fn ids(dir: &Path) -> Vec<String> {
    let ring = ring(dir);
    let keys = ring.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    keys.map(|line| line.split(':').next().expect("an id").to_owned()).collect()
}

fn mode(dir: &Path) -> u32 {
    fs::metadata(dir.join(FILE)).expect("the key ring").permissions().mode() & 0o777
}

/// Nothing that was printed holds a key of the ring.
#[track_caller]
fn assert_silent(dir: &Path, ended: &Ended) {
    let said = ended.stdout() + &ended.stderr();
    for bits in ring(dir).lines().filter_map(|line| line.split_once(':')).map(|(_, bits)| bits) {
        assert!(!said.contains(bits), "it shows a key");
    }
}

#[test]
fn a_rotation_without_a_server_changes_the_file_and_the_next_start_goes_on() {
    let dir = tempdir().expect("a folder");
    let dir = dir.path();
    let first = server(dir);
    let webhook = ["webhooks", "create", "--name", "w", "--url", "https://example.com/", "--topic", "*.*"];
    let made = run(dir, &[&webhook[..], &["--secret-header", "X-Key=hush-hush"]].concat());
    assert_eq!(made.code(), 0, "{}", made.stderr());
    assert_eq!(first.terminate(), 0);
    let head = ring(dir).lines().next().expect("a remark").to_owned();

    let rotated = run(dir, &["keys", "rotate"]);
    assert_eq!(rotated.code(), 0, "{}", rotated.stderr());
    assert!(rotated.stdout().contains("postrider keys reseal"), "{}", rotated.stdout());
    assert_silent(dir, &rotated);
    assert_eq!((ids(dir), mode(dir)), (vec!["k2".to_owned(), "k1".to_owned()], 0o600));
    assert!(ring(dir).starts_with(&head), "remarks stay");

    let second = server(dir);
    let listed = run(dir, &["keys", "list"]);
    assert!(listed.stdout().contains("of webhooks"), "{}", listed.stdout());
    assert_silent(dir, &listed);
    let keys = run(dir, &["keys", "list", "--json"]).json()["keys"].clone();
    assert_eq!((&keys[0]["id"], &keys[0]["active"]), (&"k2".into(), &true.into()), "{keys}");
    assert_eq!(keys[1]["sealed"]["webhooks"], 1, "{keys}");
    let early = run(dir, &["keys", "forget", "k1"]);
    assert_eq!(early.code(), 1, "{}", early.stdout());
    assert!(early.stderr().contains("1 secrets") && early.stderr().contains("reseal"), "{}", early.stderr());
    let resealed = run(dir, &["keys", "reseal"]);
    assert!(resealed.stdout().contains("with k2: 1 secrets of webhooks"), "{}", resealed.stdout());
    let forgotten = run(dir, &["keys", "forget", "k1"]);
    assert_eq!((forgotten.code(), ids(dir)), (0, vec!["k2".to_owned()]), "{}", forgotten.stderr());
    assert_eq!(second.terminate(), 0);
}

#[test]
fn the_file_of_a_ring_keeps_its_place_and_who_may_read_it() {
    let dir = tempdir().expect("a folder");
    let dir = dir.path();
    assert_eq!(server(dir).terminate(), 0);
    // The ring is kept elsewhere, and a group reads it.
    let kept = dir.join("kept");
    fs::create_dir(&kept).expect("a folder");
    fs::rename(dir.join(FILE), kept.join("ring")).expect("moved");
    fs::set_permissions(kept.join("ring"), Permissions::from_mode(0o644)).expect("readable");
    symlink(kept.join("ring"), dir.join(FILE)).expect("a link");
    let added = run(dir, &["keys", "add"]);
    assert_eq!(added.code(), 0, "{}", added.stderr());
    assert_silent(dir, &added);
    assert!(fs::symlink_metadata(dir.join(FILE)).expect("a link").is_symlink(), "the link stays");
    assert_eq!(
        (ids(dir), mode(dir)),
        (vec!["k1".to_owned(), "k2".to_owned()], 0o640),
        "others may not read it"
    );
    assert_eq!(fs::read_dir(&kept).expect("a folder").count(), 1, "nothing else is left behind");
    assert_eq!(run(dir, &["keys", "activate", "k2"]).code(), 0);
    assert_eq!(ids(dir), ["k2", "k1"]);
}

#[test]
fn one_command_at_a_time_changes_a_ring() {
    let dir = tempdir().expect("a folder");
    let dir = dir.path();
    assert_eq!(server(dir).terminate(), 0);
    let folder = File::open(dir.join("postrider-data")).expect("a folder");
    folder.lock().expect("a lock");
    let before = ring(dir);
    let held = run(dir, &["keys", "add"]);
    assert_eq!(held.code(), 1);
    assert!(held.stderr().contains("another command is changing"), "{}", held.stderr());
    assert_eq!(ring(dir), before);
    folder.unlock().expect("unlocked");
    assert_eq!(run(dir, &["keys", "add"]).code(), 0);
}

#[test]
fn what_cannot_be_done_with_a_ring_says_why_and_changes_nothing() {
    let dir = tempdir().expect("a folder");
    let dir = dir.path();
    let nowhere = run(dir, &["keys", "add"]);
    assert_eq!(nowhere.code(), 6);
    assert!(nowhere.stderr().contains("keys.file=FILE"), "{}", nowhere.stderr());

    let server = server(dir);
    let before = ring(dir);
    let cases: [(&[&str], i32, &str); 6] = [
        (&["keys", "add", "--id", "k1"], 6, "another id"),
        (&["keys", "add", "--id", "k 1"], 6, "A-Z a-z 0-9"),
        (&["keys", "activate", "k7"], 5, "it has k1"),
        (&["keys", "forget", "k7"], 5, "it has k1"),
        (&["keys", "forget", "k1"], 1, "keys rotate"),
        (&["keys", "rotate", "--set", "keys.file=elsewhere"], 6, "elsewhere"),
    ];
    for (arguments, code, part) in cases {
        let ended = run(dir, arguments);
        assert_eq!(ended.code(), code, "{arguments:?}: {} {}", ended.stdout(), ended.stderr());
        assert!(ended.stderr().contains(part), "{arguments:?}: {}", ended.stderr());
        assert_silent(dir, &ended);
    }
    assert_eq!(ring(dir), before);

    // The server reads another ring than the one that is changed here.
    fs::write(dir.join("copy"), &before).expect("a file");
    let other = run(dir, &["keys", "rotate", "--set", "keys.file=copy"]);
    assert_eq!(other.code(), 1, "{}", other.stdout());
    assert!(
        other.stderr().contains("does not know k2") && other.stderr().contains("--id k2"),
        "{}",
        other.stderr()
    );
    let mut given = postrider(dir, &["keys", "add"]);
    let given = given.env("POSTRIDER__KEYS__VALUE", &before).output().expect("the binary runs");
    let said = String::from_utf8_lossy(&given.stderr);
    assert!(said.contains("keys.value") && said.contains("deployment.md"), "{said}");
    assert_eq!(server.terminate(), 0);
}
