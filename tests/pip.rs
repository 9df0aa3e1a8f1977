//! Python libraries of others from PyPI, pinned by a list of requirements.

use std::path::PathBuf;
use std::process::Command;

use crate::house;

/// Installs what `requirements` of this repository names into `folder`, for `PYTHONPATH`.
///
/// # Panics
/// When pip cannot install it; pip says why.
pub fn install(requirements: &str, folder: PathBuf) -> PathBuf {
    let mut pip = Command::new("python3");
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--upgrade",
        "--disable-pip-version-check",
        "--root-user-action=ignore",
        "--target",
    ]);
    pip.arg(&folder).arg("--requirement").arg(house::root().join(requirements));
    assert!(
        pip.status().expect("python3 starts").success(),
        "pip could not install {requirements}; see above"
    );
    folder
}
