//! How many tests passed and failed, read from what `cargo test` prints.

use std::fmt;
use std::ops::AddAssign;

/// Numbers of tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
}

impl Counts {
    /// Reads a line such as `test result: ok. 9 passed; 0 failed; 0 ignored; …`, which ends each test binary's output.
    /// Any other line is `None`.
    pub(crate) fn read(line: &str) -> Option<Self> {
        let (_verdict, numbers) = line.strip_prefix("test result: ")?.split_once(". ")?;
        let number = |unit: &str| {
            let part = numbers.split("; ").find_map(|part| part.strip_suffix(unit));
            part.and_then(|digits| digits.parse().ok())
        };
        Some(Self { passed: number(" passed")?, failed: number(" failed")? })
    }

    /// The sum over a whole output.
    pub(crate) fn sum(output: &str) -> Self {
        let mut sum = Self::default();
        output.lines().filter_map(Self::read).for_each(|counts| sum += counts);
        sum
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\
   Compiling postrider-domain v0.1.0
     Running unittests src/lib.rs (target/debug/deps/postrider_domain-1)

running 2 tests
test a_topic_ends_at_the_first_dot ... ok
test it_prints_test_result: ok. 7 passed; 7 failed ... ok

test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.08s

     Running tests/http.rs (target/debug/deps/http-2)
test result: FAILED. 11 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s
   Doc-tests postrider_domain
test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s; merged doctests compilation took 0.30s
";

    #[test]
    fn the_results_of_all_binaries_are_added_up() {
        assert_eq!(Counts::sum(OUTPUT), Counts { passed: 14, failed: 3 });
        assert_eq!(Counts::sum(OUTPUT).to_string(), "14 passed, 3 failed");
    }

    #[test]
    fn a_line_that_is_no_result_counts_nothing() {
        for line in [
            "",
            "test a ... ok",
            "test result: ok",
            "test result: ok. many passed; 0 failed",
            "2 passed, 1 failed",
        ] {
            assert_eq!(Counts::read(line), None, "{line}");
        }
    }
}
