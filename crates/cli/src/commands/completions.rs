//! `postrider completions`: what a shell needs to complete this command line.

use clap::{Args, CommandFactory, ValueEnum};
use clap_complete::Shell;
use serde_json::json;

use crate::Cli;
use crate::exit::Code;
use crate::output::Output;

/// The flags of `completions`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    postrider completions bash > ~/.local/share/bash-completion/completions/postrider\n  \
    postrider completions zsh > ~/.zfunc/_postrider       # with fpath+=~/.zfunc before compinit in ~/.zshrc\n  \
    postrider completions fish > ~/.config/fish/completions/postrider.fish")]
pub struct Completions {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script.
pub fn run(completions: &Completions, output: Output) -> Code {
    let mut script = Vec::new();
    clap_complete::generate(completions.shell, &mut Cli::command(), "postrider", &mut script);
    let script = String::from_utf8_lossy(&script).trim_end().to_owned();
    let shell = completions.shell.to_possible_value().map(|value| value.get_name().to_owned());
    output.print(&json!({ "shell": shell, "script": script }), |_| script.clone());
    Code::Ok
}
