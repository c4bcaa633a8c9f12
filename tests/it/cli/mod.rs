//! The command line as a contract.

mod attribution;
mod checksums;
mod enrich;
mod frame;
mod gate;
mod git;
mod image;
mod import;
mod init;
mod lint;
mod network;
mod notes;
mod notes_changes;
mod notes_files;
mod notes_golden;
mod notes_histories;
mod notes_next;
mod notes_release;
mod notes_settings;
mod people;
mod publish;
mod relations;
mod sbom;
mod signatures;
mod transfer;
mod transfer_http;
