//! The transaction: killed anywhere, gone on with elsewhere.

mod hardship;
mod kill;
mod publish;
mod rehearse;
mod script;
mod world;
mod yank;
