//! Configuration: which layer wins, every fault at once, nothing secret shown.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use postrider_cli::settings::layers::{Places, Source};
use postrider_cli::settings::{KEYS, load, show};
use tempfile::TempDir;

/// Places that read nothing of the machine the test runs on.
fn places(file: &str) -> (Places, TempDir) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("postrider.toml");
    std::fs::write(&path, file).expect("the file can be written");
    (Places { file: Some(path), ..Places::default() }, dir)
}

fn variable(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

fn flag(name: &str, value: &str) -> (String, String, String) {
    (name.to_owned(), value.to_owned(), format!("--set {name}"))
}

#[test]
fn a_flag_beats_the_environment_beats_the_file_beats_the_default() {
    let (mut places, _dir) =
        places("[retention]\ndays = 21\n[shutdown]\ngrace = \"1s\"\n[server]\nbind = \"127.0.0.1:1\"");
    places.variables = vec![
        variable("POSTRIDER__RETENTION__DAYS", "22"),
        variable("POSTRIDER__SHUTDOWN__GRACE", "2s"),
        variable("HOME", "/"),
    ];
    places.flags = vec![flag("retention.days", "23")];
    let (settings, layers) = load(&places).expect("valid");
    assert_eq!(settings.retention.days, 23);
    assert_eq!(settings.shutdown.grace, Duration::from_secs(2));
    assert_eq!(settings.server.bind.port(), 1);
    assert_eq!(settings.data.dir, PathBuf::from("./postrider-data"));
    assert_eq!(layers["retention.days"].source, Source::Flag("--set retention.days".to_owned()));
    assert_eq!(layers["shutdown.grace"].source, Source::Variable("POSTRIDER__SHUTDOWN__GRACE".to_owned()));
    assert_eq!(layers["data.dir"].source, Source::Default);
}

#[test]
fn every_fault_is_reported_at_once_with_its_source() {
    let (mut places, _dir) = places(
        "loose = 1\n[server]\nbind = \"nowhere\"\nbnid = \"x\"\n[retention]\ndays = 0\n[outbound]\nallow = [\"10.0.0.0/8\", \"ten\"]",
    );
    places.variables =
        vec![variable("POSTRIDER__SHUTDOWN__GRACE", "soon"), variable("POSTRIDER__SERVER__PROT", "1")];
    places.flags = vec![flag("ingest.max_event", "1 parsec")];
    let faults = load(&places).expect_err("faulty").to_string();
    for part in [
        "loose stands outside a section",
        "\"nowhere\" is not an address and port",
        "server.bnid is not a setting; did you mean server.bind?",
        "\"0\" is not a whole number from 14 to 3650",
        "\"ten\" is not a network such as 10.0.0.0/8",
        "\"soon\" is not a duration",
        "(variable POSTRIDER__SHUTDOWN__GRACE)",
        "server.prot is not a setting",
        "\"1 parsec\" is not a size",
        "(flag --set ingest.max_event)",
        "8 fault(s)",
    ] {
        assert!(faults.contains(part), "{part} is not in:\n{faults}");
    }
}

#[test]
fn a_file_that_is_missing_or_no_toml_is_a_fault_that_names_it() {
    let missing = Places { file: Some(PathBuf::from("/nowhere/postrider.toml")), ..Places::default() };
    let fault = load(&missing).expect_err("missing").to_string();
    assert!(fault.contains("/nowhere/postrider.toml cannot be read"), "{fault}");
    let (places, _dir) = places("[server\n");
    let fault = load(&places).expect_err("no TOML").to_string();
    assert!(fault.contains("is not TOML") && fault.contains("postrider.toml"), "{fault}");
}

#[test]
fn a_secret_is_shown_neither_printed_nor_debugged() {
    let (mut places, _dir) = places("");
    places.variables = vec![variable("POSTRIDER__KEYS__VALUE", "hush-hush")];
    let (settings, layers) = load(&places).expect("valid");
    let shown = [
        format!("{settings:?}"),
        format!("{layers:?}"),
        show::effective(&layers),
        show::as_json(&layers).to_string(),
    ];
    for text in &shown {
        assert!(!text.contains("hush"), "{text}");
    }
    assert!(shown[2].contains("•••") && shown[2].contains("POSTRIDER__KEYS__VALUE"), "{}", shown[2]);
    assert_eq!(settings.keys.value.as_deref(), Some("hush-hush"));
}

#[test]
fn the_printed_configuration_and_the_sample_read_back_as_what_they_show() {
    let (mut given, _dir) = places("");
    given.flags = vec![flag("outbound.allow", "10.0.0.0/8, fd00::/8"), flag("retention.days", "70")];
    let (_, layers) = load(&given).expect("valid");
    let (again, _dir) = places(&show::effective(&layers));
    let (settings, _) = load(&again).expect("what was printed is valid");
    assert_eq!((settings.outbound.allow.len(), settings.retention.days), (2, 70));

    let sample = show::sample();
    let uncommented: String = sample
        .lines()
        .map(|line| line.strip_prefix("# ").filter(|line| is_key(line)).unwrap_or(line))
        .fold(String::new(), |text, line| text + line + "\n");
    let (all, _dir) = places(&uncommented);
    let (_, from_sample) = load(&all).expect("the sample's defaults are valid");
    let (_, defaults) = load(&places("").0).expect("valid");
    for key in KEYS.iter().flat_map(|section| section.iter()) {
        assert_eq!(from_sample[key.name].values, defaults[key.name].values, "{}", key.name);
        assert_ne!(from_sample[key.name].source, Source::Default, "the sample leaves out {}", key.name);
    }
}

fn is_key(line: &str) -> bool {
    line.split_once(" = ")
        .is_some_and(|(name, _)| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'))
}

#[test]
fn no_two_settings_share_a_name_and_each_stands_in_its_section() {
    let names: Vec<_> = KEYS.iter().flat_map(|section| section.iter()).map(|key| key.name).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    for section in KEYS {
        assert!(section.iter().all(|key| key.parts().0 == section[0].parts().0));
    }
}
