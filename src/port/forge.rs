//! A forge: where releases are drafted, published and looked up, and where the lock lives.

use std::io;
use std::path::PathBuf;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::BlobReader;
use super::files::{way_out, weight};
use crate::diag::{Hint, Kind};
use crate::model::{AssetName, CommitId, Digest, Tag};

/// One repository on a forge. Requests are never repeated inside an implementation once they may have taken effect.
#[async_trait(?Send)]
pub trait Forge {
    /// Where it is, for messages.
    fn place(&self) -> String;

    /// Every draft and published release of a tag that the caller may see.
    async fn releases(&self, tag: &Tag) -> Result<Vec<Release>, ForgeError>;

    /// Tags of all published releases that are not prereleases.
    async fn published_stable(&self) -> Result<Vec<Tag>, ForgeError>;

    /// The tag a consumer gets who asks for the latest release.
    async fn latest(&self) -> Result<Option<Tag>, ForgeError>;

    /// The commit a tag points to, peeled; `None` when the forge has no such tag or keeps no tags.
    async fn tag_commit(&self, tag: &Tag) -> Result<Option<CommitId>, ForgeError>;

    /// Creates a draft. Nobody but the owners sees it.
    async fn create_draft(&self, draft: &Draft) -> Result<ReleaseId, ForgeError>;

    /// Stores an asset in a draft. An asset of that name must not exist.
    async fn upload(
        &self,
        release: &ReleaseId,
        name: &AssetName,
        size: u64,
        content: BlobReader,
    ) -> Result<(), ForgeError>;

    /// The bytes of a stored asset.
    async fn download(&self, release: &ReleaseId, name: &AssetName) -> Result<BlobReader, ForgeError>;

    /// Removes an asset of a draft.
    async fn delete_asset(&self, release: &ReleaseId, name: &AssetName) -> Result<(), ForgeError>;

    /// Removes a draft with everything in it. A published release is refused.
    async fn delete_draft(&self, release: &ReleaseId) -> Result<(), ForgeError>;

    /// The commit point: the draft becomes the release of its tag, without becoming the latest.
    async fn publish(&self, release: &ReleaseId) -> Result<(), ForgeError>;

    /// Changes body and prerelease mark of a release.
    async fn edit(&self, release: &ReleaseId, body: &str, prerelease: bool) -> Result<(), ForgeError>;

    /// Makes a published release the latest.
    async fn set_latest(&self, release: &ReleaseId) -> Result<(), ForgeError>;

    /// Keeps the statement that a published release is withdrawn where everybody can read it and where it is no asset;
    /// takes the place of an earlier one.
    async fn state_withdrawn(&self, release: &ReleaseId, statement: &[u8]) -> Result<(), ForgeError>;

    /// The head of the lock chain; `None` before the first holder.
    async fn lock_head(&self) -> Result<Option<LockHead>, ForgeError>;

    /// Puts a record on the chain if its head is still `parent`. `false`: somebody else was faster.
    async fn advance_lock(&self, parent: Option<&LockHead>, record: &LockRecord) -> Result<bool, ForgeError>;

    /// Whether the run that holds the lock has ended, as far as the forge knows; `None` when it cannot tell.
    async fn run_ended(&self, run: &str) -> Result<Option<bool>, ForgeError>;
}

/// What a draft is created with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The tag it will be published under.
    pub tag: Tag,
    /// The commit of the tag.
    pub commit: CommitId,
    /// The title.
    pub title: String,
    /// The text, marker included.
    pub body: String,
    /// Whether it is a prerelease.
    pub prerelease: bool,
}

/// The forge's own name of a release; opaque.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReleaseId(pub String);

/// A release as the forge stores it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// The forge's name of it.
    pub id: ReleaseId,
    /// Its tag.
    pub tag: Tag,
    /// Who sees it.
    pub visibility: Visibility,
    /// Whether it is a prerelease.
    pub prerelease: bool,
    /// The title.
    pub title: String,
    /// The text, marker included.
    pub body: String,
    /// Its files.
    pub assets: Vec<StoredAsset>,
}

/// Who sees a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// Its owners.
    Draft,
    /// Everybody.
    Published,
}

/// A file of a release as the forge stores it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAsset {
    /// The name, as the forge tells it: a forge may store names that are no valid [`AssetName`].
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// The digest the forge reports; `None` when it reports none.
    pub digest: Option<Digest>,
    /// Whether the upload was finished.
    pub state: StoredState,
}

/// Whether an upload was finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredState {
    /// All bytes are there.
    Uploaded,
    /// The name is taken, the bytes are not all there.
    Partial,
}

/// The newest record of the lock chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockHead {
    /// The forge's name of the record; changes with every advance.
    pub id: String,
    /// What it says.
    pub record: LockRecord,
}

/// One record of the lock chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockRecord {
    /// Held or free.
    pub state: LockState,
    /// Names this holding; `--break-lock` asks for it.
    pub nonce: String,
    /// The release the holder works on.
    pub rid: Digest,
    /// Its tag.
    pub tag: Tag,
    /// The CI run of the holder, when it has one.
    pub run: Option<String>,
}

/// Whether the lock is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LockState {
    /// Somebody works.
    Held,
    /// Nobody works.
    Free,
}

/// Why a forge did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ForgeError {
    /// The thing is not there, or not visible to the caller.
    #[error("{what} does not exist in {place}")]
    NotFound {
        /// What was asked for.
        what: String,
        /// Where.
        place: String,
    },
    /// The name is taken.
    #[error("{what} exists already in {place}")]
    Exists {
        /// What was to be created.
        what: String,
        /// Where.
        place: String,
    },
    /// The release is published; its bytes never change.
    #[error("{what} is published and cannot be changed")]
    Published {
        /// Which release.
        what: String,
    },
    /// Another size than announced arrived.
    #[error("{name} has {found} bytes, {expected} were announced")]
    SizeMismatch {
        /// Which asset.
        name: AssetName,
        /// Announced.
        expected: u64,
        /// Arrived.
        found: u64,
    },
    /// What the forge stores cannot be understood.
    #[error("{what} cannot be understood: {reason}")]
    Invalid {
        /// Which document.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The store could not be read or written.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// The answer of the system.
        #[source]
        source: io::Error,
    },
}

impl Hint for ForgeError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "forge-not-found",
            Self::Exists { .. } => "forge-exists",
            Self::Published { .. } => "forge-published",
            Self::SizeMismatch { .. } => "forge-size",
            Self::Invalid { .. } => "forge-invalid",
            Self::Io { .. } => "forge-io",
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::NotFound { .. } => Kind::Usage,
            Self::Exists { .. } | Self::Published { .. } | Self::Invalid { .. } => Kind::Conflict,
            Self::SizeMismatch { .. } => Kind::Interrupted,
            Self::Io { source, .. } => weight(source),
        }
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::Io { source, .. } => way_out(source),
            Self::Published { .. } => {
                vec!["`kyklos-release yank TAG --reason REASON` withdraws what is published".to_owned()]
            }
            Self::NotFound { .. }
            | Self::Exists { .. }
            | Self::SizeMismatch { .. }
            | Self::Invalid { .. } => Vec::new(),
        }
    }
}
