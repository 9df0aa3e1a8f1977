//! The demo is green, and notices whatever goes wrong.

use serde_json::Value;

use crate::process::{Ended, run};

fn demo(arguments: &[&str]) -> Ended {
    let dir = tempfile::tempdir().expect("a folder");
    run(dir.path(), &[&["demo"], arguments].concat())
}

/// The faults of a sabotaged run, which must exit with 1.
fn faults(sabotage: &str) -> Vec<String> {
    let ended = demo(&["--json", "--sabotage", sabotage]);
    assert_eq!(ended.code(), 1, "{}", ended.stderr());
    let report: Value = serde_json::from_str(&ended.stdout()).expect("a report in JSON");
    let faults = report["faults"].as_array().expect("a list of faults");
    faults.iter().map(|fault| fault.as_str().expect("a text").to_owned()).collect()
}

#[test]
fn the_demo_comes_out_as_it_must() {
    let ended = demo(&["--json"]);
    assert_eq!(ended.code(), 0, "{}{}", ended.stdout(), ended.stderr());
    let report = ended.json();
    assert_eq!(report["good"], true);
    let rows = report["deliveries"].as_array().expect("rows");
    assert!(rows.len() > 20, "{}", rows.len());
    let outcomes: Vec<_> = rows.iter().filter_map(|row| row["outcome"].as_str()).collect();
    for outcome in ["delivered", "given_up", "superseded"] {
        assert!(outcomes.contains(&outcome), "{outcome}");
    }
}

#[test]
fn its_table_is_for_people_and_marks_what_was_repaired_and_what_is_ours() {
    let ended = demo(&[]);
    let text = ended.stdout();
    assert_eq!(ended.code(), 0, "{text}{}", ended.stderr());
    for part in [
        "repaired:",
        "ours: its document prints none",
        "verified",
        "Everything came out as it must",
        "README.md",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
}

#[test]
fn a_body_changed_on_its_way_is_noticed_as_a_bad_signature() {
    let faults = faults("signature");
    assert!(
        !faults.is_empty() && faults.iter().all(|fault| fault.contains("its signature: NOT VERIFIED")),
        "{faults:#?}"
    );
}

#[test]
fn calls_that_never_reach_the_receiver_are_noticed_as_missing() {
    let faults = faults("loss");
    let missing = |fault: &String| {
        fault.contains("editors") && fault.contains("the receiver saw 0 call(s), it must see 1")
    };
    assert!(!faults.is_empty() && faults.iter().all(missing), "{faults:#?}");
}

#[test]
fn retries_that_do_not_happen_are_noticed_by_record_and_receiver() {
    let faults = faults("retry");
    for part in ["the record has 1 call(s), there must be 3", "the receiver saw 1 call(s), it must see 3"] {
        assert!(
            faults.iter().any(|fault| fault.contains("search-index") && fault.contains(part)),
            "{part}: {faults:#?}"
        );
    }
}
