//! `postrider`: parse → run → exit code.

use std::process::ExitCode;

use clap::Parser;
use postrider_cli::{Cli, code_of, explain, output, run};

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(code) => ExitCode::from(code.number()),
        Err(error) => {
            output::note(&explain(&error));
            ExitCode::from(code_of(&error).number())
        }
    }
}
