//! How far the demo is: a bar on a terminal, plain lines elsewhere, nothing for programs.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicUsize, Ordering};

use indicatif::{ProgressBar, ProgressStyle};

use crate::output::note;

/// Where progress is shown.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    quiet: bool,
    last: AtomicUsize,
}

impl Progress {
    /// Progress on standard error, or none.
    pub fn new(quiet: bool) -> Self {
        let bar = (!quiet && std::io::stderr().is_terminal()).then(|| {
            let style =
                ProgressStyle::with_template("{spinner} {bar:32} {pos}/{len} deliveries settled  {elapsed}");
            ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self { bar, quiet, last: AtomicUsize::new(usize::MAX) }
    }

    /// One line.
    pub fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None if self.quiet => {}
            None => note(text),
        }
    }

    /// So many of so many deliveries are settled.
    pub fn settled(&self, settled: usize, expected: usize) {
        match &self.bar {
            Some(bar) => {
                bar.set_length(expected as u64);
                bar.set_position(settled as u64);
                bar.tick();
            }
            None if self.last.swap(settled, Ordering::Relaxed) != settled => {
                self.say(&format!("{settled} of {expected} deliveries settled"));
            }
            None => {}
        }
    }
}

/// The bar leaves no trace.
impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
