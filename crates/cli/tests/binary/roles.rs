//! Every command with every role, as `docs/roles.md` says: refused (exit code 4) or let in.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::json;
use tempfile::tempdir;

use crate::lines::{Line, TABLE};
use crate::process::{Ended, Running, run};

/// What the server refused.
const REFUSED: i32 = 4;
/// What a command may end with that was let in: done, it did not come out as it should, not there, not valid.
const LET_IN: [i32; 4] = [0, 1, 5, 6];
/// What must end well for who may do it: a role that lets nobody do the work would pass otherwise.
const DONE: [&str; 12] = [
    "createSource",
    "createWebhook",
    "deleteSource",
    "deleteWebhook",
    "getMe",
    "getWebhook",
    "getSlackConnection",
    "listCalls",
    "listSlackConnections",
    "listSources",
    "listWebhooks",
    "publishEvents",
];

/// The table: operation, then role by role whether it may.
fn cells() -> Vec<(String, Vec<(String, bool)>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/roles.md");
    let page = fs::read_to_string(path).expect("the page");
    let (_, rest) = page.split_once("<!-- made: operations -->\n").expect("the table");
    let (table, _) = rest.split_once("<!-- end -->").expect("its end");
    let row =
        |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let mut lines = table.lines();
    let roles = row(lines.next().expect("its head"))[2..].to_vec();
    let rows = lines.skip(1).map(|line| {
        let row = row(line);
        let may = roles.iter().cloned().zip(row[2..].iter().map(|cell| cell == "yes"));
        (row[0].clone(), may.collect())
    });
    rows.collect()
}

/// A server with what the commands name.
struct Stage<'d> {
    dir: &'d Path,
    admin: String,
    tokens: BTreeMap<String, String>,
}

impl<'d> Stage<'d> {
    fn set(dir: &'d Path, admin: &str) -> Self {
        let mut stage = Self { dir, admin: admin.to_owned(), tokens: BTreeMap::new() };
        for role in ["admin", "editor", "developer", "viewer", "publisher"] {
            let token =
                stage.make(&format!("tokens create --name {role} --role {role} --space default --json"));
            let token = token.json()["token"].as_str().expect("a token").to_owned();
            stage.tokens.insert(role.to_owned(), token);
        }
        stage.tokens.insert("instance".to_owned(), admin.to_owned());
        let event = json!({ "id": "story-1", "type": "Entry", "action": "publish", "resource": { "id": "1" }, "data": {} });
        fs::write(dir.join("event.json"), event.to_string()).expect("written");
        fs::write(dir.join("events.ndjson"), event.to_string()).expect("written");
        let hook = json!({ "name": "n", "url": "http://127.0.0.1:9/", "topics": ["Entry.publish"] });
        fs::write(dir.join("webhook.json"), hook.to_string()).expect("written");
        stage
    }

    fn run(&self, line: &str, token: &str) -> Ended {
        let words: Vec<&str> = line.split(' ').chain(["--token", token]).collect();
        run(self.dir, &words)
    }

    fn make(&self, line: &str) -> Ended {
        self.run(line, &self.admin)
    }

    /// Puts back what a command may have taken away.
    fn restore(&self, operation: &str) {
        match operation {
            "deleteWebhook" | "getWebhook" => drop(self.make(
                "webhooks create --id search --name search --url http://127.0.0.1:9/ --topic Entry.publish",
            )),
            "deleteSlackConnection" | "getSlackConnection" => {
                let url = "http://127.0.0.1:9/services/T0/B0/abcdefgh";
                drop(self.make(&format!("slack connect --id editors --name Editors --incoming-url {url}")));
            }
            "deleteSource" => drop(self.make("sources create --id blog --name blog --dialect cometcms")),
            _ => {}
        }
    }
}

/// A line as it is run here: in the space that the tokens are of, calling nobody, and with something to do for each role.
fn at_home(line: &str, role: &str) -> String {
    let makes = line.contains(" create ");
    let words = line.split(' ').map(|word| match word {
        "shop" if !makes => "default".to_owned(),
        "shop" | "staging" if makes => format!("{word}-{role}"),
        "Editors" => format!("Editors-{role}"),
        "https://example.com/" => format!("http://127.0.0.1:9/{role}"),
        other => other.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn every_command_lets_in_whom_it_must_and_nobody_else() {
    let dir = tempdir().expect("a folder");
    let dir = dir.path();
    let (server, said) = Running::start(
        dir,
        &["serve", "--json", "--bind", "127.0.0.1:0", "--set", "slack.base_url=http://127.0.0.1:9/"],
    );
    let admin = said["token"].as_str().expect("the first token");
    let stage = Stage::set(dir, admin);
    let lines: BTreeMap<&str, &Line> = TABLE.iter().map(|(operation, line)| (*operation, line)).collect();
    let (mut faults, mut looked_at) = (Vec::new(), 0);
    for (operation, roles) in cells() {
        let Some(Line::Command(line)) = lines.get(operation.as_str()) else { continue };
        for (role, may) in roles {
            let line = at_home(line, &role);
            stage.restore(&operation);
            let ended = stage.run(&line, &stage.tokens[&role]);
            let code = ended.code();
            let as_it_should = match may {
                false => code == REFUSED,
                true if DONE.contains(&operation.as_str()) => code == 0,
                // Here there is no Slack: who was let in hears of that.
                true => LET_IN.contains(&code) || ended.stderr().contains("Slack could not be asked"),
            };
            if !as_it_should {
                faults.push(format!("{operation} as {role} ({line}): {code} {}", ended.stderr()));
            }
            looked_at += 1;
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(looked_at > 300, "the table has become small: {looked_at}");
    assert_eq!(server.terminate(), 0);
}
