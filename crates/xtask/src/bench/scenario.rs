//! What is measured, and what it should come to.

use super::figures::median;
use super::receiver::Manner;

/// Runs of each scenario: enough for a median that one disturbed run does not move.
pub(crate) const RUNS: usize = 3;

/// One scenario.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// For people.
    pub(crate) what: &'static str,
    pub(crate) kind: Kind,
    pub(crate) target: Option<Target>,
    pub(crate) unit: &'static str,
}

/// What is done.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// Events as fast as they are accepted. Its figure: deliveries per second.
    Flood { webhooks: usize, events: usize, manner: Manner, embedded: bool },
    /// Events at a steady pace. Its figure: the p50 from send to receipt, in milliseconds.
    Steady { events: usize, per_second: u32 },
    /// A steady pace alone, then beside a space whose receiver hangs with so many waiting events. Its figure: the healthy
    /// p95 beside ÷ alone.
    Beside { events: usize, per_second: u32, hanging: usize },
}

/// What a figure should be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    AtLeast(f64),
    AtMost(f64),
}

const A: Kind = Kind::Flood { webhooks: 1, events: 5000, manner: Manner::AtOnce, embedded: false };
const B: Kind = Kind::Flood { webhooks: 10, events: 2000, manner: Manner::AtOnce, embedded: false };
const C: Kind = Kind::Flood { webhooks: 1, events: 5000, manner: Manner::Slow, embedded: false };
const A_SERVE: Kind = Kind::Flood { webhooks: 1, events: 5000, manner: Manner::AtOnce, embedded: true };
const B_SERVE: Kind = Kind::Flood { webhooks: 10, events: 2000, manner: Manner::AtOnce, embedded: true };
/// Ten seconds each.
const D: Kind = Kind::Steady { events: 4000, per_second: 400 };
const E: Kind = Kind::Beside { events: 1000, per_second: 100, hanging: 5000 };

/// All of them, in the order in which they run.
pub(crate) const ALL: [Scenario; 7] = [
    of("A", "1 webhook × 5,000 events", A, Some(Target::AtLeast(2000.0)), "deliveries/s"),
    of("B", "10 webhooks × 2,000 events", B, Some(Target::AtLeast(4000.0)), "deliveries/s"),
    of("C", "as A, the receiver answers after 200 ms", C, Some(Target::AtLeast(2000.0)), "deliveries/s"),
    of("D", "400 events/s: send → receipt, p50", D, Some(Target::AtMost(3.0)), "ms"),
    of(
        "E",
        "a space hangs with 5,000 events beside a healthy one: healthy p95, beside ÷ alone",
        E,
        Some(Target::AtMost(1.5)),
        "×",
    ),
    of("A-serve", "A against `postrider serve`, one process on SQLite", A_SERVE, None, "deliveries/s"),
    of("B-serve", "B against `postrider serve`", B_SERVE, None, "deliveries/s"),
];

/// No process may take more memory at its peak, in MiB.
pub(crate) const MEMORY: Target = Target::AtMost(80.0);

const fn of(
    name: &'static str,
    what: &'static str,
    kind: Kind,
    target: Option<Target>,
    unit: &'static str,
) -> Scenario {
    Scenario { name, what, kind, target, unit }
}

impl Kind {
    /// Whether it runs against `serve`.
    pub(crate) fn is_embedded(self) -> bool {
        matches!(self, Self::Flood { embedded: true, .. })
    }
}

impl Target {
    /// Whether a figure reaches it.
    pub(crate) fn is_met(self, figure: f64) -> bool {
        match self {
            Self::AtLeast(least) => figure >= least,
            Self::AtMost(most) => figure <= most,
        }
    }

    /// For a table.
    pub(crate) fn shown(self, unit: &str) -> String {
        match self {
            Self::AtLeast(least) => format!("≥ {}", shown(least, unit)),
            Self::AtMost(most) => format!("≤ {}", shown(most, unit)),
        }
    }
}

/// A figure with its unit; large ones without a fraction.
pub(crate) fn shown(figure: f64, unit: &str) -> String {
    if figure >= 100.0 { format!("{figure:.0} {unit}") } else { format!("{figure:.2} {unit}") }
}

/// The median of some figures, and from where to where they go.
pub(crate) fn summary(figures: &[f64], unit: &str) -> String {
    match median(figures) {
        Some((middle, least, most)) => {
            format!("**{}** ({} to {})", shown(middle, unit), shown(least, "").trim(), shown(most, "").trim())
        }
        None => "–".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_met_at_its_own_value() {
        assert!(Target::AtLeast(2.0).is_met(2.0) && !Target::AtLeast(2.0).is_met(1.9));
        assert!(Target::AtMost(3.0).is_met(3.0) && !Target::AtMost(3.0).is_met(3.1));
        assert_eq!(Target::AtMost(3.0).shown("ms"), "≤ 3.00 ms");
        assert_eq!(summary(&[3.0, 1.0, 2.0], "ms"), "**2.00 ms** (1.00 to 3.00)");
    }
}
