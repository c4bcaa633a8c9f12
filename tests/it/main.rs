//! The integration tests: one binary, so that it is linked once.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test sets the world up and fails where it is not as expected"
)]

mod cli;
mod corpus;
mod docs;
mod floors;
mod flow;
mod hostile;
mod layout;
mod look;
mod look_far;
mod notes_text;
mod pages;
mod readme;
mod second_reader;
mod support;
mod transfer;
mod traps;
mod wire;
