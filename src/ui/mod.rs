//! What a person at a terminal sees. stdout is data, stderr is talk.

mod error;
mod printer;
mod style;

pub use error::{Problem, draw};
pub use printer::{ColorChoice, Loudness, Printer};
