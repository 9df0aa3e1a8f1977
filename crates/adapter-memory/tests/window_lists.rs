//! What all windows together may list is bounded; beyond that they go on counting, and what is forgotten makes room again.

use std::sync::Arc;
use std::time::Duration;

use postrider_adapter_memory::MemoryWindows;
use postrider_domain::coalesce::{Rank, Window};
use postrider_domain::delivery::DeliveryId;
use postrider_domain::timestamp::Timestamp;
use postrider_ports::windows::{CoalescedEvent, Entry, Windows};
use postrider_testkit::builders::{event, scope, webhook_id};
use postrider_testkit::{ManualClock, START};

/// Ten events with long ids of resources: about 11 KB of a window's list.
fn ten(number: usize, ends_at: Timestamp) -> Vec<Entry> {
    let entry = |n: usize| {
        let head = event("Entry.auto_save").id(&format!("e-{number}-{n}")).resource(&"x".repeat(1024)).head();
        let window = Window { key: format!("s/master/w/Entry/{number}"), ends_at, rank: Rank::of(&head) };
        let delivery = DeliveryId::derive(&scope("s"), &head.id, &webhook_id("w"), 0);
        Entry { window, delivery, event: CoalescedEvent::of(&head) }
    };
    (0..10).map(entry).collect()
}

/// How many events a window counts, and how many of them it lists.
async fn told(windows: &MemoryWindows, entries: &[Entry]) -> (u64, usize) {
    let asked = [entries[0].window.clone()];
    let coalesced = windows.coalesced(&asked).await.expect("memory").remove(0).expect("it is known");
    (coalesced.count, coalesced.events.len())
}

#[tokio::test]
async fn lists_end_at_a_bound_and_begin_again_when_windows_are_forgotten() {
    let clock = Arc::new(ManualClock::default());
    let windows = MemoryWindows::new(clock.clone());
    let end = START.plus(Duration::from_secs(20));
    let first = ten(0, end);
    windows.register(&first).await.expect("memory");
    // 12.6 KB each: 32 MiB are full after about 2,660.
    for number in 1..3000 {
        windows.register(&ten(number, end)).await.expect("memory");
    }
    let last = ten(3000, end);
    windows.register(&last).await.expect("memory");
    assert_eq!(told(&windows, &first).await, (10, 10));
    assert_eq!(told(&windows, &last).await, (10, 0), "it counts, and there is no room to list");
    let newest = windows.newest(std::slice::from_ref(&last[0].window)).await.expect("memory").remove(0);
    assert_eq!(
        newest.expect("it is known").delivery,
        last[9].delivery,
        "who is newest is known all the same"
    );

    let later = end.plus(Duration::from_secs(601));
    clock.set(later);
    let fresh = ten(1, later.plus(Duration::from_secs(20)));
    windows.register(&fresh).await.expect("memory");
    assert_eq!(told(&windows, &fresh).await, (10, 10));
}
