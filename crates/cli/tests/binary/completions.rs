//! `postrider completions`: scripts that the shells themselves take.

use std::process::Command;

use tempfile::tempdir;

use crate::process::run;

#[test]
fn bash_completes_commands_and_flags_with_the_script() {
    let dir = tempdir().expect("a folder");
    let script = run(dir.path(), &["completions", "bash"]);
    assert_eq!(script.code(), 0, "{}", script.stderr());
    std::fs::write(dir.path().join("completions.bash"), script.stdout()).expect("a file");
    // As readline asks: the words so far, then the command, the word to complete and the one before it.
    let completed = |words: &str, at: u32| {
        let ask = format!(
            ". ./completions.bash; COMP_WORDS=({words}); COMP_CWORD={at}; \
             _postrider postrider \"${{COMP_WORDS[{at}]}}\" \"${{COMP_WORDS[{at}-1]}}\"; echo \"${{COMPREPLY[*]}}\""
        );
        let ended =
            Command::new("bash").current_dir(dir.path()).args(["-c", &ask]).output().expect("bash runs");
        String::from_utf8_lossy(&ended.stdout).trim().to_owned()
    };
    assert_eq!(completed("postrider webh", 1), "webhooks");
    assert_eq!(completed("postrider webhooks app", 2), "apply");
    assert_eq!(completed("postrider webhooks apply --pr", 3), "--prune");
    assert_eq!(completed("postrider deliv", 1), "deliveries");
    assert_eq!(completed("postrider webhooks rot", 2), "rotate-secret");
    assert_eq!(completed("postrider settings retry-policy se", 3), "set");
    assert_eq!(completed("postrider deliveries list --state supers", 4), "superseded");
    assert_eq!(completed("postrider tokens create --role pub", 4), "publisher");
}

#[test]
fn every_shell_that_is_offered_gets_a_script_and_others_are_named_as_unknown() {
    let dir = tempdir().expect("a folder");
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = run(dir.path(), &["completions", shell]).stdout();
        assert!(script.contains("postrider") && script.contains("redrive"), "{shell}");
    }
    let json = run(dir.path(), &["completions", "zsh", "--json"]).json();
    assert_eq!(json["shell"], "zsh");
    let unknown = run(dir.path(), &["completions", "csh"]);
    assert_eq!(unknown.code(), 2);
    assert!(unknown.stderr().contains("fish"), "{}", unknown.stderr());
}
