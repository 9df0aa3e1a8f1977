//! Cache, limits and breakers of a single process, in its memory.
//!
//! All of it can be lost: a restart forgets claims (ids are then accepted as suspects for a day), marks (the log
//! answers), windows (a call more), rates and breakers (they are learnt again). Everything is bounded, by time and by
//! count, and takes its time from the port `Clock`.

mod breakers;
mod claims;
mod expiring;
mod leader;
mod marks;
mod rates;
mod windows;

pub use breakers::MemoryBreakers;
pub use claims::MemoryClaims;
pub use leader::Alone;
pub use marks::MemoryMarks;
pub use rates::MemoryRates;
pub use windows::MemoryWindows;
