//! Who depends on whom, as small as the rules need it, and how it is read from cargo.

use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_metadata::{DependencyKind, MetadataCommand};

/// The prefix of our own packages.
pub const OURS: &str = "postrider-";

/// All packages that are built, ours and others'.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    /// In no particular order.
    pub packages: Vec<Package>,
}

/// One package.
#[derive(Debug, Clone, Default)]
pub struct Package {
    /// As cargo names it.
    pub name: String,
    /// As in its manifest.
    pub version: String,
    /// Whether it is a member of this workspace.
    pub is_ours: bool,
    /// Its SPDX expression, if it states one.
    pub licence: Option<String>,
    /// Its folder.
    pub folder: PathBuf,
    /// What its manifest declares.
    pub dependencies: Vec<Dependency>,
}

/// One declared dependency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// The package that is meant.
    pub package: String,
    /// The name it has in code.
    pub ident: String,
    /// Whether only tests, examples and benches see it.
    pub is_dev: bool,
}

impl Graph {
    /// Our own packages.
    pub fn ours(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| package.is_ours)
    }

    /// Reads the graph of the workspace at `root`, as it is built on this machine (packages that only other platforms
    /// need may not even be downloaded here).
    ///
    /// # Panics
    /// When cargo or rustc cannot be run or cannot read the workspace.
    pub fn load(root: &Path) -> Self {
        let metadata = MetadataCommand::new()
            .manifest_path(root.join("Cargo.toml"))
            .other_options(["--filter-platform".to_owned(), host()])
            .exec()
            .expect("cargo can read the workspace");
        let packages = metadata.packages.iter().map(|package| Package {
            name: package.name.to_string(),
            version: package.version.to_string(),
            is_ours: metadata.workspace_members.contains(&package.id),
            licence: package.license.clone(),
            folder: package
                .manifest_path
                .parent()
                .map(|folder| folder.as_std_path().to_owned())
                .unwrap_or_default(),
            dependencies: package.dependencies.iter().map(dependency).collect(),
        });
        Self { packages: packages.collect() }
    }
}

impl Package {
    /// The name without our prefix, as the tables and folders use it.
    pub fn short_name(&self) -> &str {
        self.name.strip_prefix(OURS).unwrap_or(&self.name)
    }
}

fn dependency(declared: &cargo_metadata::Dependency) -> Dependency {
    let ident = declared.rename.as_ref().unwrap_or(&declared.name).replace('-', "_");
    Dependency { package: declared.name.clone(), ident, is_dev: declared.kind == DependencyKind::Development }
}

/// The platform this machine builds for, such as `x86_64-unknown-linux-gnu`.
fn host() -> String {
    let output = Command::new("rustc").arg("-vV").output().expect("rustc can be run");
    let text = String::from_utf8(output.stdout).expect("rustc speaks UTF-8");
    text.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc names its host").to_owned()
}
