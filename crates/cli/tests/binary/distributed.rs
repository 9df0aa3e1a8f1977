//! The processes of the distributed system where their servers are away or misnamed: alive, honest, and never silent.
//! With their servers they are the matter of the stories in `tests/e2e`.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

use serde_json::Value;
use tempfile::tempdir;

use crate::process::{Ended, Running, run};

/// An address that nobody listens on: its port was bound a moment ago.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").to_string()
}

/// Settings that name servers which are away.
fn away() -> Vec<String> {
    let key = run(Path::new("/"), &["keys", "new"]).stdout();
    let set = |name: &str, value: String| ["--set".to_owned(), format!("{name}={value}")];
    [
        set("amqp.url", format!("amqp://carl:secret@{}/live", nobody())),
        set("redis.url", format!("redis://:secret@{}/3", nobody())),
        set("postgres.url", format!("postgres://carl:secret@{}/live", nobody())),
        set("keys.value", key.trim().to_owned()),
    ]
    .concat()
}

fn with<'a>(command: &[&'a str], settings: &'a [String]) -> Vec<&'a str> {
    command.iter().copied().chain(settings.iter().map(String::as_str)).collect()
}

fn get(url: &str, path: &str) -> (u16, String) {
    let authority = url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(authority).expect("it listens");
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n").expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, answer.split_once("\r\n\r\n").expect("a body").1.to_owned())
}

fn refused(ended: &Ended, code: i32, parts: &[&str]) {
    let said = ended.stderr();
    assert_eq!(ended.code(), code, "{said}");
    for part in parts {
        assert!(said.contains(part), "{part} is not in:\n{said}");
    }
    assert!(!said.contains("secret"), "a password is shown:\n{said}");
}

#[test]
fn a_process_whose_servers_are_away_is_alive_says_so_and_stops_when_asked() {
    let settings = away();
    for role in ["ingest", "dispatcher", "log-writer", "jobs", "api"] {
        let dir = tempdir().expect("a folder");
        let (process, said) =
            Running::start(dir.path(), &with(&[role, "--json", "--bind", "127.0.0.1:0"], &settings));
        assert_eq!(said["service"], role);
        let url = said["url"].as_str().expect("an address");
        assert_eq!(get(url, "/livez").0, 200, "{role}");
        // The first refusal of a server comes within milliseconds; until then it is starting.
        let waits = loop {
            let (status, body) = get(url, "/readyz");
            assert_eq!(status, 503, "{role}: {body}");
            let body: Value = serde_json::from_str(&body).expect("JSON");
            if body["components"]["store"].as_str().is_some_and(|why| why != "starting") {
                break body;
            }
        };
        let store = waits["components"]["store"].as_str().expect("why");
        assert!(store.contains("Postgres at 127.0.0.1") && !store.contains("secret"), "{store}");
        assert!(waits["components"]["broker"].is_string(), "{role}: {waits}");
        let check = run(dir.path(), &["healthcheck", "--url", url]);
        refused(&check, 69, &["/readyz", "503", "store"]);
        assert_eq!(run(dir.path(), &["healthcheck", "--live", "--url", url]).code(), 0);
        let (status, body) = get(url, "/spaces/default/webhook_definitions");
        assert_eq!(status, 503, "{body}");
        assert!(body.contains("/readyz"), "{body}");
        assert_eq!(process.terminate(), 0, "{role}");
    }
}

#[test]
fn health_and_metrics_may_have_an_address_of_their_own() {
    let (dir, settings, admin) = (tempdir().expect("a folder"), away(), nobody());
    let own = format!("server.admin={admin}");
    let (process, said) = Running::start(
        dir.path(),
        &with(&["api", "--json", "--bind", "127.0.0.1:0", "--set", &own], &settings),
    );
    assert_eq!(get(&format!("http://{admin}"), "/livez").0, 200);
    assert_eq!(get(&format!("http://{admin}"), "/metrics").0, 200);
    let public = said["url"].as_str().expect("an address");
    assert_eq!((get(public, "/livez").0, get(public, "/metrics").0), (503, 503), "not there");
    assert_eq!(process.terminate(), 0);
}

#[test]
fn migrate_gives_up_after_its_time_and_names_the_server() {
    let (dir, settings) = (tempdir().expect("a folder"), away());
    let ended = run(dir.path(), &with(&["migrate", "--wait", "0s"], &settings));
    refused(&ended, 69, &["the broker cannot be set up", "127.0.0.1", "next: "]);
}

#[test]
fn processes_without_a_key_ring_do_not_start_and_none_is_made() {
    let dir = tempdir().expect("a folder");
    for role in ["ingest", "dispatcher", "api", "migrate"] {
        refused(&run(dir.path(), &[role]), 78, &["no key ring", "postrider keys new", "keys.value"]);
    }
    assert_eq!(std::fs::read_dir(dir.path()).expect("the folder").count(), 0);
}

#[test]
fn addresses_that_are_none_are_faults_that_show_no_password() {
    let dir = tempdir().expect("a folder");
    let settings = ["amqp.url=http://a:secret@b", "redis.url=secret", "postgres.url=mysql://a:secret@b"];
    let settings: Vec<String> =
        settings.iter().flat_map(|one| ["--set".to_owned(), (*one).to_owned()]).collect();
    let ended = run(dir.path(), &with(&["dispatcher"], &settings));
    refused(
        &ended,
        78,
        &["amqp.url does not begin with amqp://", "redis.url does not", "postgres.url does not"],
    );
    // Of a cluster each address counts.
    let nodes = ["--set", "amqp.url=amqp://a:secret@one/live,amqp://a:secret@two:port/live"];
    let ended = run(dir.path(), &with(&["dispatcher"], &nodes.map(str::to_owned)));
    refused(&ended, 78, &["amqp.url is not right in address 2", "cannot be read"]);
}

#[test]
fn the_topology_is_printed_without_a_broker_and_verified_only_with_one() {
    let (dir, settings) = (tempdir().expect("a folder"), away());
    let printed = run(dir.path(), &["topology", "print"]);
    assert_eq!(printed.code(), 0);
    for part in ["topic exchange postrider.events", "queue postrider.v1.delay.19", "x-delivery-limit=20"] {
        assert!(printed.stdout().contains(part), "{part}");
    }
    let lines = printed.stdout().lines().count();
    assert_eq!(
        run(dir.path(), &["topology", "print", "--json"]).json().as_array().map(Vec::len),
        Some(lines)
    );
    for asks in ["declare", "verify"] {
        refused(&run(dir.path(), &with(&["topology", asks], &settings)), 3, &["cannot connect", "amqp.url"]);
    }
}

#[test]
fn a_new_key_is_a_ring_and_a_bad_id_is_refused() {
    let dir = tempdir().expect("a folder");
    let first = run(dir.path(), &["keys", "new", "--id", "k7", "--json"]).json();
    let second = run(dir.path(), &["keys", "new", "--id", "k7", "--json"]).json();
    assert_eq!(first["id"], "k7");
    assert_ne!(first["key"], second["key"]);
    refused(&run(dir.path(), &["keys", "new", "--id", "k 7"]), 6, &["\"k 7\"", "A-Z", "k2"]);
}

#[test]
fn the_doctor_says_of_each_server_that_is_away_what_to_change() {
    let (dir, settings) = (tempdir().expect("a folder"), away());
    let ended = run(dir.path(), &with(&["doctor", "--json"], &settings));
    assert_eq!(ended.code(), 1, "{}", ended.stderr());
    assert!(!ended.stdout().contains("secret"), "a password is shown: {}", ended.stdout());
    let examined: Value = serde_json::from_str(&ended.stdout()).expect("JSON");
    for (at, server, setting) in
        [(0, "RabbitMQ", "amqp.url"), (1, "Redis", "redis.url"), (2, "Postgres", "postgres.url")]
    {
        let one = &examined[at];
        assert!(one["server"].as_str().is_some_and(|name| name.contains(server)), "{one}");
        assert_eq!(
            (&one["findings"][0]["severity"], &one["findings"][0]["subject"]),
            (&"fault".into(), &"connection".into())
        );
        assert!(
            one["findings"][0]["change"].as_str().is_some_and(|change| change.contains(setting)),
            "{one}"
        );
    }
}
