//! A ring's text is read with errors that help and show nothing, and is changed without harm to the rest of it.

use postrider_vault::{InvalidEdit, InvalidKeys, Key, RingText};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

fn key(id: &str) -> Key {
    let bits = id.bytes().fold(7, u8::wrapping_add);
    Key::new(id, [bits; 32]).expect("a key")
}

fn line(id: &str) -> String {
    key(id).to_line().as_str().to_owned()
}

fn parsed(text: &str) -> RingText {
    RingText::parse(text).expect("a ring")
}

#[test]
fn a_key_comes_in_behind_the_others_and_moves_to_the_front() {
    let (k1, k2) = (line("k1"), line("k2"));
    let ring = parsed(&format!("# ours\n\n  {k1}  # of May\n# the end").replace("  # of May", ""));
    assert_eq!(ring.free_id(), "k2");
    let both = ring.add(&key("k2")).expect("added");
    assert_eq!(both.as_str(), format!("# ours\n\n  {k1}\n{k2}\n# the end\n"));
    assert_eq!(both.ids(), ["k1", "k2"], "it does not seal yet");
    let active = both.activate("k2").expect("activated");
    assert_eq!(active.as_str(), format!("# ours\n\n{k2}\n  {k1}\n# the end\n"));
    assert_eq!(active.activate("k2").expect("again"), active);
    assert_eq!(active.remove("k1").expect("removed").as_str(), format!("# ours\n\n{k2}\n# the end\n"));
}

#[test]
fn a_change_that_would_do_harm_is_refused() {
    let ring = parsed(&format!("{}\n{}", line("k1"), line("old")));
    assert_eq!(ring.add(&key("old")), Err(InvalidEdit::Taken("old".to_owned())));
    assert_eq!(ring.remove("k1"), Err(InvalidEdit::Active("k1".to_owned())));
    for error in [ring.remove("k9"), ring.activate("k9")] {
        let error = error.expect_err("no such key").to_string();
        assert!(error.contains("\"k9\"") && error.contains("k1, old"), "{error}");
    }
    assert!(format!("{ring:?}").ends_with("(k1, old, …)"), "{ring:?}");
}

#[test]
fn free_ids_are_free() {
    for (ids, free) in [
        (&["main"][..], "k1"),
        (&["k7", "k2"], "k8"),
        (&["k09"], "k10"),
        (&["k-1", "kk3"], "k1"),
        (&["k18446744073709551615"], "k18446744073709551615"),
    ] {
        let text: Vec<String> = ids.iter().map(|id| line(id)).collect();
        assert_eq!(parsed(&text.join("\n")).free_id(), free, "{ids:?}");
    }
}

/// Lines that are almost keys.
fn near_line() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Za-z0-9_-]{1,40}",
        "[A-Za-z0-9_ -]{0,40}:[A-Za-z0-9+/=]{0,60}",
        "[ \t]*#.*",
        "[ \t]*",
        "k[0-9]{1,2}".prop_map(|id| line(&id)),
    ]
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_with_its_line_and_without_what_stands_there(
        lines in vec(prop_oneof![near_line(), any::<String>()], 0..8),
    ) {
        let text = lines.join("\n");
        match RingText::parse(text.clone()) {
            Ok(ring) => {
                prop_assert!(!ring.ids().is_empty());
                prop_assert_eq!(ring.as_str(), text);
            }
            Err(error) => {
                let message = error.to_string();
                if let InvalidKeys::Line { line, .. } | InvalidKeys::Twice { line, .. } = error {
                    let faulty = text.lines().nth(line - 1).expect("a line of the text").trim().to_owned();
                    let named = format!("line {line} ");
                    prop_assert!(message.contains(&named), "{}", message);
                    // What stands behind the colon is the key. Shorter texts may stand in any message.
                    let secret = faulty.split_once(':').map_or(faulty.as_str(), |(_, bits)| bits).trim();
                    prop_assert!(secret.len() < 12 || !message.contains(secret), "{}", message);
                }
            }
        }
    }

    #[test]
    fn changes_touch_one_key_and_nothing_else(
        ids in btree_set("[a-z][a-z0-9]{0,5}", 2..6),
        remarks in vec("#[ a-z]{0,9}", 0..4),
        which in any::<prop::sample::Index>(),
    ) {
        let ids: Vec<String> = ids.into_iter().collect();
        let (new, ids) = ids.split_first().expect("at least two");
        let mut lines: Vec<String> = ids.iter().map(|id| line(id)).collect();
        for (at, remark) in remarks.iter().enumerate() {
            lines.insert((at * 2).min(lines.len()), remark.clone());
        }
        let ring = parsed(&lines.join("\n"));
        let rest_of = |ring: &RingText, id: &str| -> Vec<String> {
            ring.as_str().lines().filter(|one| *one != line(id)).map(str::to_owned).collect()
        };
        let added = ring.add(&key(new)).expect("added");
        prop_assert_eq!(&added.ids()[..ids.len()], ids);
        prop_assert_eq!(added.ids().last(), Some(new));
        prop_assert_eq!(rest_of(&added, new), &lines[..]);

        let chosen = &added.ids()[which.index(added.ids().len())];
        let active = added.activate(chosen).expect("activated");
        prop_assert_eq!(&active.ids()[0], chosen);
        prop_assert_eq!(rest_of(&active, chosen), rest_of(&added, chosen));

        let other = &active.ids()[1];
        let removed = active.remove(other).expect("removed");
        prop_assert_eq!(removed.as_str().lines().collect::<Vec<_>>(), rest_of(&active, other));
        prop_assert!(!removed.ids().contains(other));
    }
}
