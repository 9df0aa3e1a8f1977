//! Client libraries of others from npm, pinned by their lock files.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::house;

/// Copies the folder `client` of this repository (`package.json`, its lock file and these drivers) into `folder` and
/// installs there what the lock file names, and nothing else.
///
/// # Panics
/// When npm cannot install it; npm says why.
pub fn install(client: &str, drivers: &[&str], folder: PathBuf) -> PathBuf {
    let source = house::root().join(client);
    std::fs::create_dir_all(&folder).expect("a folder");
    for file in ["package.json", "package-lock.json"].iter().chain(drivers) {
        std::fs::copy(source.join(file), folder.join(file)).expect("copied");
    }
    let status = npm_ci(&folder).status();
    assert!(status.expect("npm starts").success(), "npm could not install {client}; see above");
    folder
}

fn npm_ci(folder: &Path) -> Command {
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]).current_dir(folder);
    npm
}
