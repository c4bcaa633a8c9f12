//! How a long job says what it does.

/// Listens to a job. Implementations draw lines, bars, or nothing.
pub trait Progress {
    /// Work has begun that may take long enough to be shown; replaced by the next call.
    fn working(&self, on: &str);

    /// A step is finished: a past participle of at most twelve letters, and what it was done to.
    fn finished(&self, verb: &str, what: &str);

    /// Something the user should know although the job goes on.
    fn warn(&self, message: &str);

    /// Whether somebody asked the job to stop. Asked between two steps.
    fn stop_requested(&self) -> bool;
}
