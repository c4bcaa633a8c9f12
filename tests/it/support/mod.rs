//! What the tests share: the binary in a clean environment, and real repositories.

pub(crate) mod command;
pub(crate) mod crafted;
pub(crate) mod elf;
pub(crate) mod graphql;
pub(crate) mod image;
pub(crate) mod notes;
pub(crate) mod page;
pub(crate) mod registry;
pub(crate) mod repository;
pub(crate) mod sample;
pub(crate) mod spectator;
