//! One stage of a task: a command with a heading and a duration, quiet when it passes, complete when it fails.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result};

use crate::counts::Counts;

/// After so many crates a stage that compiles says that it is still at it.
const CRATES_PER_SIGN_OF_LIFE: usize = 100;

/// How a stage ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) passed: bool,
    /// Standard output and standard error, as they came.
    pub(crate) output: String,
}

/// Runs a command in `folder`, with the environment variables `env`. While it runs only the essential is printed; if it
/// fails, everything it said is.
///
/// # Errors
/// When the command cannot be started or its output cannot be read.
#[expect(clippy::disallowed_methods, reason = "how long a stage takes is measured, not decided by")]
pub(crate) fn run(
    heading: &str,
    folder: &Path,
    env: &[(&str, &str)],
    command: &[impl AsRef<OsStr>],
) -> Result<Outcome> {
    println!("== {heading}");
    let started = Instant::now();
    // The shell joins both outputs in one pipe, so that their lines stay in order.
    let mut child = Command::new("sh")
        .args(["-c", "exec \"$@\" 2>&1", "sh"])
        .args(command)
        .envs(env.iter().copied())
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start the stage \"{heading}\""))?;
    let mut digest = Digest::default();
    let mut output = String::new();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n') {
            let line = line.with_context(|| format!("cannot read what the stage \"{heading}\" says"))?;
            let line = String::from_utf8_lossy(&line);
            if let Some(essential) = digest.of(&line) {
                println!("   {essential}");
            }
            output.push_str(&line);
            output.push('\n');
        }
    }
    let passed = child.wait().with_context(|| format!("cannot wait for the stage \"{heading}\""))?.success();
    if !passed {
        print!("{output}");
    }
    let verdict = if passed { "passed" } else { "FAILED" };
    println!("   {verdict} after {:.1} s", started.elapsed().as_secs_f64());
    Ok(Outcome { passed, output })
}

/// Picks the essential lines out of what cargo says.
#[derive(Debug, Default)]
struct Digest {
    crates: usize,
    running: String,
}

impl Digest {
    fn of(&mut self, line: &str) -> Option<String> {
        let trimmed = line.trim_start();
        if let Some(counts) = Counts::read(line) {
            let nothing_ran = counts == Counts::default();
            return (!nothing_ran).then(|| format!("{}: {counts}", self.running));
        }
        if let Some(binary) = trimmed.strip_prefix("Running ").or_else(|| trimmed.strip_prefix("Doc-tests "))
        {
            // "tests/http.rs (target/debug/deps/http-fbbe36f5dc58dfe8)" is "tests/http.rs (http)" to a reader.
            let (what, file) = binary.split_once(" (").unwrap_or((binary, "doc-tests"));
            let name = file.trim_end_matches(')').rsplit('/').next().unwrap_or(file);
            let name = name.rsplit_once('-').map_or(name, |(name, _hash)| name);
            self.running = format!("{what} ({name})");
        } else if trimmed.starts_with("Compiling ") || trimmed.starts_with("Checking ") {
            self.crates += 1;
            return self
                .crates
                .is_multiple_of(CRATES_PER_SIGN_OF_LIFE)
                .then(|| format!("{} crates", self.crates));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Outcome {
        run("a stage of a test", Path::new("/"), &[("GREETING", "hello")], &["sh", "-c", script])
            .expect("sh is there")
    }

    #[test]
    fn both_outputs_are_kept_in_order_and_the_exit_code_decides() {
        let good = shell("echo $GREETING; echo error >&2; echo end");
        assert_eq!((good.passed, good.output.as_str()), (true, "hello\nerror\nend\n"));
        let bad = shell("echo no; exit 3");
        assert_eq!((bad.passed, bad.output.as_str()), (false, "no\n"));
    }

    #[test]
    fn a_test_binary_becomes_one_line_with_its_name_and_counts() {
        let mut digest = Digest::default();
        assert_eq!(digest.of("     Running tests/http.rs (target/debug/deps/http-fbbe36f5dc58dfe8)"), None);
        assert_eq!(digest.of("test a_port_in_use ... ok"), None);
        let line = digest.of("test result: ok. 8 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
        assert_eq!(line.as_deref(), Some("tests/http.rs (http): 8 passed, 0 failed"));
        assert_eq!(digest.of("test result: ok. 0 passed; 0 failed; 0 ignored"), None);
    }
}
