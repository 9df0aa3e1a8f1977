//! What a file may look like and what must not be written in it, applied to this repository, and proof that each rule
//! bites. Every breach is reported at once.

use std::fs;

use postrider_tests::house::map::{self, Repository};
use postrider_tests::house::rules::{
    Ban, FILE_WALL, FUNCTION_WALL, PARAMETER_WALL, PORT_WALL, Pattern, Scope, banned, shape, wall,
};
use postrider_tests::house::source::{Source, files};
use postrider_tests::house::{Breach, assert_none, root};

/// What must not be written. The texts are put together so that this file does not contain what it forbids.
const BANS: [Ban; 25] = [
    ban(
        Pattern::Tokens(". unwrap ("),
        Scope::Code,
        &[],
        "say with `expect` why it cannot fail, or return an error",
    ),
    ban(Pattern::Attribute("allow"), Scope::Everywhere, &[], "use `#[expect(lint, reason = \"…\")]`"),
    ban(Pattern::Attribute("ignore"), Scope::Everywhere, &[], "a test that does not run is no test"),
    ban(
        Pattern::Attribute("should_panic"),
        Scope::Everywhere,
        &[],
        "it passes on any panic; assert on the error",
    ),
    ban(Pattern::Tokens("todo !"), Scope::Everywhere, &[], "what is delivered works"),
    ban(Pattern::Tokens("unimplemented !"), Scope::Everywhere, &[], "what is delivered works"),
    ban(Pattern::Tokens("dbg !"), Scope::Everywhere, &[], "remove it"),
    ban(Pattern::Comment(concat!("TO", "DO")), Scope::Everywhere, &[], "do it, or open an issue"),
    ban(Pattern::Comment(concat!("FIX", "ME")), Scope::Everywhere, &[], "mend it, or open an issue"),
    ban(
        Pattern::Call("spawn"),
        Scope::Code,
        &["crates/runtime/"],
        "use the supervisor, or a `JoinSet` you drain",
    ),
    ban(
        Pattern::Tokens("println !"),
        Scope::Code,
        TERMINAL,
        "only the binary speaks to the terminal; use tracing",
    ),
    ban(
        Pattern::Tokens("eprintln !"),
        Scope::Code,
        TERMINAL,
        "only the binary speaks to the terminal; use tracing",
    ),
    ban(
        Pattern::Tokens("print !"),
        Scope::Code,
        TERMINAL,
        "only the binary speaks to the terminal; use tracing",
    ),
    ban(
        Pattern::Tokens("eprint !"),
        Scope::Code,
        TERMINAL,
        "only the binary speaks to the terminal; use tracing",
    ),
    ban(Pattern::Tokens("thread :: sleep"), Scope::Everywhere, &[], "it blocks a whole worker thread"),
    ban(
        Pattern::Call("sleep"),
        Scope::Tests,
        // An outage that lasts is what is told there.
        &["crates/testkit/", "tests/faults/stage.rs"],
        "await a signal, or move a controlled clock",
    ),
    ban(
        Pattern::Call("sleep_until"),
        Scope::Tests,
        &["crates/testkit/"],
        "await a signal, or move a controlled clock",
    ),
    ban(Pattern::Tokens("SystemTime :: now"), Scope::Code, CLOCKS, "time comes through the port `Clock`"),
    ban(Pattern::Tokens("Instant :: now"), Scope::Code, CLOCKS, "time comes through the port `Clock`"),
    ban(Pattern::Call("now_utc"), Scope::Code, CLOCKS, "time comes through the port `Clock`"),
    ban(Pattern::Tokens("env :: var"), Scope::Code, ENVIRONMENT, "only the binary knows the environment"),
    ban(Pattern::Tokens("env :: vars"), Scope::Code, ENVIRONMENT, "only the binary knows the environment"),
    ban(Pattern::Tokens("env :: var_os"), Scope::Code, ENVIRONMENT, "only the binary knows the environment"),
    ban(Pattern::Tokens("process :: exit"), Scope::Code, TERMINAL, "return, so that what is held is let go"),
    ban(
        Pattern::Text(concat!("postrider", ".v1.")),
        Scope::Code,
        TOPOLOGY,
        "names of queues live in topology.rs",
    ),
];

const TERMINAL: &[&str] = &["crates/cli/", "crates/xtask/", "crates/testkit/src/bin/"];
/// The runner of the tests hands the private servers over in the environment.
const ENVIRONMENT: &[&str] = &["crates/cli/", "crates/xtask/", "crates/testkit/src/servers"];
const CLOCKS: &[&str] = &["crates/cli/", "crates/xtask/", "crates/adapter-http/"];
const TOPOLOGY: &[&str] = &["crates/adapter-amqp/src/topology.rs"];

const fn ban(what: Pattern, scope: Scope, except: &'static [&'static str], why: &'static str) -> Ban {
    Ban { what, scope, except, why }
}

#[test]
fn every_source_file_is_tidy() {
    let mut breaches = Vec::new();
    for path in files(&root(), &["crates", "tests"], &[".rs"]) {
        let text = fs::read_to_string(root().join(&path)).expect("the source can be read");
        match Source::parse(&path, &text) {
            Ok(source) => breaches.extend(shape(&source).into_iter().chain(banned(&source, &BANS))),
            Err(breach) => breaches.push(breach),
        }
    }
    for path in files(&root(), &["crates", "tests"], &[".html", ".css", ".js", ".sql", ".lua"]) {
        let text = fs::read_to_string(root().join(&path)).expect("the source can be read");
        breaches.extend(wall(&path, &text));
    }
    assert_none(breaches);
}

#[test]
fn the_architecture_page_is_true() {
    let root = root();
    let Ok(page) = fs::read_to_string(root.join(map::PAGE)) else {
        assert_none(vec![Breach::new(map::PAGE, "does not exist")]);
        return;
    };
    let holds_tests = |path: &String| {
        let text = fs::read_to_string(root.join(path)).unwrap_or_default();
        ["#[test]", "::test", "proptest!"].iter().any(|mark| text.contains(mark))
    };
    let tests = files(&root, &["crates", "tests"], &[".rs"]).into_iter().filter(holds_tests).collect();
    let files = files(&root, &[""], &[""]);
    let folders = fs::read_dir(root.join("crates")).expect("the folder can be read");
    let crates =
        folders.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned())).collect();
    assert_none(map::breaches(&page, &Repository { files, tests, crates }));
}

// --- proof that each rule bites ---

/// The breaches of a file of this content, without their texts.
fn breaches(path: &str, code: &str) -> Vec<Breach> {
    let source = Source::parse(path, &format!("//! A file.\n{code}")).expect("it parses");
    let mut breaches = shape(&source);
    breaches.extend(banned(&source, &BANS));
    breaches
}

/// Asserts that exactly this line of the file is rejected, for a reason that says this.
fn assert_rejected(path: &str, code: &str, line: usize, says: &str) {
    let found = breaches(path, code);
    let as_expected = found.iter().any(|breach| breach.line == line && breach.to_string().contains(says));
    assert!(as_expected, "{path}: expected line {line} rejected with {says:?}, got {found:?} for\n{code}");
}

fn assert_fine(path: &str, code: &str) {
    assert_eq!(breaches(path, code), [], "{path}:\n{code}");
}

const LIB: &str = "crates/jobs/src/lib.rs";
const TEST: &str = "crates/jobs/tests/retention.rs";

#[test]
fn a_file_without_a_first_line_that_says_what_it_is_for_is_rejected() {
    let source = Source::parse(LIB, "use std::fmt;\n").expect("it parses");
    assert!(shape(&source)[0].what.contains("without `//!`"));
}

#[test]
fn names_that_say_nothing_are_rejected() {
    for path in
        ["crates/jobs/src/mod.rs", "crates/jobs/src/helpers.rs", "tests/common.rs", "crates/cli/src/util.rs"]
    {
        assert_rejected(path, "", 0, "says nothing");
    }
    assert_rejected(LIB, "mod utils;", 2, "says nothing");
    assert_fine("crates/jobs/src/retention.rs", "mod partitions;");
}

#[test]
fn files_and_functions_over_their_walls_are_rejected() {
    assert_eq!(wall("a.css", &"\n".repeat(FILE_WALL + 1)).len(), 1);
    assert_eq!(wall("a.css", &"\n".repeat(FILE_WALL)), []);
    let lines =
        |count: usize| format!("struct A;\nimpl A {{\nfn long() {{\n{}}}\n}}", "();\n".repeat(count - 2));
    assert_rejected(LIB, &lines(FUNCTION_WALL + 1), 4, "fn long has 81 lines");
    assert_fine(LIB, &lines(FUNCTION_WALL));
}

#[test]
fn too_many_parameters_are_rejected() {
    let takes = |count: usize| format!("trait A {{ fn f(&self{}); }}", ", _: u8".repeat(count));
    assert_rejected(LIB, &takes(PARAMETER_WALL + 1), 2, "7 parameters");
    assert_fine(LIB, &takes(PARAMETER_WALL));
}

#[test]
fn a_port_with_too_many_methods_is_rejected() {
    let methods = |count: usize| format!("trait A {{ {} }}", "fn f(&self);".repeat(count));
    assert_rejected("crates/ports/src/queue.rs", &methods(PORT_WALL + 1), 2, "port A has 7 methods");
    assert_fine("crates/ports/src/queue.rs", &methods(PORT_WALL));
    assert_fine(LIB, &methods(PORT_WALL + 1));
}

#[test]
fn what_must_not_be_delivered_is_rejected_in_code_and_fine_in_tests() {
    for (code, says) in [
        ("fn f() { a.unwrap(); }", "`.unwrap(`"),
        ("fn f() { assert!(a.unwrap()); }", "`.unwrap(`"),
        ("fn f() { tokio::spawn(a); }", "`spawn(…)`"),
        ("fn f() { spawn(a); }", "`spawn(…)`"),
        ("fn f() { println!(\"a\"); }", "`println!`"),
        ("fn f() { std::time::Instant::now(); }", "`Instant::now`"),
        ("fn f() { std::env::var(\"A\"); }", "`env::var`"),
        (concat!("const QUEUE: &str = \"postrider", ".v1.inbox\";"), "topology.rs"),
    ] {
        assert_rejected(LIB, code, 2, says);
        assert_rejected(LIB, &format!("mod a {{\n{code}\n}}"), 3, says);
        assert_fine(TEST, code);
        assert_fine(LIB, &format!("#[cfg(test)]\nmod tests {{\n{code}\n}}"));
        assert_rejected(LIB, &format!("#[cfg(test)]\nmod tests {{}}\n{code}"), 4, says);
    }
    assert_fine(LIB, "fn f() { tasks.spawn(a); a.unwrap_or(b); }");
    assert_fine("crates/runtime/src/supervisor.rs", "fn f() { tokio::spawn(a); }");
    assert_fine("crates/cli/src/main.rs", "fn f() { println!(\"a\"); }");
    assert_fine(
        "crates/adapter-amqp/src/topology.rs",
        concat!("const QUEUE: &str = \"postrider", ".v1.inbox\";"),
    );
}

#[test]
fn what_must_not_be_written_anywhere_is_rejected_in_tests_too() {
    for (code, says) in [
        ("#[allow(dead_code)]\nfn f() {}", "`#[allow]`"),
        ("#![allow(dead_code)]\n", "`#[allow]`"),
        ("#[cfg_attr(unix, allow(dead_code))]\nfn f() {}", "`#[allow]`"),
        ("#[ignore]\nfn f() {}", "`#[ignore]`"),
        ("#[should_panic(expected = \"a\")]\nfn f() {}", "`#[should_panic]`"),
        ("fn f() { todo!() }", "`todo!`"),
        ("fn f() { unimplemented!() }", "`unimplemented!`"),
        ("fn f() { std::thread::sleep(a); }", "`thread::sleep`"),
        (concat!("// TO", "DO: later"), "a comment"),
        (concat!("/// FIX", "ME later\nfn f() {}"), "a comment"),
    ] {
        assert_rejected(LIB, code, 2, says);
        assert_rejected(TEST, code, 2, says);
    }
    assert_fine(LIB, "fn f() { limiter.allow(space); } #[expect(dead_code, reason = \"a\")] fn allow() {}");
}

#[test]
fn a_test_that_sleeps_is_rejected() {
    assert_rejected(TEST, "async fn f() { tokio::time::sleep(a).await; }", 2, "await a signal");
    assert_rejected(LIB, "#[tokio::test]\nasync fn f() {\nsleep(a).await;\n}", 4, "await a signal");
    assert_fine(LIB, "async fn f() { tokio::time::sleep(a).await; }");
}

#[test]
fn a_file_that_does_not_parse_is_reported_with_its_line() {
    let parsed = Source::parse(LIB, "//! A file.\nfn f() {\n    let = 1;\n}\n").map(|source| source.path);
    let breach = parsed.expect_err("the binding has no name");
    assert_eq!((breach.place.as_str(), breach.line), (LIB, 3));
}

/// A page on which everything is as it must be.
const PAGE: &str = "# Architecture\n\n- `crates/jobs` does it in `jobs/src/lib.rs`, at `/spaces/{s}/events`.\n\n\
                    ## Invariants\n\n- Nothing is lost.\n  (`crates/jobs/tests/retention.rs`)\n\n## More\n\n- `a.b`\n";

fn page_breaches(page: &str) -> Vec<Breach> {
    let owned = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect();
    let repository =
        Repository { files: owned(&[LIB, TEST]), tests: owned(&[TEST]), crates: owned(&["jobs"]) };
    map::breaches(page, &repository)
}

#[test]
fn an_architecture_page_that_is_not_true_is_rejected() {
    assert_eq!(page_breaches(PAGE), []);
    for (from, to, says) in [
        (
            "jobs/src/lib.rs",
            "jobs/src/gone.rs",
            "ARCHITECTURE.md:3: names `jobs/src/gone.rs`, which does not exist",
        ),
        ("`crates/jobs` ", "`jobs` ", "the code map does not name `crates/jobs`"),
        ("tests/retention.rs", "src/lib.rs", "ARCHITECTURE.md:7: this invariant names no file with tests"),
        ("## Invariants", "## Beliefs", "has no list under"),
    ] {
        let found = page_breaches(&PAGE.replace(from, to));
        assert!(
            found.iter().any(|breach| breach.to_string().contains(says)),
            "{says:?} is missing in {found:?}"
        );
    }
}
