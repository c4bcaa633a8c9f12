//! Floor 0: the words of the field. Values without I/O; a newtype can only be built valid.

mod asset;
mod checksum;
mod commit;
mod digest;
mod image;
mod known;
mod origin;
mod platform;
mod release;
mod rolling;
mod size;
mod steering;
mod tag;
mod target;

pub use asset::{AssetName, InvalidAssetName};
pub use checksum::{Algorithm, Checksum, InvalidAlgorithm};
pub use commit::{
    Commit, CommitId, CommitMap, CommitSet, InvalidCommitId, Person, PersonMap, SignedCommit, TagFacts,
};
pub use digest::{Digest, DigestAlgorithm, Hasher, InvalidDigest};
pub use image::{InvalidReference, InvalidRepository, Reference, Repository, is_image_tag};
pub use known::{KnownCommit, KnownPullRequest, UnknownCommit};
pub use origin::Origin;
pub use platform::{InvalidPlatform, Platform};
pub use release::{ImageEntry, PlatformEntry, ReferrerEntry, ReleaseAsset, ReleaseManifest, Rid};
pub use rolling::RollingScope;
pub use size::{ByteSize, InvalidByteSize};
pub use steering::is_steering;
pub use tag::{InvalidTag, Tag, TagPattern};
pub use target::{Inside, InvalidTarget, Target};
