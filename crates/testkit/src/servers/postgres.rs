//! Postgres: one server for all tests, a database for each, or a server of a test's own.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;
use tokio::process::Command;

use super::process::Process;
use super::{POSTGRES, free_port, newest, shared, synced, until_ready};

/// The user that runs the server when the tests run as root, who must not.
const USER: &str = "postgres";

/// A private server. Unless the bench wants it otherwise it does not sync to disk: it survives its own restart, not a power
/// cut, and is much faster.
/// Dropped, it is killed.
#[derive(Debug)]
pub struct Server {
    folder: TempDir,
    port: u16,
    process: Option<Process>,
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
        let folder = TempDir::with_prefix("postrider-postgres-")?;
        let data = folder.path().join("data");
        fs::create_dir(&data)?;
        if is_root(folder.path())? {
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
            run(Command::new("chown").arg(USER).arg(&data)).await?;
        }
        let mut initdb = as_server(program("initdb")?, folder.path())?;
        initdb.args([
            "--auth=trust",
            "--username=postgres",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ]);
        run(initdb.arg("--pgdata").arg(&data)).await?;
        let mut server = Self { folder, port: free_port()?, process: None };
        server.start_again().await?;
        Ok(server)
    }

    /// Starts the server after [`Server::stop`] or [`Server::kill`], at the same port over the same storage, and waits
    /// until it answers.
    pub async fn start_again(&mut self) -> io::Result<()> {
        let folder = self.folder.path();
        let mut command = as_server(program("postgres")?, folder)?;
        command.arg("-D").arg(folder.join("data"));
        let port = format!("port={}", self.port);
        let own = [&port, "listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=300"];
        let unsafe_but_fast: &[&str] = if synced() { &[] } else { &["fsync=off", "full_page_writes=off"] };
        for setting in own.iter().chain(unsafe_but_fast) {
            command.args(["-c", setting]);
        }
        let mut process = Process::start("postgres", &mut command, folder)?;
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
