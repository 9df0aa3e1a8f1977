//! The dispatcher over fakes, controlled time and a scripted receiver.

mod fakes;
mod receiver;
mod taps;
mod ward;
mod world;

mod coalescing;
mod crashes;
mod faults;
mod matching;
mod outcomes;
mod overload;
mod recording;
mod retries;
mod settings;
mod shutdown;
mod slack;
mod suspects;
mod wellness;
