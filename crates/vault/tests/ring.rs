//! What is sealed opens in its place, with the key that sealed it, and keys come and go while the process runs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use postrider_domain::id::SpaceId;
use postrider_domain::secret::Sealed;
use postrider_ports::clock::Random;
use postrider_ports::error::{PortError, PortErrorKind};
use postrider_ports::keys::{KeyIds, Keys};
use postrider_ports::secrets::{Place, Secrets};
use postrider_testkit::ManualClock;
use postrider_vault::{Key, KeyRing};

/// Not random at all: makes sealed texts that can be frozen.
struct Counting;

impl Random for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::try_from(at).expect("short");
        }
    }
}

fn key(id: &str) -> Key {
    let bits = id.bytes().last().expect("an id") - b'0';
    Key::new(id, [bits; 32]).expect("a key")
}

fn ring(ids: &[&str]) -> KeyRing {
    let keys: Vec<Key> = ids.iter().map(|id| key(id)).collect();
    KeyRing::new(&keys, Arc::new(Counting)).expect("a ring")
}

fn space() -> SpaceId {
    SpaceId::new("s").expect("id")
}

fn place<'a>(space: &'a SpaceId, owner: &'a str) -> Place<'a> {
    Place { space, owner, field: "signing" }
}

fn sealed_by(ids: &[&str]) -> Sealed {
    ring(ids).seal(place(&space(), "w"), "hunter2 ü").expect("sealed")
}

/// A file that can be changed and taken away, and counts how often it is read.
#[derive(Default)]
struct File {
    text: Mutex<Option<String>>,
    reads: AtomicUsize,
}

impl File {
    fn holds(&self, ids: &[&str]) {
        let lines: Vec<String> = ids.iter().map(|id| key(id).to_line().as_str().to_owned()).collect();
        *self.text.lock().expect("sound") = Some(lines.join("\n"));
    }

    fn write(&self, text: Option<&str>) {
        *self.text.lock().expect("sound") = text.map(str::to_owned);
    }

    fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }
}

/// A ring of `k1` that is read from the file again.
fn following() -> (Arc<File>, Arc<ManualClock>, KeyRing) {
    let (file, clock) = (Arc::new(File::default()), Arc::new(ManualClock::new()));
    file.holds(&["k1"]);
    let of_ring = Arc::clone(&file);
    let read = move || {
        of_ring.reads.fetch_add(1, Ordering::SeqCst);
        of_ring.text.lock().expect("sound").clone().ok_or_else(|| "/keys: no such file".to_owned())
    };
    let ring = ring(&["k1"]).read_again(read, clock.clone());
    (file, clock, ring)
}

fn open(ring: &KeyRing, sealed: &Sealed) -> Result<String, PortError> {
    ring.open(place(&space(), "w"), sealed)
}

#[test]
fn what_is_sealed_opens_in_its_place_and_nowhere_else() {
    let (ring, space) = (ring(&["k1"]), space());
    let sealed = ring.seal(place(&space, "w1"), "hunter2").expect("sealed");
    assert_eq!(ring.open(place(&space, "w1"), &sealed).expect("opens"), "hunter2");
    let error = ring.open(place(&space, "w2"), &sealed).expect_err("moved");
    assert_eq!(error.kind, PortErrorKind::Permanent, "time does not heal it");
    assert!(error.to_string().contains("w2") && !error.to_string().contains("hunter2"), "{error}");
}

#[test]
fn every_changed_character_keeps_it_shut() {
    let (ring, sealed) = (ring(&["k1"]), sealed_by(&["k1"]));
    for at in 0..sealed.as_str().len() {
        let mut bytes = sealed.as_str().as_bytes().to_vec();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let changed = Sealed::new(String::from_utf8(bytes).expect("ASCII"));
        // The last character of unpadded base64 may carry unused bits, which the decoder refuses as well.
        assert!(open(&ring, &changed).is_err(), "opened with a change at {at}");
    }
}

#[test]
fn the_written_form_never_changes() {
    let sealed = ring(&["k1"]).seal(place(&space(), "w1"), "hunter2").expect("sealed");
    assert_eq!(sealed.as_str(), "v1.k1.AAECAwQFBgcICQoLDA0ODxAREhMUFRYXEKW18fjj5Z4fxJlHKKYmeVJOhiCpNXE");
}

#[test]
fn every_key_opens_and_the_first_seals() {
    let both = ring(&["k2", "k1"]);
    assert_eq!(open(&both, &sealed_by(&["k1"])).expect("opens"), "hunter2 ü");
    let sealed = both.seal(place(&space(), "w"), "x").expect("sealed");
    assert_eq!(both.sealed_with(&sealed), Some("k2"));
    assert_eq!(both.sealed_with(&sealed_by(&["k3"])), Some("k3"), "also a key that is not there");
    assert_eq!(both.sealed_with(&Sealed::new("hunter2")), None);
    let ids = both.reread().expect("a ring that stays as it is");
    assert_eq!(ids, KeyIds { active: "k2".to_owned(), others: vec!["k1".to_owned()] });
}

#[test]
fn a_missing_key_is_named_and_can_be_put_back() {
    let error = open(&ring(&["k2"]), &sealed_by(&["k1"])).expect_err("lost");
    assert!(error.is_transient(), "it can be put back");
    let error = error.to_string();
    for part in ["\"k1\"", "signing of w in space s", "add it back", "start this process again"] {
        assert!(error.contains(part), "{part} in {error}");
    }
}

#[test]
fn a_key_that_came_after_the_start_is_found() {
    let (file, _, ring) = following();
    let sealed = sealed_by(&["k2"]);
    file.holds(&["k1", "k2"]);
    assert_eq!(open(&ring, &sealed).expect("found"), "hunter2 ü");
    assert_eq!(open(&ring, &sealed).expect("known"), "hunter2 ü");
    assert_eq!(file.reads(), 1, "what is there is not looked for");
}

#[test]
fn a_missing_key_is_looked_for_once_a_second_and_no_other_waits_for_it() {
    let (file, clock, ring) = following();
    for _ in 0..1000 {
        let error = open(&ring, &sealed_by(&["k3"])).expect_err("lost");
        assert!(error.is_transient() && error.to_string().contains("without a restart"), "{error}");
    }
    assert_eq!(file.reads(), 1);
    file.holds(&["k1", "k2"]);
    assert_eq!(open(&ring, &sealed_by(&["k2"])).expect("found at once"), "hunter2 ü");
    file.holds(&["k1", "k2", "k3"]);
    clock.advance(Duration::from_millis(999));
    assert!(open(&ring, &sealed_by(&["k3"])).is_err());
    clock.advance(Duration::from_millis(1));
    assert_eq!(open(&ring, &sealed_by(&["k3"])).expect("found"), "hunter2 ü");
    assert_eq!(file.reads(), 3);
}

#[test]
fn it_seals_with_the_key_that_is_in_front_now() {
    let (file, _, ring) = following();
    let sealed = |ring: &KeyRing| ring.seal(place(&space(), "w"), "x").expect("sealed");
    file.holds(&["k1", "k2"]);
    assert_eq!(ring.sealed_with(&sealed(&ring)), Some("k1"), "a key that is not in front does not seal");
    file.holds(&["k2", "k1"]);
    assert_eq!(ring.sealed_with(&sealed(&ring)), Some("k2"));
}

#[test]
fn a_ring_that_cannot_be_read_again_opens_and_does_not_seal() {
    let (file, clock, ring) = following();
    let bits = key("k1").to_line();
    for (text, why) in [(None, "no such file"), (Some("k1"), "line 1"), (Some(""), "is empty")] {
        file.write(text);
        clock.advance(Duration::from_secs(1));
        assert_eq!(open(&ring, &sealed_by(&["k1"])).expect("still known"), "hunter2 ü");
        let lost = open(&ring, &sealed_by(&["k2"])).expect_err("lost");
        let shut = ring.seal(place(&space(), "w"), "x").expect_err("its key may be lost");
        let unread = ring.reread().expect_err("unreadable");
        for error in [lost, shut, unread] {
            assert!(error.is_transient(), "{error}");
            assert!(error.to_string().contains(why), "{why} in {error}");
            assert!(!error.to_string().contains(&bits[3..]), "{error}");
        }
    }
    file.holds(&["k2"]);
    assert_eq!(ring.reread().expect("readable").active, "k2");
    assert!(open(&ring, &sealed_by(&["k1"])).is_err(), "what was removed does not stay in memory");
}

#[test]
fn threads_that_miss_the_same_key_at_once_all_get_it() {
    let (file, _, ring) = following();
    file.holds(&["k1", "k2"]);
    let sealed = sealed_by(&["k2"]);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(|| open(&ring, &sealed).is_ok())).collect();
        assert!(threads.into_iter().all(|thread| thread.join().expect("no panic")));
    });
    assert_eq!(file.reads(), 1);
}
