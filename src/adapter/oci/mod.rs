//! Registries: the OCI image layout directory.

mod checked;
mod layout;
mod listing;

pub use layout::Layout;
