//! The whole help, as one text that is read before it changes: `cargo insta review`.

use clap::{Command, CommandFactory};
use postrider_cli::Cli;

/// As wide as a usual terminal, so that the text does not depend on the one the test runs on.
const WIDTH: usize = 100;
/// These are the same for every command that has them: they are shown with the first.
const REPEATED: [&str; 2] = ["Everywhere:", "Server:"];

/// The help of a command and of all below it, depth first.
fn tree(command: &Command, path: &str, seen: &mut Vec<String>, text: &mut String) {
    let mut shown = command.clone().term_width(WIDTH).bin_name(path);
    let help = shown.render_help().to_string();
    text.extend(["## ", path, "\n\n"]);
    for part in help.split("\n\n") {
        let title = part.lines().next().unwrap_or_default();
        let again = REPEATED.contains(&title) && seen.iter().any(|known| known == part);
        if !again {
            seen.push(part.to_owned());
            text.push_str(part.trim_end());
            text.push_str("\n\n");
        }
    }
    for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
        tree(below, &format!("{path} {}", below.get_name()), seen, text);
    }
}

/// Every command, the deepest included.
fn leaves<'c>(command: &'c Command, path: &str, found: &mut Vec<(String, &'c Command)>) {
    let below: Vec<&Command> = command.get_subcommands().filter(|below| below.get_name() != "help").collect();
    if below.is_empty() {
        found.push((path.to_owned(), command));
    }
    for below in below {
        leaves(below, &format!("{path} {}", below.get_name()), found);
    }
}

#[test]
fn the_help_tree_is_the_one_that_was_read() {
    let mut command = Cli::command();
    command.build();
    let mut text = String::new();
    tree(&command, "postrider", &mut Vec::new(), &mut text);
    insta::assert_snapshot!("help", text.trim_end());
}

#[test]
fn every_command_and_every_flag_says_what_it_is_and_shows_no_value_of_the_environment() {
    let mut command = Cli::command();
    command.build();
    let mut found = Vec::new();
    leaves(&command, "postrider", &mut found);
    assert!(found.len() > 60, "{} commands", found.len());
    for (path, command) in found {
        assert!(command.get_about().is_some(), "{path} does not say what it does");
        for argument in command.get_arguments() {
            let id = argument.get_id();
            assert!(argument.get_help().is_some(), "{path}: {id} does not say what it is");
            assert!(
                argument.get_env().is_none() || argument.is_hide_env_values_set(),
                "{path}: the help shows what {id} is in the environment"
            );
        }
    }
}
