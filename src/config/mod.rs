//! Floor 1: `release.yaml`: as written, then as meant. Knows no gate.

mod meant;
mod written;

pub use meant::{Config, ConfigError, Image};
pub use written::{WrittenConfig, WrittenImage};
