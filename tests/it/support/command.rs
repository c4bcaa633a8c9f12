//! Runs the binary with a scrubbed environment and shows what it did as one text.

use std::path::Path;
use std::process::{Command, Output};

const KYKLOS: &str = env!("CARGO_BIN_EXE_kyklos-release");

/// The binary, in a directory, with nothing of the environment but what a test sets.
pub(crate) struct Kyklos {
    command: Command,
}

/// The binary in a directory.
pub(crate) fn kyklos(directory: &Path) -> Kyklos {
    let mut command = Command::new(KYKLOS);
    command.current_dir(directory).env_clear().env("HOME", directory).env("GIT_CONFIG_NOSYSTEM", "1");
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("TZ", "UTC").env("LC_ALL", "C.UTF-8");
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    Kyklos { command }
}

impl Kyklos {
    /// Adds arguments, split at white space.
    #[must_use]
    pub(crate) fn args(mut self, line: &str) -> Self {
        self.command.args(line.split_whitespace());
        self
    }

    /// Adds one argument as it is.
    #[must_use]
    pub(crate) fn arg(mut self, argument: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Sets a variable.
    #[must_use]
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it with data on standard input.
    pub(crate) fn run_with(mut self, stdin: &[u8]) -> Run {
        use std::io::Write as _;
        use std::process::Stdio;
        let mut child = self
            .command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut pipe = child.stdin.take().expect("stdin is a pipe");
        // A command that reads nothing closes the pipe; that is its right.
        let _ = pipe.write_all(stdin);
        drop(pipe);
        Run { output: child.wait_with_output().expect("the binary ends") }
    }

    /// Starts it.
    pub(crate) fn spawn(mut self) -> Started {
        use std::process::Stdio;
        self.command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Started { child: self.command.spawn().expect("the binary starts") }
    }

    /// Starts it and sends SIGKILL after a while.
    pub(crate) fn kill_after(self, delay: std::time::Duration) {
        let mut started = self.spawn();
        std::thread::sleep(delay);
        started.child.kill().expect("the process is ours");
        started.child.wait().expect("the process ends");
    }

    /// Runs it and looks at how much memory and time it takes. After the limit it is ended.
    #[cfg(target_os = "linux")]
    pub(crate) fn measured(self, limit: std::time::Duration) -> Measured {
        let begin = std::time::Instant::now();
        let started = self.spawn();
        let id = started.child.id().to_string();
        let status = format!("/proc/{}/status", started.child.id());
        let watcher = std::thread::spawn(move || {
            let mut peak = 0;
            // A process that has ended and was not waited for has no memory any more.
            while let Ok(text) = std::fs::read_to_string(&status) {
                let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
                let Some(now) =
                    field("VmHWM:").and_then(|line| line.strip_suffix(" kB")?.parse::<u64>().ok())
                else {
                    break;
                };
                // Until it has become another program its memory is that of this one.
                if field("Name:").is_some_and(|name| KYKLOS.ends_with(name)) {
                    peak = peak.max(now);
                }
                if begin.elapsed() > limit {
                    // It may have ended by itself.
                    let _ = Command::new("kill").args(["-KILL", &id]).status();
                }
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            peak
        });
        let run = started.wait();
        let wall = begin.elapsed();
        Measured { run, peak: watcher.join().expect("the watcher ends"), wall }
    }

    /// Runs it.
    pub(crate) fn run(self) -> Run {
        self.run_with(b"")
    }
}

/// A run, and what it took.
#[cfg(target_os = "linux")]
pub(crate) struct Measured {
    pub(crate) run: Run,
    /// Most memory at once, in KiB, read every millisecond (proc(5), `VmHWM`). What `wait4` tells of a child that was
    /// started from here is no less than the memory of this process at that moment, so it is no measure.
    pub(crate) peak: u64,
    pub(crate) wall: std::time::Duration,
}

/// A run that goes on.
pub(crate) struct Started {
    child: std::process::Child,
}

impl Started {
    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        // It may have ended by itself.
        let _ = status.expect("kill is there");
    }

    /// Waits for its end.
    pub(crate) fn wait(self) -> Run {
        Run { output: self.child.wait_with_output().expect("the binary ends") }
    }
}

/// What a run did.
#[must_use = "look at the exit code and the output"]
pub(crate) struct Run {
    output: Output,
}

impl Run {
    /// The exit code; a signal is -1.
    pub(crate) fn code(&self) -> i32 {
        self.output.status.code().unwrap_or(-1)
    }

    /// Standard output as text.
    pub(crate) fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    /// Standard error as text.
    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    /// Standard output as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.output.stdout).unwrap_or_else(|error| panic!("{error}\n{}", self.show()))
    }

    /// Fails the test with the whole output unless the exit code is this one.
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code(), code, "\n{}", self.show());
        self
    }

    /// Exit code, standard output and standard error as one text, for a snapshot.
    pub(crate) fn show(&self) -> String {
        format!("exit {}\n--- stdout\n{}--- stderr\n{}", self.code(), self.stdout(), self.stderr())
    }
}
