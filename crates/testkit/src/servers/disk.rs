//! A small disk of a server's own, that a test fills and frees again.
//!
//! It is a tmpfs in a mount namespace of its own (`mount_namespaces(7)`). A process that does nothing but wait holds the
//! namespace, and dies with whoever runs the test; with it and the server on the disk the mount is gone. So nothing is left
//! mounted, whether the test ends, panics or is killed, and nobody else sees the disk.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::process::Command;

use super::process::{Process, bound};
use super::until_ready;

/// The file that fills it.
const FILLER: &str = "filler";
/// What is written at once. Smaller than any block a server asks for, so that nothing is left for one.
const PIECE: [u8; 4096] = [0; 4096];

/// A disk that can become full. Dropped, it is unmounted.
#[derive(Debug)]
pub struct Disk {
    holder: Process,
    folder: TempDir,
}

impl Disk {
    /// Mounts an empty one of this size.
    ///
    /// # Errors
    /// When it cannot be mounted: that takes root's rights (`CAP_SYS_ADMIN`), which some containers do not give.
    pub async fn mount(mebibytes: u32) -> io::Result<Self> {
        let folder = TempDir::with_prefix("postrider-disk-")?;
        let mut command = bound(&["unshare", "--mount", "--", "sh", "-c"]);
        command.arg(r#"mount -t tmpfs -o "size=$1m,mode=755" postrider "$2" && exec sleep infinity"#);
        command.arg("sh").arg(mebibytes.to_string()).arg(folder.path());
        let mut holder = Process::start("disk", &mut command, folder.path())?;
        let mounts = PathBuf::from(format!("/proc/{}/mountinfo", holder.id()));
        let place = folder.path().to_string_lossy().into_owned();
        let mounted = async || fs::read_to_string(&mounts).is_ok_and(|mounts| mounts.contains(&place));
        until_ready("the disk", &mut holder, mounted).await.map_err(|error| {
            io::Error::other(format!(
                "no disk of {mebibytes} MiB can be mounted at {place}: {error}\nMounting takes root's rights (CAP_SYS_ADMIN): run \
                 the tests as root, or in a container with --cap-add SYS_ADMIN"
            ))
        })?;
        Ok(Self { holder, folder })
    }

    /// Where it is, for what runs within it.
    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The same as text, for whoever looks at what is mounted.
    pub fn place(&self) -> std::borrow::Cow<'_, str> {
        self.folder.path().to_string_lossy()
    }

    /// Makes a command one that sees the disk.
    pub(super) fn within(&self, command: &Command) -> Command {
        let inner = command.as_std();
        let mut entering = Command::new("nsenter");
        entering.arg(format!("--mount=/proc/{}/ns/mnt", self.holder.id())).arg("--");
        entering.arg(inner.get_program()).args(inner.get_args());
        entering
    }

    /// Fills what is left of it, to the last block.
    pub fn fill(&self) -> io::Result<()> {
        let mut filler = File::options().create(true).append(true).open(self.seen().join(FILLER))?;
        loop {
            match filler.write_all(&PIECE) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::StorageFull => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Gives back what [`Disk::fill`] took.
    pub fn free(&self) -> io::Result<()> {
        fs::remove_file(self.seen().join(FILLER))
    }

    /// Where it is for everybody else.
    fn seen(&self) -> PathBuf {
        let inside = self.folder.path().strip_prefix("/").unwrap_or(self.folder.path());
        Path::new("/proc").join(self.holder.id().to_string()).join("root").join(inside)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // The end of the namespace unmounts it too, but only once everybody in it has gone.
        let mut unmount = std::process::Command::new("nsenter");
        unmount.arg(format!("--mount=/proc/{}/ns/mnt", self.holder.id()));
        unmount.args(["--", "umount", "--lazy"]).arg(self.folder.path()).stderr(std::process::Stdio::null());
        drop(unmount.status());
    }
}
