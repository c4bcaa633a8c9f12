//! Registries: the OCI image layout directory.

mod layout;
mod listing;

pub use layout::Layout;
