//! The real binary as a child process.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use super::PATIENCE;

/// A running program. Killed when dropped.
pub(crate) struct Running {
    child: Child,
    stdout: JoinHandle<()>,
    printed: Arc<Mutex<String>>,
    stderr: JoinHandle<()>,
    lines: Arc<Mutex<Vec<String>>>,
}

/// A program that has ended.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Running {
    pub(super) fn start(
        config: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
        arguments: &[&str],
    ) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seatledger"));
        command.env_clear();
        Self::spawn(command, config, environment, arguments)
    }

    /// Starts the program on a host of this name: with a host name of its own.
    pub(super) fn start_on(
        host: &str,
        config: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
        arguments: &[&str],
    ) -> Self {
        // An ordinary user becomes root in a user namespace of its own, which allows naming. Each
        // step replaces the process, so that its id is that of the program.
        let script = r#"
            host=$1 && shift
            name='hostname "$0" 2>/dev/null || echo "$0" >/proc/sys/kernel/hostname'
            set -- sh -c "$name; exec \"\$@\"" "$host" "$@"
            if [ "$(id -u)" = 0 ]; then exec unshare --uts "$@"; fi
            exec unshare --uts --map-root-user "$@"
        "#;
        let mut command = Command::new("sh");
        command
            .args(["-c", script, "sh", host, env!("CARGO_BIN_EXE_seatledger")])
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        Self::spawn(command, config, environment, arguments)
    }

    /// Starts the program with its calls that name an address written to `trace`.
    pub(super) fn start_traced(
        trace: &Path,
        config: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
        arguments: &[&str],
    ) -> Self {
        let mut command = Command::new("strace");
        // With -D strace is no parent of the program, so that signals go to the program.
        command
            .args([
                "-D",
                "-f",
                "-qq",
                "-e",
                "trace=connect,sendto,sendmsg,sendmmsg",
            ])
            .arg("-o")
            .arg(trace)
            .arg(env!("CARGO_BIN_EXE_seatledger"))
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        Self::spawn(command, config, environment, arguments)
    }

    fn spawn(
        mut command: Command,
        config: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
        arguments: &[&str],
    ) -> Self {
        let mut child = command
            .envs(environment)
            .arg("--config")
            .arg(config)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let out = child.stdout.take().unwrap();
        let printed = Arc::<Mutex<String>>::default();
        let read_out = Arc::clone(&printed);
        let err = child.stderr.take().unwrap();
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let heard = Arc::clone(&lines);
        Self {
            child,
            stdout: spawn(async move {
                let mut out = BufReader::new(out);
                let mut line = String::new();
                while out.read_line(&mut line).await.unwrap() > 0 {
                    read_out.lock().unwrap().push_str(&line);
                    line.clear();
                }
            }),
            printed,
            stderr: spawn(async move {
                let mut read = BufReader::new(err).lines();
                while let Some(line) = read.next_line().await.unwrap() {
                    heard.lock().unwrap().push(line);
                }
            }),
            lines,
        }
    }

    /// Waits until standard output has a complete line that begins with `start`, and returns it.
    pub(crate) async fn prints(&self, start: &str) -> String {
        let what = format!("standard output has a line that starts with {start}");
        super::until(&what, async || {
            let printed = self.printed.lock().unwrap();
            let mut lines = printed.split_inclusive('\n');
            let line = lines.find(|line| line.starts_with(start) && line.ends_with('\n'));
            line.map(|line| line.trim_end().to_owned())
        })
        .await
    }

    /// Standard error up to now.
    pub(crate) fn stderr(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }

    /// Waits until standard error has a line with `text`.
    pub(crate) async fn says(&self, text: &str) {
        let lines = Arc::clone(&self.lines);
        let said = tokio::time::timeout(PATIENCE, async {
            while !lines.lock().unwrap().iter().any(|line| line.contains(text)) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        let said = said.await;
        assert!(said.is_ok(), "{text} is not said, but\n{}", self.stderr());
    }

    /// The process's id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id().expect("the program is still running")
    }

    /// Sends a signal by name, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = send_signal(name, &self.id().to_string());
        assert!(sent, "no process to send SIG{name} to");
    }

    /// Waits until the program ends.
    pub(crate) async fn finish(mut self) -> Finished {
        let Ok(status) = tokio::time::timeout(PATIENCE, self.child.wait()).await else {
            panic!("the program does not end; it said:\n{}", self.stderr());
        };
        self.stderr.await.unwrap();
        self.stdout.await.unwrap();
        Finished {
            status: status.unwrap(),
            stdout: std::mem::take(&mut *self.printed.lock().unwrap()),
            stderr: self.lines.lock().unwrap().join("\n"),
        }
    }
}

impl Finished {
    pub(crate) fn code(&self) -> i32 {
        self.status
            .code()
            .unwrap_or_else(|| panic!("ended by a signal: {self:?}"))
    }

    /// The summary of `--json`.
    pub(crate) fn summary(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Asserts the exit code, and shows the output if it differs.
    #[track_caller]
    pub(crate) fn assert_code(&self, code: i32) -> &Self {
        assert_eq!(self.code(), code, "{}\n{}", self.stdout, self.stderr);
        self
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test's readers end with the child whose output they read"
)]
pub(crate) fn spawn<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> JoinHandle<T> {
    tokio::spawn(work)
}

/// Sends a signal by name to a process; false if there is no such process. Uses the shell's
/// built-in `kill`, because not every machine has the program of that name.
pub(crate) fn send_signal(name: &str, process: &str) -> bool {
    let status = std::process::Command::new("sh")
        .args(["-c", &format!("kill -{name} {process}")])
        .stderr(Stdio::null())
        .status();
    status.unwrap().success()
}
