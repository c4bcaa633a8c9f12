//! A line on a terminal that shows that something goes on, and what.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// A wait shorter than this is not shown.
const QUIET_WAIT: Duration = Duration::from_millis(250);

/// Between two pictures.
const TICK: Duration = Duration::from_millis(100);

/// The pictures, one after the other.
const PICTURES: [char; 8] = ['⠋', '⠙', '⠸', '⠴', '⠦', '⠧', '⠇', '⠏'];

/// Back to the start of the line, and nothing on it.
const EMPTY: &str = "\r\x1b[2K";

/// The line. It is gone when this is dropped.
pub(super) struct Moving {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    text: String,
    ended: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Whoever panicked has left a text and a flag.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits; whether it is over by then.
    fn over(&self, wait: Duration) -> bool {
        let waited = self.ended.wait_timeout_while(self.state(), wait, |state| !state.ended);
        waited.unwrap_or_else(PoisonError::into_inner).0.ended
    }
}

impl Moving {
    /// Shows a line, once it has taken some time, by writing it somewhere.
    pub(super) fn start(write: impl Fn(&str) + Send + 'static) -> Self {
        let shared = Arc::new(Shared::default());
        let seen = Arc::clone(&shared);
        let draw = move || {
            let mut wait = QUIET_WAIT;
            for picture in PICTURES.iter().cycle() {
                if seen.over(wait) {
                    break;
                }
                wait = TICK;
                let text = seen.state().text.clone();
                // What is longer than the line is cut by the terminal.
                write(&format!("{EMPTY}\x1b[?7l{picture} {text}\x1b[?7h"));
            }
            if wait == TICK {
                write(EMPTY);
            }
        };
        // Without a thread there is no line, which is no harm.
        let thread = std::thread::Builder::new().spawn(draw).ok();
        Self { shared, thread }
    }

    /// What it says from now on.
    pub(super) fn say(&self, text: &str) {
        self.shared.state().text = text.replace(char::is_control, " ");
    }
}

impl Drop for Moving {
    fn drop(&mut self) {
        self.shared.state().ended = true;
        self.shared.ended.notify_all();
        if let Some(thread) = self.thread.take() {
            // It has nothing to tell.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_line_is_drawn_and_taken_away() {
        let (send, receive) = mpsc::channel();
        let line = Moving::start(move |text| send.send(text.to_owned()).unwrap());
        line.say("one\ntwo");
        let first = receive.recv().unwrap();
        assert_eq!(first, "\r\x1b[2K\x1b[?7l⠋ one two\x1b[?7h");
        drop(line);
        assert_eq!(receive.iter().last().as_deref(), Some(EMPTY));
    }

    #[test]
    fn what_is_over_at_once_is_not_shown() {
        let (send, receive) = mpsc::channel();
        drop(Moving::start(move |text| send.send(text.to_owned()).unwrap()));
        assert_eq!(receive.iter().count(), 0);
    }
}
