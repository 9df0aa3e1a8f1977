//! The suite for coalescing windows.

use std::time::Duration;

use postrider_ports::windows::{Opening, Windows};

use super::{Bench, Checked, same, suite};
use crate::clock::START;

suite!("windows", dyn Windows, [the_first_event_opens_its_window]);

async fn the_first_event_opens_its_window(bench: &Bench<'_, dyn Windows>) -> Checked {
    let ends_at = START.plus(Duration::from_secs(20));
    let opening = Opening { key: "s/master/w/Entry/r".to_owned(), at: START, ends_at };
    same!(bench.on.join(&[opening]).await?, [ends_at], "the window's end");
    Ok(())
}
