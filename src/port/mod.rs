//! Floor 1: the only traits that stand for the world. Nothing above knows who answers.

mod files;
mod forge;
mod progress;
mod registry;
mod trust;

pub use files::{Entry, EntryKind, Files, FilesError};
pub use forge::{
    Draft, Forge, ForgeError, LockHead, LockRecord, LockState, Release, ReleaseId, StoredAsset, StoredState,
    Visibility,
};
pub use progress::Progress;
pub use registry::{
    Abilities, BlobReader, Checked, Content, Exchange, Fault, Hold, Manifest, Put, Registry, RegistryError,
    Stored, TlsFault, Unlisted, fallback_tag,
};
pub use trust::{SignerIdentity, Trust, TrustError, Verified};
