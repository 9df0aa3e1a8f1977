//! What the supervisor promises about tasks that end, fail, panic, or do not end.

use std::future::pending;
use std::time::Duration;

use postrider_runtime::shutdown::Shutdown;
use postrider_runtime::supervisor::{Exit, Supervisor};

/// Long enough never to pass by itself: time is paused, and moves only when nothing else can.
const GRACE: Duration = Duration::from_secs(30);

fn supervisor() -> (Supervisor, Shutdown) {
    let shutdown = Shutdown::new();
    (Supervisor::new(shutdown.clone()), shutdown)
}

/// A task as a service is one: works until it is asked to stop.
async fn obedient(shutdown: Shutdown) -> Result<(), String> {
    shutdown.stopping().await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_task_stops_the_process_with_its_name() {
    let (mut supervisor, shutdown) = supervisor();
    supervisor.spawn("obedient", obedient(shutdown.clone()));
    supervisor.spawn("dispatcher", async move {
        if shutdown.is_stopping() {
            return Ok::<(), String>(());
        }
        panic!("index {} out of bounds", 7)
    });
    let exit = supervisor.run_until_stopped(GRACE).await;
    let error = "it panicked: index 7 out of bounds".to_owned();
    assert_eq!(exit, Exit::TaskFailed { name: "dispatcher".to_owned(), error });
    assert_eq!(exit.code(), 70);
}

#[tokio::test(start_paused = true)]
async fn an_error_stops_the_process_and_is_told_with_its_causes() {
    #[derive(Debug, thiserror::Error)]
    #[error("cannot write the log")]
    struct Outer(#[source] std::io::Error);

    let (mut supervisor, shutdown) = supervisor();
    supervisor.spawn("obedient", obedient(shutdown));
    supervisor.spawn("log-writer", async { Err(Outer(std::io::Error::other("disk full"))) });
    let exit = supervisor.run_until_stopped(GRACE).await;
    assert_eq!(
        exit.to_string(),
        "stopped because the task \"log-writer\" failed: cannot write the log: disk full"
    );
}

#[tokio::test(start_paused = true)]
async fn a_task_that_ends_though_nobody_asked_is_a_failure() {
    let (mut supervisor, shutdown) = supervisor();
    supervisor.spawn("obedient", obedient(shutdown));
    supervisor.spawn("consumer", async { Ok::<(), String>(()) });
    let Exit::TaskFailed { name, error } = supervisor.run_until_stopped(GRACE).await else {
        panic!("a consumer that stopped consuming must not look like success")
    };
    assert_eq!(name, "consumer");
    assert!(error.contains("nobody had asked"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_has_finished_the_work_of_the_process_ends_it_cleanly() {
    let (mut supervisor, shutdown) = supervisor();
    supervisor.spawn("obedient", obedient(shutdown.clone()));
    supervisor.spawn("script", async move {
        shutdown.begin();
        Ok::<(), String>(())
    });
    let exit = supervisor.run_until_stopped(GRACE).await;
    assert_eq!((exit.code(), exit), (0, Exit::Clean));
}

#[tokio::test(start_paused = true)]
async fn a_failure_while_stopping_is_not_a_clean_stop() {
    let (mut supervisor, shutdown) = supervisor();
    let wish = shutdown.clone();
    supervisor.spawn("log-writer", async move {
        wish.stopping().await;
        Err("the last batch was refused")
    });
    shutdown.begin();
    let exit = supervisor.run_until_stopped(GRACE).await;
    let error = "the last batch was refused".to_owned();
    assert_eq!(exit, Exit::TaskFailed { name: "log-writer".to_owned(), error });
}

#[tokio::test(start_paused = true)]
async fn when_the_grace_period_is_over_the_unfinished_tasks_are_named() {
    let (mut supervisor, shutdown) = supervisor();
    supervisor.spawn("obedient", obedient(shutdown.clone()));
    supervisor.spawn("stuck", pending::<Result<(), String>>());
    supervisor.spawn("also stuck", pending::<Result<(), String>>());
    shutdown.begin();
    let started = tokio::time::Instant::now();
    let exit = supervisor.run_until_stopped(GRACE).await;
    assert!(started.elapsed() >= GRACE, "they had the whole grace period");
    assert_eq!(exit, Exit::GraceExceeded { names: vec!["also stuck".to_owned(), "stuck".to_owned()] });
    assert_eq!(exit.code(), 75);
}

#[tokio::test(start_paused = true)]
async fn hard_does_not_wait_for_the_grace_period() {
    let (mut supervisor, shutdown) = supervisor();
    supervisor.spawn("stuck", pending::<Result<(), String>>());
    shutdown.force();
    let started = tokio::time::Instant::now();
    let exit = supervisor.run_until_stopped(GRACE).await;
    assert!(started.elapsed() < Duration::from_secs(1));
    assert_eq!(exit, Exit::GraceExceeded { names: vec!["stuck".to_owned()] });
}

#[tokio::test(start_paused = true)]
async fn no_task_outlives_the_supervisor() {
    let (mut supervisor, shutdown) = supervisor();
    let (held, released) = tokio::sync::oneshot::channel::<()>();
    supervisor.spawn("stuck", async move {
        let _held = held;
        pending::<Result<(), String>>().await
    });
    shutdown.force();
    supervisor.run_until_stopped(GRACE).await;
    assert!(released.await.is_err(), "the task was dropped with everything it held");
}
