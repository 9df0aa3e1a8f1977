//! The project's own tasks: `cargo xtask <task>`. Without a task it lists them.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "tasks speak to the terminal")]

mod bench;
mod counts;
mod reliability;
mod rows;
mod schemathesis;
mod stage;
mod test;
mod tools;

use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask test           everything a change must pass; ends with the line `N passed, N failed`
cargo xtask test --full    the same, the tests that take long, RabbitMQ 4 (needs root), and the security advisories (needs
                           github.com)
cargo xtask rows           only the stories of docs/promises.md, and that each of its rows has one
cargo xtask rabbitmq-4     only the tests against RabbitMQ 4, which is fetched from Debian 13 the first time
cargo xtask advisories     only the security advisories of all dependencies (needs the same)
cargo xtask schemathesis   asks the management API for five minutes what docs/openapi.json allows and what it does not, and fails
                           on an answer that is not documented; [--seconds N] [--seed N]
cargo xtask reliability    the loss suite in full and the measured runs about isolation and fan-out, into docs/reliability.md;
                           [losses] [isolation] [fanout] only these, which leaves the page alone
cargo xtask bench [A B …]  throughput, latency, processor time and memory, measured; without names all, into docs/benchmarks.md
cargo xtask bench lists    how fast lists and details answer over 1,000,000 calls in Postgres and SQLite, into the same page
cargo xtask bench dialects what a request costs to make and to sign in each dialect, into the same page";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["test"] => test::run(root(), false),
        ["test", "--full"] => test::run(root(), true),
        ["advisories"] => test::advisories(root()),
        ["rows"] => test::rows_alone(root()),
        ["rabbitmq-4"] => Ok(test::rabbitmq_4_alone(root())),
        ["schemathesis", arguments @ ..] => schemathesis::run(root(), arguments),
        ["reliability", names @ ..] => reliability::run(root(), names),
        ["bench", scenarios @ ..] => bench::run(root(), scenarios),
        // What `bench` starts beside the servers.
        ["measure", scenarios @ ..] => bench::measure(root(), scenarios),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The top folder of the repository.
fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
