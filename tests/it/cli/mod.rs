//! The command line as a contract.

mod attribution;
mod checksums;
mod frame;
mod gate;
mod git;
mod image;
mod init;
mod notes;
mod publish;
mod relations;
