//! The integration tests: one binary, so that it is linked once.

mod cli;
mod docs;
mod floors;
mod flow;
mod layout;
mod support;
