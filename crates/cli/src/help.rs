//! What `postrider --help` ends with.

use crate::exit::TABLE;

/// Where to begin.
const FIRST_STEPS: &str = "\
First steps:
  postrider demo                          # the whole of it at work, in half a minute
  postrider serve                         # the system, in this folder; then, in another terminal:
  postrider listen --forward-to http://127.0.0.1:3000/hooks
  postrider events publish --type Entry --action publish --resource-id 5KsD
  postrider events explain EVENT          # which webhooks got it, and why
  postrider calls list --state given_up

-h is short, --help has every flag. With --json answers have stable fields; exports are one JSON object per line.";

/// First steps, and the exit codes.
pub(crate) fn after() -> String {
    format!("{FIRST_STEPS}\n\n{TABLE}")
}
