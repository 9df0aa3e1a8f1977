//! The stories, as data.

use std::time::Duration;

/// Healthy events per second: a hundredth of what two cores deliver, so that a wait is not the machine's.
pub(super) const PER_SECOND: u32 = 100;
/// At full speed: more than a second of it.
const FULL: Full = Full::Speed(5000);
/// Whoever makes a thousand webhooks at once is not slowed down by the management API.
const UNHURRIED: (&str, &str) = ("POSTRIDER__API__REQUESTS_PER_SECOND", "100000");
/// Events per second that a space may send in the story of the flood. Two cores that are shared with the servers deliver some
/// 4,000 a second, so it is set for the machine, as an operator would; the default of 10,000 is for larger ones.
const RATE: &str = "500";

/// One story.
#[derive(Debug)]
pub(crate) struct Story {
    pub(crate) name: &'static str,
    /// For people.
    pub(crate) what: &'static str,
    /// Healthy webhooks. Each event is for one of them.
    pub(crate) healthy: usize,
    /// Healthy events at the steady pace: those whose latency counts.
    pub(crate) events: usize,
    /// What comes after them, whose throughput counts.
    pub(crate) full: Full,
    pub(crate) sick: Sick,
    pub(crate) settings: &'static [(&'static str, &'static str)],
    /// Messages through the delay queues and back, per waiting delivery, at most.
    pub(crate) messages: Option<f64>,
}

/// How the throughput is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Full {
    /// As fast as events are accepted.
    Speed(usize),
    /// At this pace: for a space that may not send faster.
    Pace { events: usize, per_second: u32 },
}

/// The sick part.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Sick {
    /// One webhook that worked and then hangs.
    Hangs {
        /// In the space of the healthy ones, or in one of its own.
        own_space: bool,
        /// How long a call takes.
        for_long: Duration,
        /// Events that come at once.
        events: usize,
        /// Whether they all wait before the healthy part begins; otherwise it begins as soon as they are accepted.
        settled: bool,
        /// Events per second that go on coming.
        per_second: u32,
    },
    /// Webhooks of the same space whose hosts are dead, each in one of three ways in turn.
    Dead { hosts: usize, events: usize, per_second: u32 },
    /// A tenant that sends more than it may: single events, and arrays of events, each so many a second.
    Flood { singles: u32, arrays: (u32, usize) },
}

pub(crate) const ALL: [Story; 4] = [
    Story {
        name: "hangs",
        what: "one webhook that worked hangs 30 s with 20,000 waiting deliveries, beside 50 healthy ones of its space",
        healthy: 50,
        // Thirty seconds: the time-outs, the breaker and all that is put off then are among them.
        events: 3000,
        full: FULL,
        sick: Sick::Hangs {
            own_space: false,
            for_long: Duration::from_secs(3600),
            events: 20_000,
            settled: true,
            per_second: 20,
        },
        settings: &[],
        messages: Some(8.0),
    },
    Story {
        name: "tenant",
        what: "another tenant's 5,000 events hang 10 s each, beside 50 healthy webhooks",
        healthy: 50,
        events: 2500,
        full: FULL,
        sick: Sick::Hangs {
            own_space: true,
            for_long: Duration::from_secs(10),
            events: 5000,
            settled: false,
            per_second: 20,
        },
        settings: &[],
        messages: Some(8.0),
    },
    Story {
        name: "dead",
        what: "a thousand dead hosts (a third take no connection, a third refuse it, a third never answer), beside 100 healthy \
               webhooks of their space",
        healthy: 100,
        events: 2500,
        full: FULL,
        sick: Sick::Dead { hosts: 1000, events: 2000, per_second: 40 },
        settings: &[UNHURRIED],
        messages: Some(16.0),
    },
    Story {
        name: "flood",
        what: "a tenant floods ingest with 2,400 events/s, of which it may send 500, beside 50 healthy webhooks",
        healthy: 50,
        events: 2000,
        full: Full::Pace { events: 2000, per_second: 250 },
        sick: Sick::Flood { singles: 400, arrays: (4, 500) },
        settings: &[("POSTRIDER__INGEST__RATE", RATE)],
        messages: None,
    },
];
