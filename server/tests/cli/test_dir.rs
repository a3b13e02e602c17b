//! A separate data directory for a test, the real program in it, and clean-up of all processes.

use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader, Read, Seek};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use ledger_store::embedded::{Cluster, Durability, Settings};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;

/// A directory to run the program in.
pub(crate) struct TestDir(TempDir);

/// The result of a finished command.
pub(crate) struct CommandOutput {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl TestDir {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        // The server's own user must be able to enter.
        fs::set_permissions(dir.path(), Permissions::from_mode(0o711)).expect("our own directory");
        Self(dir)
    }

    pub(crate) fn dir(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.dir().join("data")
    }

    /// Returns a command with an empty environment, as a user would run it in this directory.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_call-ledger"));
        command.env_clear().current_dir(self.dir()).args(args).stdin(Stdio::null());
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> CommandOutput {
        CommandOutput::of(&self.command(args).output().expect("the program runs"))
    }

    /// Runs a command that must succeed and print exactly one JSON document.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let ran = self.run(&[&["--output", "json"], args].concat());
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.stderr);
        assert_eq!(ran.stdout.lines().count(), 1, "{args:?}: {}", ran.stdout);
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stdout))
    }

    /// Returns the process id of the embedded PostgreSQL, if it runs.
    pub(crate) fn postgres(&self) -> Option<Pid> {
        let file = fs::read_to_string(self.data().join("pg/postmaster.pid")).ok()?;
        let pid = Pid::from_raw(file.lines().next()?.parse().ok()?);
        kill(pid, None).is_ok().then_some(pid)
    }

    /// Starts `serve` on a free port; returns as soon as it listens.
    pub(crate) fn serve(&self, args: &[&str]) -> Serving {
        let args = [&["serve", "--listen", "127.0.0.1:0", "--output", "json"], args].concat();
        Self::start(self.command(&args))
    }

    /// Starts a `serve` that prints JSON; returns as soon as it listens.
    pub(crate) fn start(mut command: Command) -> Serving {
        // A pipe that nobody reads while the server runs would be full after some hundred lines of its log,
        // and the server would wait.
        let log = tempfile::tempfile().expect("a file");
        let stderr = log.try_clone().expect("a second handle");
        let mut child = command.stdout(Stdio::piped()).stderr(stderr).spawn().expect("it starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("it says where it listens");
        let said: Value = serde_json::from_str(&line).unwrap_or_else(|_| {
            child.wait().expect("it ends");
            panic!("it did not start: {}", text_of(&log))
        });
        let url = said["listening"].as_str().expect("where it listens").to_owned();
        Serving { child, stdout, log, url }
    }
}

impl Drop for TestDir {
    /// A failed test may leave a server running, and its directory is about to be removed.
    fn drop(&mut self) {
        if let Some(pid) = self.postgres() {
            let _ = kill(pid, Signal::SIGQUIT);
        }
    }
}

impl CommandOutput {
    fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().expect("it was not killed"),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// A `serve` process.
pub(crate) struct Serving {
    child: Child,
    stdout: BufReader<ChildStdout>,
    log: File,
    pub(crate) url: String,
}

impl Serving {
    /// Ends the process with a signal; returns its exit code and further output.
    pub(crate) fn end(mut self, signal: Signal) -> CommandOutput {
        let pid = Pid::from_raw(self.child.id().cast_signed());
        kill(pid, signal).expect("it runs");
        let mut stdout = String::new();
        self.stdout.read_to_string(&mut stdout).expect("a text");
        let status = self.child.wait().expect("it ends");
        CommandOutput { code: status.code().unwrap_or(-1), stdout, stderr: text_of(&self.log) }
    }
}

/// Everything that was written to a file, from its beginning.
fn text_of(mut file: &File) -> String {
    let mut text = String::new();
    file.rewind().expect("a file");
    file.read_to_string(&mut text).expect("a text");
    text
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The embedded PostgreSQL of a test, with a connection to change it directly.
pub(crate) struct DirectAccess {
    cluster: Cluster,
    conn: PgConnection,
}

impl DirectAccess {
    pub(crate) async fn new(test_dir: &TestDir) -> Self {
        let settings = Settings {
            data_dir: test_dir.data(),
            binaries: None,
            user: None,
            durability: Durability::Durable,
            max_connections: 200,
            archive: None,
        };
        let cluster = Cluster::start_or_adopt(settings).await.expect("it starts");
        let conn = PgConnection::connect_with(&cluster.connect_options()).await;
        Self { cluster, conn: conn.expect("it answers") }
    }

    pub(crate) async fn execute(&mut self, statements: &str) {
        for statement in statements.split("; ") {
            let sql = AssertSqlSafe(statement.to_owned());
            sqlx::raw_sql(sql).execute(&mut self.conn).await.expect(statement);
        }
    }

    /// Returns one value.
    pub(crate) async fn query<T>(&mut self, question: &str) -> T
    where
        T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
    {
        let sql = AssertSqlSafe(question.to_owned());
        sqlx::query_scalar(sql).fetch_one(&mut self.conn).await.expect(question)
    }

    pub(crate) async fn close(self) {
        self.conn.close().await.expect("it closes");
        self.cluster.stop().await.expect("it ends");
    }
}
