//! Real signals to a real process: this one. The only test of its binary, because signals belong to a whole process.

use std::process::Command;

use postrider_runtime::shutdown::Shutdown;
use postrider_runtime::signals::Signals;

fn send(signal: &str) {
    let pid = std::process::id();
    let sent = Command::new("sh").args(["-c", &format!("kill -s {signal} {pid}")]).status();
    assert!(sent.expect("a shell is there").success());
}

#[tokio::test]
async fn the_first_signal_is_soft_and_the_second_is_hard() {
    let shutdown = Shutdown::new();
    let signals = Signals::register().expect("handlers can be set");
    let story = async {
        assert!(!shutdown.is_stopping());
        send("TERM");
        shutdown.stopping().await;
        assert!(futures::FutureExt::now_or_never(shutdown.hard()).is_none(), "the first one is only soft");
        send("INT");
        shutdown.hard().await;
        "told"
    };
    assert_eq!(signals.during(&shutdown, story).await, "told");
}
