//! The only place that writes to stdout and stderr.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::style::{GOOD, WARNING};
use crate::diag::clean;
use crate::port::Progress;

/// How much is said on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loudness {
    /// Errors only (`-q`).
    Quiet,
    /// Finished steps and warnings.
    Normal,
    /// What is being worked on as well (`-v`).
    Verbose,
}

/// Whether colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ColorChoice {
    /// On terminals, unless `NO_COLOR` is set; `FORCE_COLOR` and `CLICOLOR_FORCE` turn them on elsewhere.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Where events go, a line of JSON each.
type Events = Arc<Mutex<Box<dyn io::Write + Send>>>;

/// Writes data to stdout and talk to stderr. A clone talks to the same places.
#[derive(Clone)]
pub struct Printer {
    loudness: Loudness,
    color: bool,
    bar: Arc<Mutex<Option<ProgressBar>>>,
    events: Option<Events>,
    draw_bar: bool,
    stop: Arc<AtomicBool>,
}

/// A wait shorter than this is not shown.
const QUIET_WAIT: Duration = Duration::from_millis(250);

impl Printer {
    /// A printer. `environment` answers for the variables that decide on colours and progress.
    pub fn new(
        loudness: Loudness,
        choice: ColorChoice,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Self {
        let set = |name: &str| environment(name).is_some_and(|value| !value.is_empty() && value != "0");
        let terminal = io::stderr().is_terminal();
        let color = match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto if set("NO_COLOR") => false,
            ColorChoice::Auto if set("FORCE_COLOR") || set("CLICOLOR_FORCE") => true,
            ColorChoice::Auto => terminal && environment("TERM").as_deref() != Some("dumb"),
        };
        let draw_bar = terminal
            && loudness == Loudness::Normal
            && !set("CI")
            && environment("TERM").as_deref() != Some("dumb");
        Self { loudness, color, bar: Arc::default(), events: None, draw_bar, stop: Arc::default() }
    }

    /// The same, with everything it tells written to another place too, a line of JSON each.
    #[must_use]
    pub fn with_events(self, to: Box<dyn io::Write + Send>) -> Self {
        Self { events: Some(Arc::new(Mutex::new(to))), ..self }
    }

    /// Writes data to stdout.
    pub fn data(&self, bytes: &[u8]) -> io::Result<()> {
        self.data_from(|stdout| stdout.write_all(bytes))
    }

    /// Writes data to stdout piece by piece.
    pub fn data_from(&self, write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> io::Result<()> {
        self.clear();
        let mut stdout = io::stdout().lock();
        write(&mut stdout)?;
        stdout.flush()
    }

    /// Writes a block to stderr, whatever the loudness.
    pub fn block(&self, text: &str) {
        self.clear();
        let plain;
        let text = if self.color {
            text
        } else {
            plain = anstream::adapter::strip_str(text).to_string();
            &plain
        };
        // Nobody is left to tell when stderr is gone.
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }

    /// Writes a line to stderr unless quiet.
    pub fn note(&self, text: &str) {
        if self.loudness >= Loudness::Normal {
            self.block(&format!("{text}\n"));
        }
    }

    /// Writes a line to stderr with `-v`.
    pub fn detail(&self, text: &str) {
        if self.loudness == Loudness::Verbose {
            self.block(&format!("{:>12} {text}\n", "..."));
        }
    }

    /// Shows how far something is where there is a line that moves.
    pub fn moving(&self, text: &str) {
        if self.draw_bar {
            self.show(text);
        }
    }

    /// Writes an event, for programs that watch.
    pub fn event(&self, event: impl FnOnce() -> serde_json::Value) {
        if let Some(events) = &self.events {
            let line = format!("{}\n", event());
            let mut to = events.lock().unwrap_or_else(PoisonError::into_inner);
            // A watcher that has gone away does not end the work.
            let _ = to.write_all(line.as_bytes()).and_then(|()| to.flush());
        }
    }

    fn show(&self, text: &str) {
        let mut slot = self.bar();
        let bar = slot.get_or_insert_with(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
            bar.set_style(ProgressStyle::default_spinner());
            bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(30));
            bar.enable_steady_tick(QUIET_WAIT);
            bar
        });
        bar.set_message(clean(text).replace(['\n', '\t'], " "));
    }

    fn bar(&self) -> MutexGuard<'_, Option<ProgressBar>> {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Raised when a signal asks the process to stop.
    pub fn stop_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    fn clear(&self) {
        if let Some(bar) = self.bar().take() {
            bar.finish_and_clear();
        }
    }
}

impl Progress for Printer {
    fn working(&self, on: &str) {
        self.event(|| serde_json::json!({"event": "working", "on": on}));
        if self.loudness == Loudness::Verbose {
            self.detail(on);
        } else if self.draw_bar {
            self.show(on);
        }
    }

    fn finished(&self, verb: &str, what: &str) {
        self.event(|| serde_json::json!({"event": "finished", "verb": verb, "what": what}));
        if self.loudness >= Loudness::Normal {
            self.block(&format!("{GOOD}{verb:>12}{GOOD:#} {}\n", clean(what)));
        }
    }

    fn warn(&self, message: &str) {
        self.event(|| serde_json::json!({"event": "warning", "message": message}));
        if self.loudness >= Loudness::Normal {
            self.block(&format!("{WARNING}warning{WARNING:#}: {}\n", clean(message)));
        }
    }

    fn stop_requested(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}
