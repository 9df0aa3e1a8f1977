//! SIGTERM and SIGINT: the first one is soft, the second is hard.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{info, warn};

use crate::shutdown::Shutdown;

/// The signals of this process, taken over from the operating system's default (which is to die on the spot).
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Takes the signals over; from here on none is missed. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// When the operating system refuses the handler.
    pub fn register() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Runs `work` to its end and meanwhile turns signals into the wish to stop: the first softly, the second hard.
    pub async fn during<T>(mut self, shutdown: &Shutdown, work: impl Future<Output = T>) -> T {
        let watch = async {
            let name = self.next().await;
            info!(signal = name, "stopping: finishing what is in hand; the same signal again stops at once");
            shutdown.begin();
            let name = self.next().await;
            warn!(signal = name, "stopping at once");
            shutdown.force();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            done = work => done,
            () = watch => unreachable!("the watch ends in a future that never ends"),
        }
    }

    /// The name of the next signal.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
