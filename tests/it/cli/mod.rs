//! The command line as a contract.

mod checksums;
mod frame;
mod gate;
mod image;
mod init;
mod notes;
mod publish;
