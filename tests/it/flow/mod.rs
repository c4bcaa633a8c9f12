//! The transaction: killed anywhere, gone on with elsewhere.

mod kill;
mod publish;
mod rehearse;
mod world;
mod yank;
