//! `postrider config check|print`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::exit::Code;
use crate::output::{Output, line, note};
use crate::settings::layers::{Places, Source};
use crate::settings::{Faults, load, show};

/// The subcommands of `config`.
#[derive(Debug, Subcommand)]
pub enum Config {
    /// Say whether the configuration can be used, and everything that is wrong with it (exit code 78)
    Check(Check),
    /// Print the effective configuration and who gave what; secrets hidden
    Print(Print),
}

/// The flags of `config check`.
#[derive(Debug, Args)]
pub struct Check {
    /// The file to check, instead of --config
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// The flags of `config print`.
#[derive(Debug, Args)]
pub struct Print {
    /// Print a commented sample file with every default instead
    #[arg(long)]
    defaults: bool,
}

/// Runs `config …`.
pub fn run(config: &Config, mut places: Places, output: Output) -> anyhow::Result<Code> {
    match config {
        Config::Check(check) => {
            places.file = check.file.clone().or(places.file);
            Ok(report(load(&places).map(|_| ()), output))
        }
        Config::Print(Print { defaults: true }) => {
            line(show::sample().trim_end());
            Ok(Code::Ok)
        }
        Config::Print(Print { defaults: false }) => {
            let (_, layers) = load(&places)?;
            output.print(&show::as_json(&layers), |_| show::effective(&layers).trim_end().to_owned());
            Ok(Code::Ok)
        }
    }
}

fn report(result: Result<(), Faults>, output: Output) -> Code {
    match result {
        Ok(()) => {
            output
                .print(&json!({ "valid": true, "faults": [] }), |_| "The configuration is valid.".to_owned());
            Code::Ok
        }
        Err(faults) => {
            if output.json {
                let listed = faults.0.iter().map(|fault| {
                    let source = Some(&fault.source)
                        .filter(|source| **source != Source::Default)
                        .map(ToString::to_string);
                    json!({ "key": fault.key, "source": source, "what": fault.what })
                });
                line(&crate::output::pretty(
                    &json!({ "valid": false, "faults": listed.collect::<Vec<_>>() }),
                ));
            } else {
                note(&faults.to_string());
            }
            Code::Configuration
        }
    }
}
