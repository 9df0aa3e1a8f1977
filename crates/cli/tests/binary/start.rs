//! Starting, starting again, and every way in which a start fails: the exit code and what the message must say.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::{TempDir, tempdir};

use crate::process::{Ended, Running, run};

const ANY_PORT: [&str; 2] = ["--bind", "127.0.0.1:0"];

fn folder() -> TempDir {
    tempdir().expect("a folder")
}

fn serve(dir: &Path, arguments: &[&str]) -> Ended {
    run(dir, &[&["serve"], arguments].concat())
}

fn refused(ended: &Ended, code: i32, parts: &[&str]) {
    let said = ended.stderr();
    assert_eq!(ended.code(), code, "{said}");
    for part in parts {
        assert!(said.contains(part), "{part} is not in:\n{said}");
    }
}

#[test]
fn a_first_start_prints_a_token_and_a_later_one_keeps_it() {
    let dir = folder();
    let arguments = ["serve", "--json", "--bind", "127.0.0.1:0"];
    let (first, said) = Running::start(dir.path(), &arguments);
    let token = said["token"].as_str().expect("a token on first start").to_owned();
    let file = dir.path().join("postrider-data/cli.toml");
    let written = std::fs::read_to_string(&file).expect("cli.toml");
    assert!(written.contains(&token) && written.contains(said["url"].as_str().expect("a url")), "{written}");
    for private in ["cli.toml", "keys"] {
        let mode =
            dir.path().join("postrider-data").join(private).metadata().expect(private).permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{private}");
    }
    assert_eq!(first.terminate(), 0);

    let (second, said) = Running::start(dir.path(), &arguments);
    assert!(said["token"].is_null(), "{said}");
    assert!(
        std::fs::read_to_string(&file).expect("cli.toml").contains(&token),
        "the token stays in cli.toml"
    );
    assert_eq!(run(dir.path(), &["webhooks", "list"]).code(), 0, "the token still opens the door");
    assert_eq!(second.terminate(), 0);
}

#[test]
fn a_lost_token_is_replaced_by_whoever_holds_the_data_folder() {
    let dir = folder();
    let arguments = ["serve", "--json", "--bind", "127.0.0.1:0", "--new-token"];
    let (first, said) = Running::start(dir.path(), &arguments);
    let lost = said["token"].as_str().expect("a token").to_owned();
    assert_eq!(first.terminate(), 0);
    std::fs::remove_file(dir.path().join("postrider-data/cli.toml")).expect("it was there");
    let (second, said) = Running::start(dir.path(), &arguments);
    assert_ne!(said["token"], lost.as_str());
    assert_eq!(run(dir.path(), &["webhooks", "list"]).code(), 0);
    assert_eq!(second.terminate(), 0);
}

#[test]
fn a_port_in_use_is_named_with_the_setting_that_changes_it() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    let dir = folder();
    refused(&serve(dir.path(), &["--bind", &address]), 69, &["already in use", "server.bind", "--bind"]);
    assert!(!dir.path().join("postrider-data").exists(), "nothing is made before the port is had");
}

#[test]
fn a_folder_that_another_process_uses_is_refused_with_its_pid() {
    let dir = folder();
    let (first, _) = Running::start(dir.path(), &["serve", "--json", "--bind", "127.0.0.1:0"]);
    refused(&serve(dir.path(), &ANY_PORT), 69, &["in use by another postrider (pid ", "data.dir"]);
    assert_eq!(first.terminate(), 0);
}

#[test]
fn a_file_that_is_no_database_is_left_alone() {
    let dir = folder();
    let data = dir.path().join("postrider-data");
    std::fs::create_dir(&data).expect("a folder");
    std::fs::write(data.join("postrider.db"), "a shopping list, not a database").expect("a file");
    refused(&serve(dir.path(), &ANY_PORT), 69, &["is not a SQLite database", "move it away"]);
    let after = std::fs::read_to_string(data.join("postrider.db")).expect("the file");
    assert_eq!(after, "a shopping list, not a database");
}

#[test]
fn a_database_of_another_program_is_left_alone() {
    let dir = folder();
    let data = dir.path().join("postrider-data");
    std::fs::create_dir(&data).expect("a folder");
    std::fs::write(data.join("postrider.db"), foreign_database()).expect("a file");
    refused(&serve(dir.path(), &ANY_PORT), 69, &["database of another program", "0x12345678"]);
    assert_eq!(std::fs::read(data.join("postrider.db")).expect("the file"), foreign_database());
}

#[test]
fn a_data_folder_that_is_a_file_is_named() {
    let dir = folder();
    std::fs::write(dir.path().join("occupied"), "").expect("a file");
    refused(
        &serve(dir.path(), &["--data-dir", "occupied", "--bind", "127.0.0.1:0"]),
        69,
        &["occupied", "not a directory"],
    );
}

#[test]
fn a_key_ring_that_cannot_be_read_is_named_and_not_shown() {
    let dir = folder();
    std::fs::write(dir.path().join("ring"), "hush, no key ring").expect("a file");
    let ended = serve(dir.path(), &["--set", "keys.file=ring", "--bind", "127.0.0.1:0"]);
    refused(&ended, 69, &["ring"]);
    assert!(!ended.stderr().contains("hush"), "{}", ended.stderr());
}

#[test]
fn a_faulty_configuration_exits_with_78_and_names_every_fault() {
    let dir = folder();
    std::fs::write(
        dir.path().join("postrider.toml"),
        "[server]\nbnid = \"x\"\n[log]\nfilter = \"postrider=lout\"\n",
    )
    .expect("a file");
    let arguments = ["--set", "retention.days=x"];
    refused(&serve(dir.path(), &arguments), 78, &["did you mean server.bind", "retention.days"]);
    refused(&run(dir.path(), &["config", "check"]), 78, &["did you mean server.bind", "file postrider.toml"]);
    std::fs::write(dir.path().join("postrider.toml"), "[log]\nfilter = \"postrider=lout\"\n")
        .expect("a file");
    refused(&serve(dir.path(), &ANY_PORT), 78, &["log.filter", "postrider=lout"]);
}

/// The smallest SQLite database: one empty page, with an application id (<https://www.sqlite.org/fileformat.html> §1.3).
fn foreign_database() -> Vec<u8> {
    let mut page = vec![0; 4096];
    page[..16].copy_from_slice(b"SQLite format 3\0");
    page[16..24].copy_from_slice(&[0x10, 0, 1, 1, 0, 64, 32, 32]);
    for (offset, value) in
        [(24, 1_u32), (28, 1), (44, 4), (56, 1), (68, 0x1234_5678), (92, 1), (96, 3_045_000)]
    {
        page[offset..offset + 4].copy_from_slice(&value.to_be_bytes());
    }
    page[100..108].copy_from_slice(&[0x0d, 0, 0, 0, 0, 0x10, 0, 0]);
    page
}
