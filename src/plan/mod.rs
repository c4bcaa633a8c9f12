//! Floor 3: a directory of files and the facts of a tag to one release manifest.
//!
//! Building it again gives the same bytes: nothing in it depends on the machine, the time or the order of work.

mod image;

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use semver::Version;

use crate::diag::{Hint, Kind};
use crate::format::canonical::CanonicalError;
use crate::format::release_manifest::{self, MAX_BODY_BYTES};
use crate::model::{AssetName, CommitId, Digest, InvalidAssetName, ReleaseAsset, ReleaseManifest, Rid, Tag};
use crate::port::{EntryKind, Files, FilesError};

pub use image::ImageError;

/// A forge takes at most this many files in one release.
pub const MAX_ASSETS: usize = 1000;
/// A forge takes files below this size.
pub const MAX_ASSET_BYTES: u64 = 2 << 30;

/// The facts of a tag that no file of dist carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The name of the project.
    pub name: String,
    /// The tag.
    pub tag: Tag,
    /// The version in the tag.
    pub version: Version,
    /// The commit of the tag, peeled.
    pub commit: CommitId,
    /// The time of the tag.
    pub created: Timestamp,
    /// Image tags that move forward with a stable release; `None` = `latest`, `vMAJOR` and `vMAJOR.MINOR`.
    pub rolling: Option<Vec<String>>,
}

/// A release manifest with its bytes and identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Everything that will exist.
    pub manifest: ReleaseManifest,
    /// Its identity.
    pub rid: Rid,
    /// Its canonical bytes.
    pub bytes: Vec<u8>,
}

/// Plans the release of a flat directory: every file in it is an asset. A manifest that is there already must be
/// the one that is planned.
pub fn plan(facts: &Facts, dist: &dyn Files) -> Result<Plan, PlanError> {
    let mut assets = Vec::new();
    let mut planned_before = false;
    for entry in dist.list(Path::new("."))? {
        if entry.kind != EntryKind::File {
            return Err(PlanError::NotAFile { found: entry.name });
        }
        let name: AssetName = entry.name.parse()?;
        if entry.size >= MAX_ASSET_BYTES {
            return Err(PlanError::TooLarge { name, found: entry.size, limit: MAX_ASSET_BYTES });
        }
        if name.as_str() == ReleaseManifest::ASSET {
            planned_before = true;
            continue;
        }
        let (digest, size) = dist.digest(Path::new(name.as_str()))?;
        assets.push(ReleaseAsset { name, size, digest });
    }
    if assets.is_empty() {
        return Err(PlanError::Empty);
    }
    if assets.len() >= MAX_ASSETS {
        return Err(PlanError::TooMany { found: assets.len() });
    }
    assets.sort_by(|left, right| left.name.cmp(&right.name));
    apart(&assets)?;
    let manifest = ReleaseManifest {
        schema: ReleaseManifest::SCHEMA.to_owned(),
        name: facts.name.clone(),
        tag: facts.tag.clone(),
        version: facts.version.clone(),
        prerelease: !facts.version.pre.is_empty(),
        commit: facts.commit,
        created: facts.created,
        notes: notes(facts, &assets)?,
        images: image::images(facts, dist, &assets)?,
        assets,
    };
    let (bytes, rid) = release_manifest::encode(&manifest)?;
    if planned_before {
        let found = dist.digest(Path::new(ReleaseManifest::ASSET))?.0;
        if found != rid.0 {
            return Err(PlanError::Drift { expected: found, found: rid.0 });
        }
    }
    Ok(Plan { manifest, rid, bytes })
}

/// Where capital letters make no difference, one of two such files would replace the other.
fn apart(assets: &[ReleaseAsset]) -> Result<(), PlanError> {
    let mut seen: BTreeMap<String, &AssetName> = BTreeMap::new();
    for asset in assets {
        if let Some(other) = seen.insert(asset.name.as_str().to_ascii_lowercase(), &asset.name) {
            return Err(PlanError::Twins { name: asset.name.clone(), other: other.clone() });
        }
    }
    Ok(())
}

/// `RELEASE-NOTES-TAG.md` is the text of the release when dist holds it.
fn notes(facts: &Facts, assets: &[ReleaseAsset]) -> Result<Option<AssetName>, PlanError> {
    let name: AssetName = format!("RELEASE-NOTES-{}.md", facts.tag.file_part()).parse()?;
    let Some(asset) = assets.iter().find(|asset| asset.name == name) else { return Ok(None) };
    // The marker takes some of it.
    let limit = MAX_BODY_BYTES - 256;
    if asset.size > limit {
        return Err(PlanError::TooLarge { name, found: asset.size, limit });
    }
    Ok(Some(name))
}

/// Why a directory cannot become a release.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Nothing to release.
    #[error("dist holds no file")]
    Empty,
    /// Something that is no file.
    #[error("`{found}` in dist is not a regular file; dist is flat")]
    NotAFile {
        /// Its name.
        found: String,
    },
    /// A name no forge keeps as it is.
    #[error("dist holds a file that cannot be an asset")]
    Name(#[from] InvalidAssetName),
    /// Two names that are one where capital letters make no difference.
    #[error("`{other}` and `{name}` in dist are one file on many machines")]
    Twins {
        /// The one.
        name: AssetName,
        /// The other.
        other: AssetName,
    },
    /// Too many files.
    #[error("dist holds {found} files, a forge takes fewer than {MAX_ASSETS}")]
    TooMany {
        /// How many.
        found: usize,
    },
    /// Too many bytes.
    #[error("{name} has {found} bytes, at most {limit} are possible")]
    TooLarge {
        /// Which file.
        name: AssetName,
        /// Bytes.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// A file could not be read.
    #[error("dist cannot be read")]
    Files(#[from] FilesError),
    /// The image files of dist do not fit together.
    #[error("the image files of dist do not fit together")]
    Image(#[from] ImageError),
    /// dist changed since it was planned.
    #[error("dist is not what it was when it was planned")]
    Drift {
        /// The identity planned before.
        expected: Digest,
        /// The identity now.
        found: Digest,
    },
    /// A value has no canonical form.
    #[error("the release manifest has no canonical form")]
    Canonical(#[from] CanonicalError),
}

impl Hint for PlanError {
    fn code(&self) -> &'static str {
        match self {
            Self::Empty => "plan-empty",
            Self::NotAFile { .. } | Self::Name(_) | Self::Twins { .. } => "plan-name",
            Self::TooMany { .. } | Self::TooLarge { .. } => "plan-size",
            Self::Files(error) => error.code(),
            Self::Image(error) => error.code(),
            Self::Drift { .. } => "plan-drift",
            Self::Canonical(_) => "plan-canonical",
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Empty
            | Self::NotAFile { .. }
            | Self::Name(_)
            | Self::Twins { .. }
            | Self::TooMany { .. }
            | Self::TooLarge { .. } => Kind::Usage,
            Self::Files(error) => error.kind(),
            Self::Image(error) => error.kind(),
            Self::Drift { .. } => Kind::Conflict,
            Self::Canonical(_) => Kind::Internal,
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Drift { expected, found } => {
                vec![("expected", expected.to_string()), ("found", found.to_string())]
            }
            Self::Image(error) => error.facts(),
            Self::Empty
            | Self::NotAFile { .. }
            | Self::Name(_)
            | Self::Twins { .. }
            | Self::TooMany { .. }
            | Self::TooLarge { .. }
            | Self::Files(_)
            | Self::Canonical(_) => Vec::new(),
        }
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::Drift { .. } => vec![
                "put the planned files back, or remove release-manifest.json from dist to plan anew"
                    .to_owned(),
            ],
            Self::Files(error) => error.hints(),
            Self::NotAFile { .. } | Self::Name(_) | Self::Twins { .. } => {
                vec!["move it out of dist, or rename it".to_owned()]
            }
            Self::Empty
            | Self::TooMany { .. }
            | Self::TooLarge { .. }
            | Self::Image(_)
            | Self::Canonical(_) => Vec::new(),
        }
    }
}
