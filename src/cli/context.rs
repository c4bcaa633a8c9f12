//! What a command gets from the world: built once, from the command line and the environment.
#![expect(clippy::disallowed_methods, reason = "this is where time, randomness and the environment come in")]

use std::cell::{Cell, OnceCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;

use super::error::CliError;
use super::global::{Format, GlobalArgs, NetworkArgs};
use crate::adapter::fs;
use crate::adapter::oci::Wire;
use crate::diag::{Hint as _, Kind};
use crate::port::{FilesError, Progress as _};
use crate::ui::{Loudness, Printer};

/// How long a job may take to stop.
const GRACE: Duration = Duration::from_secs(10);

/// The world as a command sees it.
pub(crate) struct Context {
    /// The directory given with `-C`, or the one the process stands in. Absolute.
    pub(crate) directory: PathBuf,
    /// The format of the answer.
    pub(crate) format: Format,
    /// Where the answer goes; `None` = stdout.
    pub(crate) output: Option<PathBuf>,
    /// `--config`, when given.
    pub(crate) config: Option<PathBuf>,
    /// Talks to the user.
    pub(crate) printer: Printer,
    /// The time the process started.
    pub(crate) now: Timestamp,
    /// Flags of everything that goes over the network.
    pub(super) network: NetworkArgs,
    /// The way to registries, once it was needed.
    pub(super) wire: OnceCell<Arc<Wire>>,
    environment: BTreeMap<String, String>,
    /// Whether `--output -` was given.
    stdout_named: bool,
    /// Set when a command uses `--output` for what it makes; its answer goes to stdout then.
    output_taken: Cell<bool>,
}

impl Context {
    /// Reads the environment once.
    pub(crate) fn new(global: &GlobalArgs) -> Result<Self, CliError> {
        let environment: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let loudness = match (global.quiet, global.verbose) {
            (true, _) => Loudness::Quiet,
            (false, true) => Loudness::Verbose,
            (false, false) => Loudness::Normal,
        };
        let mut printer = Printer::new(loudness, global.color, &|name| environment.get(name).cloned());
        let here =
            std::env::current_dir().map_err(|source| FilesError::io("read", Path::new("."), source))?;
        let directory =
            global.directory.as_ref().map_or_else(|| here.clone(), |directory| here.join(directory));
        let directory =
            std::fs::canonicalize(&directory).map_err(|source| FilesError::io("read", &directory, source))?;
        if !directory.is_dir() {
            let message = format!("{} is not a directory", directory.display());
            return Err(CliError::usage("directory", message).hinted("name one with -C DIR"));
        }
        if let Some(path) = &global.network.events {
            printer = printer.with_events(events(&directory, path)?);
        }
        Ok(Self {
            directory,
            format: global.format,
            output: global.output.clone().filter(|path| path.as_os_str() != "-"),
            config: global.config.clone(),
            printer,
            network: global.network.clone(),
            wire: OnceCell::new(),
            now: Timestamp::now(),
            environment,
            stdout_named: global.output.as_deref().is_some_and(|path| path.as_os_str() == "-"),
            output_taken: Cell::new(false),
        })
    }

    /// A variable of the environment; empty counts as unset.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// `SOURCE_DATE_EPOCH` (reproducible-builds.org), or 1970: what is made twice is the same.
    pub(crate) fn epoch(&self) -> Result<Timestamp, CliError> {
        let Some(text) = self.variable("SOURCE_DATE_EPOCH") else { return Ok(Timestamp::UNIX_EPOCH) };
        let seconds = text.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
        seconds.ok_or_else(|| {
            CliError::usage("source-date-epoch", "SOURCE_DATE_EPOCH is not a time")
                .fact("expected", "seconds since 1970")
                .fact("found", text)
        })
    }

    /// A path from the command line, seen from `-C`.
    pub(crate) fn path(&self, path: &Path) -> PathBuf {
        self.directory.join(path)
    }

    /// `--output` for a command that makes something else than its answer there; the answer goes to stdout then.
    pub(crate) fn take_output(&self) -> Option<&Path> {
        self.output_taken.set(true);
        self.output.as_deref()
    }

    /// Whether what a command makes was asked for on stdout, with `--output -`.
    pub(crate) fn stdout_named(&self) -> bool {
        self.stdout_named
    }

    /// The content of a file named on the command line.
    pub(crate) fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, CliError> {
        Ok(fs::read(&self.path(path), limit)?)
    }

    /// Standard input, at most `limit` bytes.
    pub(crate) fn stdin(&self, limit: u64) -> Result<Vec<u8>, CliError> {
        use std::io::Read as _;
        let mut bytes = Vec::new();
        let name = Path::new("standard input");
        std::io::stdin()
            .lock()
            .take(limit + 1)
            .read_to_end(&mut bytes)
            .map_err(|source| FilesError::io("read", name, source))?;
        if bytes.len() as u64 > limit {
            return Err(FilesError::TooLarge { path: name.to_owned(), limit }.into());
        }
        Ok(bytes)
    }

    /// Sixteen random hexadecimal digits.
    pub(crate) fn nonce(&self) -> String {
        use std::hash::{BuildHasher as _, Hasher as _};
        // RandomState is seeded by the system; uniqueness is needed here, not secrecy.
        let mut hasher = std::collections::hash_map::RandomState::new().build_hasher();
        hasher.write_i128(self.now.as_nanosecond());
        hasher.write_u32(std::process::id());
        format!("{:016x}", hasher.finish())
    }

    /// Runs the asynchronous part of a command. SIGINT and SIGTERM raise the stop flag, which a job sees between two
    /// steps; a job that does not end within [`GRACE`] is dropped where it waits. Uploads that were left open are given up
    /// then. A second signal ends whatever is waited for.
    pub(crate) fn block_on<T>(
        &self,
        future: impl Future<Output = Result<T, CliError>>,
    ) -> Result<T, CliError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| FilesError::io("start", Path::new("the runtime"), source))?;
        let stop = self.printer.stop_flag();
        runtime.block_on(async {
            let mut signals = Signals::listen();
            let answer = tokio::select! {
                // The signals first: a job that never waits would not let them be looked at.
                biased;
                () = async {
                    signals.next().await;
                    stop.store(true, Ordering::Relaxed);
                    tokio::select! {
                        () = tokio::time::sleep(GRACE) => {}
                        () = signals.next() => {}
                    }
                } => Err(stopped_by_signal()),
                answer = future => answer,
            };
            if let Some(wire) = self.wire.get() {
                tokio::select! {
                    biased;
                    () = signals.next() => {}
                    () = wire.part() => {}
                }
            }
            answer
        })
    }

    /// Lets signals be seen between two steps of a job; the first call makes the process listen to them.
    pub(crate) async fn pause(&self) -> Result<(), CliError> {
        tokio::task::yield_now().await;
        if self.printer.stop_requested() {
            return Err(stopped_by_signal());
        }
        Ok(())
    }

    /// Refuses a format the command does not have.
    pub(crate) fn allow(&self, formats: &[Format]) -> Result<(), CliError> {
        if formats.contains(&self.format) {
            return Ok(());
        }
        let names: Vec<String> = formats.iter().map(ToString::to_string).collect();
        Err(CliError::usage("format", format!("this command does not answer in {}", self.format))
            .fact("expected", names.join(", "))
            .fact("found", self.format.to_string()))
    }

    /// Writes the answer where it was asked for, whole or not at all. A closed pipe is no error.
    pub(crate) fn answer(&self, bytes: &[u8]) -> Result<(), CliError> {
        match &self.output {
            Some(path) if !self.output_taken.get() => Ok(fs::write_atomic(&self.path(path), bytes)?),
            _ => printed(self.printer.data(bytes)),
        }
    }

    /// Whether the answer goes into a file.
    pub(crate) fn answers_to_file(&self) -> bool {
        self.output.is_some() && !self.output_taken.get()
    }

    /// The same for an answer that is made while it is written. Into a file it comes whole or not at all.
    pub(crate) fn answer_pieces(&self, pieces: &mut fs::Pieces<'_, CliError>) -> Result<(), CliError> {
        if let Some(path) = self.output.as_ref().filter(|_| self.answers_to_file()) {
            return fs::write_pieces(&self.path(path), pieces);
        }
        let mut failed = None;
        let written = self.printer.data_from(|stdout| {
            let mut stdout = std::io::BufWriter::with_capacity(64 << 10, stdout);
            loop {
                match pieces() {
                    Ok(Some(piece)) => stdout.write_all(&piece)?,
                    Ok(None) => break,
                    Err(error) => {
                        failed = Some(error);
                        break;
                    }
                }
            }
            stdout.flush()
        });
        failed.map_or_else(|| printed(written), Err)
    }

    /// The same for an answer that was spooled.
    pub(crate) fn answer_spooled(&self, bytes: fs::Spool) -> Result<(), CliError> {
        match &self.output {
            Some(path) if !self.output_taken.get() => Ok(fs::write_spooled(&self.path(path), bytes)?),
            _ => printed(self.printer.data_from(|stdout| bytes.copy_to(stdout))),
        }
    }
}

/// A closed pipe is no error.
fn printed(result: std::io::Result<()>) -> Result<(), CliError> {
    match result {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            let error = FilesError::io("write", Path::new("standard output"), error);
            debug_assert_eq!(error.code(), "file-io");
            Err(error.into())
        }
        _ => Ok(()),
    }
}

/// Where events are written; `-` is standard error, because standard output is data.
fn events(directory: &Path, path: &Path) -> Result<Box<dyn std::io::Write + Send>, CliError> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(std::io::stderr()));
    }
    let path = directory.join(path);
    let file = std::fs::OpenOptions::new().create(true).append(true).open(&path);
    Ok(Box::new(file.map_err(|source| FilesError::io("write", &path, source))?))
}

fn stopped_by_signal() -> CliError {
    CliError::new(Kind::Interrupted, "interrupted", "stopped by a signal")
        .hinted("run the same command again; it goes on where this one stopped")
}

/// The wishes of others that the process should stop.
#[cfg(unix)]
struct Signals(Option<(tokio::signal::unix::Signal, tokio::signal::unix::Signal)>);

#[cfg(unix)]
impl Signals {
    fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        match (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
            (Ok(interrupt), Ok(terminate)) => Self(Some((interrupt, terminate))),
            // Without them the process ends by itself.
            _ => Self(None),
        }
    }

    async fn next(&mut self) {
        let Some((interrupt, terminate)) = &mut self.0 else { return std::future::pending().await };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> Self {
        Self
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}
