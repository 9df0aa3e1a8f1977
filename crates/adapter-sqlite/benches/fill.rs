//! Fills a data directory with a long history: `fill <directory> <calls>`. Prints in JSON what is where. `cargo xtask bench lists`
//! measures on it.

use std::io::Write as _;
use std::sync::Arc;

use postrider_adapter_sqlite::{Database, Settings};
use postrider_ports::clock::Clock;
use postrider_testkit::{RealClock, history};

fn main() {
    // Cargo adds arguments of its own, which begin with a dash.
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let (Some(place), Some(calls)) = (arguments.next(), arguments.next()) else { return };
    let calls = calls.parse().expect("a number of calls");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let filled = runtime.block_on(async {
        let clock = Arc::new(RealClock::new());
        let now = clock.now();
        let (database, driver) = Database::open(&Settings::new(&place), clock).await.expect("opens");
        let driver = tokio::spawn(driver.run());
        let filled = history::fill(Arc::new(database.clone()), calls, now).await;
        database.close().await;
        drop(database);
        driver.await.expect("the driver ends");
        filled
    });
    writeln!(std::io::stdout(), "{filled}").expect("somebody reads");
}
