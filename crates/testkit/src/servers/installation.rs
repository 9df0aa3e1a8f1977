//! Where RabbitMQ's programs are: on this system, or in the folder of another Debian, which is entered with chroot.

use std::io;
use std::path::{Path, PathBuf};

use super::{RABBITMQ_ROOT, newest};

/// Where another Debian finds the broker's folder: a folder that every Debian has and leaves empty.
const INSIDE: &str = "/srv";

/// Mounts what the broker needs in the other Debian, `$1`: the processes, for its look at the memory, and the folder `$2`.
/// Then it becomes the rest of its arguments.
const ENTER: &str = r#"mount -t proc proc "$1/proc" && mount --bind "$2" "$1/srv" && root=$1 && shift 2 && exec chroot "$root" "$@""#;

/// One installation of RabbitMQ.
#[derive(Debug)]
pub(super) struct Installation {
    /// The root of another Debian.
    root: Option<PathBuf>,
}

impl Installation {
    /// The one that the environment names, else that of this system.
    #[expect(
        clippy::disallowed_methods,
        reason = "the runner of the tests says in the environment which broker it wants"
    )]
    pub(super) fn chosen() -> Self {
        Self { root: std::env::var_os(RABBITMQ_ROOT).map(PathBuf::from) }
    }

    /// Its version, as the name of its folder says it.
    pub(super) fn version(&self) -> io::Result<String> {
        let program = self.program("rabbitmq-server")?;
        let folder = program.ancestors().nth(2).and_then(|folder| folder.file_name()?.to_str());
        let version = folder.and_then(|name| name.strip_prefix("rabbitmq_server-")).map(str::to_owned);
        version.ok_or_else(|| io::Error::other(format!("no version in {}", program.display())))
    }

    /// The words of a command that runs one of its programs, for a broker whose files are in `folder`.
    ///
    /// The mounts are made in a namespace of the process's own, so they end with it, however it ends.
    pub(super) fn command(&self, name: &str, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let program = self.program(name)?;
        let Some(root) = &self.root else { return Ok(vec![program]) };
        let inside = program.strip_prefix(root).map_err(io::Error::other)?;
        let enter = ["unshare", "--mount", "--", "sh", "-c", ENTER, "sh"].map(PathBuf::from);
        let rest = [root.clone(), folder.to_owned(), Path::new("/").join(inside)];
        Ok(enter.into_iter().chain(rest).collect())
    }

    /// How its programs name the folder of their broker.
    pub(super) fn seen<'f>(&self, folder: &'f Path) -> &'f Path {
        if self.root.is_some() { Path::new(INSIDE) } else { folder }
    }

    /// One of its programs, as this system names it. Those in /usr/sbin are wrappers that change user and directory.
    fn program(&self, name: &str) -> io::Result<PathBuf> {
        let root = self.root.as_deref().unwrap_or(Path::new("/"));
        let base = root.join("usr/lib/rabbitmq/lib");
        newest(&base.to_string_lossy(), "rabbitmq_server-", &format!("sbin/{name}"), "rabbitmq-server")
    }
}
