//! What the tests share: the binary in a clean environment, and real repositories.

/// Says that a test could not look here, and why.
#[expect(clippy::print_stderr, reason = "the runner shows it to whoever asks for output")]
pub(crate) fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}

/// Says what a test has measured.
#[expect(clippy::print_stderr, reason = "the runner shows it to whoever asks for output")]
pub(crate) fn told(figures: &str) {
    eprintln!("{figures}");
}

pub(crate) mod command;
pub(crate) mod crafted;
pub(crate) mod elf;
pub(crate) mod forward;
pub(crate) mod git_http;
pub(crate) mod graphql;
pub(crate) mod image;
pub(crate) mod notes;
pub(crate) mod page;
pub(crate) mod registry;
pub(crate) mod repository;
pub(crate) mod rest;
pub(crate) mod sample;
pub(crate) mod second_version;
pub(crate) mod spectator;
