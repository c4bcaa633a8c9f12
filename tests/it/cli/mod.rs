//! The command line as a contract.

mod frame;
mod image;
