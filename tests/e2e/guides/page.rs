//! A page of the guides, and a reader who follows it.

use postrider_tests::house;
use postrider_tests::markdown::{self, Block};
use pulldown_cmark::{Event, Parser};
use reqwest::Method;
use serde_json::Value;

use crate::shell::Shell;
use crate::system::System;
use crate::target::{Hit, Target};

/// What stands in the pages for where Postrider is, and for the reader's receiver.
const POSTRIDER: &str = "https://postrider.example";
const SITE: &str = "https://site.example";
/// Where events and webhooks of CMSs go in.
const DOOR: &str = "/spaces/default/environments/master/sources/any";

/// A page, a system to follow it on, and the receiver that it speaks of.
pub(crate) struct Page {
    text: String,
    blocks: Vec<Block>,
    pub(crate) system: System,
    pub(crate) target: Target,
    pub(crate) shell: Shell,
}

impl Page {
    /// Opens `docs/guides/<name>.md` in front of a new system.
    pub(crate) async fn open(name: &str) -> Self {
        let path = format!("docs/guides/{name}.md");
        let text = std::fs::read_to_string(house::root().join(&path)).expect("the page");
        let (system, target) = (System::start(&[]).await, Target::willing().await);
        let shell = Shell::of(&system);
        Self { text, blocks: markdown::blocks(&path), system, target, shell }
    }

    /// The blocks of a language under a heading, in their order, joined, with the addresses of this system and receiver.
    pub(crate) fn block(&self, heading: &str, language: &str) -> String {
        let wanted = |block: &&Block| block.heading == heading && block.info == language;
        let found: Vec<&str> = self.blocks.iter().filter(wanted).map(|block| block.text.as_str()).collect();
        assert!(!found.is_empty(), "no block of {language} under {heading:?}");
        self.here(&found.join("\n"))
    }

    /// The same text with the addresses of this system and receiver.
    pub(crate) fn here(&self, text: &str) -> String {
        let base = |method: Method, path: &str| self.system.composition().base(&method, path).to_owned();
        let environments = "/spaces/default/environments";
        text.replace(
            &format!("{POSTRIDER}{environments}"),
            &format!("{}{environments}", base(Method::POST, DOOR)),
        )
        .replace(POSTRIDER, &base(Method::GET, "/"))
        .replace(SITE, self.target.url("").trim_end_matches('/'))
    }

    /// Does what the shell blocks under a heading say.
    pub(crate) async fn step(&self, heading: &str) -> String {
        self.shell.run(&self.block(heading, "sh")).await
    }

    /// Runs each command that stands in the text, and gives each flag that does to the webhook `site`, which has been called
    /// for this event.
    pub(crate) async fn what_the_text_names_works(&self, event: &str) {
        let list = self.system.call(Method::GET, "/spaces/default/calls?webhook=site", None).await;
        let call = list["items"][0]["sys"]["id"].as_str().expect("a call");
        let mut commands = 0;
        for code in Parser::new(&self.text) {
            let Event::Code(code) = code else { continue };
            let command = match code.strip_prefix("--") {
                Some(_) => format!("postrider webhooks update site {code}"),
                None if code.starts_with("postrider ") => code.into_string(),
                None => continue,
            };
            self.shell.run(&command.replace("CALL_ID", call).replace(" ID", &format!(" {event}"))).await;
            commands += 1;
        }
        assert!(commands > 0, "the page names no command");
    }

    /// The rows of the table under a heading, each cell as it is written; without the two lines of its head.
    pub(crate) fn rows(&self, heading: &str) -> Vec<Vec<String>> {
        let lines = self.text.lines().skip_while(|line| *line != format!("## {heading}")).skip(1);
        let mut rows = Vec::new();
        for line in lines.take_while(|line| !line.starts_with("## ")) {
            if let Some(row) = line.strip_prefix('|').and_then(|line| line.strip_suffix('|')) {
                rows.push(row.split('|').map(|cell| cell.trim().to_owned()).collect());
            }
        }
        assert!(rows.len() > 2, "no table under {heading:?}");
        rows.split_off(2)
    }
}

/// Holds a call against an `http` block: its method and path, each header it names, and its body. `…` stands for
/// anything.
pub(crate) fn assert_like(hit: &Hit, block: &str) {
    let (head, body) = block.trim_end().split_once("\n\n").expect("head and body");
    let mut lines = head.lines();
    assert_eq!(lines.next(), Some(format!("{} {}", hit.method, hit.path).as_str()));
    for line in lines {
        let (name, value) = line.split_once(": ").expect("a header");
        let given = hit.headers.get(name).unwrap_or_else(|| panic!("{name} did not come: {:?}", hit.headers));
        let given = given.to_str().expect("text");
        assert!(is_like(given, value), "{name}: {given:?} is not {value:?}");
    }
    let given = std::str::from_utf8(&hit.body).expect("UTF-8");
    assert!(is_like(given, body), "{given} is not {body}");
}

/// Whether a text is this pattern, in which `…` stands for anything.
fn is_like(text: &str, pattern: &str) -> bool {
    let mut pieces = pattern.split('…');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(last) = pieces.next_back() else { return rest.is_empty() };
    for piece in pieces {
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last)
}

/// The JSON values that a script printed, one behind the other.
pub(crate) fn printed(said: &str) -> Vec<Value> {
    let values = serde_json::Deserializer::from_str(said).into_iter::<Value>();
    values.map(|value| value.unwrap_or_else(|error| panic!("{error}: {said}"))).collect()
}

#[test]
fn a_text_is_held_against_its_pattern() {
    for (text, pattern, is) in [
        ("abc", "abc", true),
        ("abc", "ab", false),
        ("abc", "a…", true),
        ("abc", "…b…", true),
        ("abc", "a…b", false),
        ("v1=x,t=y", "v1=…,t=…", true),
        ("v1=x", "v1=…,t=…", false),
        ("", "…", true),
    ] {
        assert_eq!(is_like(text, pattern), is, "{text} {pattern}");
    }
}
