//! Postgres: one server for all tests, a database for each, or a server of a test's own.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;
use tokio::process::Command;

use super::disk::Disk;
use super::process::Process;
use super::{POSTGRES, free_port, newest, shared, synced, until_ready};

/// The user that runs the server when the tests run as root, who must not.
const USER: &str = "postgres";

/// A private server. Unless the bench wants it otherwise it does not sync to disk: it survives its own restart, not a power
/// cut, and is much faster.
/// Dropped, it is killed.
#[derive(Debug)]
pub struct Server {
    process: Option<Process>,
    /// What of it lies on a disk of its own.
    disk: Option<(Disk, OnDisk)>,
    folder: TempDir,
    port: u16,
}

/// What of a server lies on the disk that a test can fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDisk {
    /// Tables and indexes; the log of the server (WAL) lies elsewhere. When the disk is full statements fail (SQLSTATE 53100).
    Tables,
    /// All of it. When the disk is full statements fail, and once the log needs another file the server panics and ends.
    Everything,
}

/// The URL of a fresh, empty database on the shared server.
///
/// # Panics
/// When the test does not run beside the private servers, or the server refuses.
pub async fn database() -> String {
    let url = shared(POSTGRES);
    make(&url).await.unwrap_or_else(|error| panic!("no database on the shared Postgres: {error}"))
}

/// Drops a database that [`database`] or [`Server::database`] made, whoever still uses it.
pub async fn drop_database(url: &str) -> io::Result<()> {
    let (server, name) =
        url.rsplit_once('/').ok_or_else(|| io::Error::other(format!("{url} names no database")))?;
    sql(&format!("{server}/postgres"), &format!("DROP DATABASE {name} WITH (FORCE)")).await
}

impl Server {
    /// Starts a server over empty storage and waits until it answers.
    pub async fn start() -> io::Result<Self> {
        Self::begin(None).await
    }

    /// Starts a server over empty storage, this of it on this disk, and waits until it answers. It needs some 60 MiB before
    /// there is anything in it.
    pub async fn start_on(disk: Disk, what: OnDisk) -> io::Result<Self> {
        Self::begin(Some((disk, what))).await
    }

    async fn begin(disk: Option<(Disk, OnDisk)>) -> io::Result<Self> {
        let folder = TempDir::with_prefix("postrider-postgres-")?;
        let mut server = Self { process: None, disk, folder, port: free_port()? };
        server.make_storage().await?;
        server.start_again().await?;
        Ok(server)
    }

    /// Makes the folders and what a new server has in them.
    async fn make_storage(&self) -> io::Result<()> {
        let folder = self.folder.path();
        let (data, log) = (self.data(), folder.join("wal"));
        let theirs = [&data, &log];
        if is_root(folder)? {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
            let mut install = Command::new("install");
            run(&mut self.seeing(install.args(["-d", "-o", USER]).args(theirs))).await?;
        } else {
            fs::create_dir(&data)?;
        }
        let mut initdb = as_server(program("initdb")?, folder)?;
        initdb.args([
            "--auth=trust",
            "--username=postgres",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ]);
        if let Some((_, OnDisk::Tables)) = self.disk {
            initdb.arg("--waldir").arg(&log);
        }
        run(&mut self.seeing(initdb.arg("--pgdata").arg(&data))).await
    }

    /// Where its data is.
    fn data(&self) -> PathBuf {
        let base = self.disk.as_ref().map_or(self.folder.path(), |(disk, _)| disk.path());
        base.join("data")
    }

    /// The command, seeing the disk if there is one.
    fn seeing(&self, command: &mut Command) -> Command {
        let plain = std::mem::replace(command, Command::new("true"));
        match &self.disk {
            Some((disk, _)) => disk.within(&plain),
            None => plain,
        }
    }

    /// Starts the server after [`Server::stop`] or [`Server::kill`], at the same port over the same storage, and waits
    /// until it answers.
    pub async fn start_again(&mut self) -> io::Result<()> {
        let folder = self.folder.path();
        let mut command = as_server(program("postgres")?, folder)?;
        command.arg("-D").arg(self.data());
        let port = format!("port={}", self.port);
        let own = [&port, "listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=300"];
        let unsafe_but_fast: &[&str] = if synced() { &[] } else { &["fsync=off", "full_page_writes=off"] };
        for setting in own.iter().chain(unsafe_but_fast) {
            command.args(["-c", setting]);
        }
        // A small disk does not hold the gigabyte that the log may take otherwise.
        let small: &[&str] =
            if self.disk.is_some() { &["min_wal_size=32MB", "max_wal_size=64MB"] } else { &[] };
        for setting in small {
            command.args(["-c", setting]);
        }
        let mut process = Process::start("postgres", &mut self.seeing(&mut command), folder)?;
        let url = format!("{}/postgres", self.url());
        until_ready("Postgres", &mut process, async || sql(&url, "SELECT 1").await.is_ok()).await?;
        self.process = Some(process);
        Ok(())
    }

    /// Stops the server as an operator does who does not wait for its clients; its storage stays.
    pub async fn stop(&mut self) {
        if let Some(process) = self.process.take() {
            // SIGTERM would wait until every client has gone,
            // <https://www.postgresql.org/docs/15/server-shutdown.html>.
            process.stop("INT").await;
        }
    }

    /// Kills the server; its storage stays.
    pub async fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill().await;
        }
    }

    /// Waits for it to end by itself, as it does when it cannot write its log.
    pub async fn ended(&mut self) -> io::Result<()> {
        match self.process.take() {
            Some(process) => process.ended().await,
            None => Ok(()),
        }
    }

    /// Runs statements in the database `postgres`, as its superuser.
    pub async fn sql(&self, statements: &str) -> io::Result<()> {
        sql(&format!("{}/postgres", self.url()), statements).await
    }

    /// Its disk, if it has one of its own.
    pub fn disk(&self) -> Option<&Disk> {
        self.disk.as_ref().map(|(disk, _)| disk)
    }

    /// Its URL without a database.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}", self.port)
    }

    /// The URL of a fresh, empty database.
    pub async fn database(&self) -> io::Result<String> {
        make(&self.url()).await
    }
}

async fn make(url: &str) -> io::Result<String> {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let name = format!("test_{}_{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
    sql(&format!("{url}/postgres"), &format!("CREATE DATABASE {name}")).await?;
    Ok(format!("{url}/{name}"))
}

async fn sql(url: &str, statement: &str) -> io::Result<()> {
    run(Command::new(program("psql")?).args([
        "--no-psqlrc",
        "--quiet",
        "--dbname",
        url,
        "--command",
        statement,
    ]))
    .await
}

fn program(name: &str) -> io::Result<PathBuf> {
    newest("/usr/lib/postgresql", "", &format!("bin/{name}"), "postgresql")
}

/// A command of the server's user that dies with whoever runs it.
fn as_server(program: PathBuf, folder: &Path) -> io::Result<Command> {
    let mut command = Command::new("setpriv");
    if is_root(folder)? {
        command.args(["--reuid", USER, "--regid", USER, "--init-groups"]);
    }
    command.args(["--pdeathsig", "INT", "--"]).arg(program).current_dir(folder);
    Ok(command)
}

/// Whoever makes a folder owns it, and root's number is 0.
fn is_root(folder: &Path) -> io::Result<bool> {
    Ok(fs::metadata(folder)?.uid() == 0)
}

async fn run(command: &mut Command) -> io::Result<()> {
    let output = command.output().await?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(io::Error::other(format!(
        "{} failed ({}): {said}",
        command.as_std().get_program().display(),
        output.status
    )))
}
