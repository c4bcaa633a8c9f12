//! Floor 3: observe, diff, one action, read back, until nothing is left.
//!
//! Progress is never stored. What a killed run did is seen in the forge and the registry, so any machine can go on.
//! The only commit point is [`Forge::publish`]: before it nothing a consumer resolves
//! points at new bytes, after it nothing is taken back.

mod abort;
mod act;
mod diff;
mod error;
mod foresee;
mod lock;
mod manual;
mod marker;
mod observe;
mod reconcile;
mod status;
mod stored;
mod yank;

pub use abort::{Aborted, abort};
pub use act::attachment;
pub use diff::{Action, diff};
pub use error::PublishError;
pub use foresee::foresee;
pub use manual::manual;
pub use marker::Marker;
pub use observe::{ImageState, State, observe};
pub use reconcile::{Decide, Done, drive, publish};
pub use status::{Stage, Status, status};
pub use stored::stored;
pub use yank::{Yanked, yank};

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{AssetName, ReleaseManifest, Repository, Rid};
use crate::port::{Draft, Files, Forge, Progress, Registry, ReleaseId};

/// Where a release is published to.
pub struct World<'a> {
    /// Drafts, releases and the lock.
    pub forge: &'a dyn Forge,
    /// Every image repository of the release.
    pub registries: BTreeMap<Repository, &'a dyn Registry>,
    /// Listens.
    pub progress: &'a dyn Progress,
}

/// What is to be published, and by whom.
pub struct Job<'a> {
    /// Everything that will exist.
    pub manifest: &'a ReleaseManifest,
    /// Its identity.
    pub rid: Rid,
    /// Its canonical bytes, which are the first asset.
    pub manifest_bytes: &'a [u8],
    /// The text of the release, read from the notes asset.
    pub notes: &'a str,
    /// Where the bytes of the assets are; without it every byte must be staged already.
    pub dist: Option<&'a dyn Files>,
    /// Names this run in the lock and the draft.
    pub nonce: &'a str,
    /// The CI run this process belongs to.
    pub run: Option<&'a str>,
    /// The holding of the lock that a person decided to end.
    pub break_lock: Option<&'a str>,
}

impl Job<'_> {
    /// The text of the release with the marker.
    fn body(&self, nonce: &str) -> String {
        Marker { rid: self.rid, nonce: nonce.to_owned() }.append(self.notes)
    }

    /// The draft of the release, with the marker of a run.
    pub fn draft(&self, nonce: &str) -> Draft {
        let manifest = self.manifest;
        Draft {
            tag: manifest.tag.clone(),
            commit: manifest.commit,
            title: format!("{} {}", manifest.name, manifest.tag),
            body: self.body(nonce),
            prerelease: manifest.prerelease,
        }
    }

    /// Name, size and digest of every asset in upload order: the manifest, then the files, and last what vouches
    /// for them.
    pub fn assets(&self) -> Vec<crate::model::ReleaseAsset> {
        let vouches = |name: &AssetName| {
            name.as_str().starts_with("checksums") || name.as_str().ends_with(".sigstore.json")
        };
        let mut assets = self.manifest.assets.clone();
        assets.sort_by_key(|asset| (vouches(&asset.name), asset.name.clone()));
        if let Ok(name) = ReleaseManifest::ASSET.parse() {
            let size = self.manifest_bytes.len() as u64;
            assets.insert(0, crate::model::ReleaseAsset { name, size, digest: self.rid.0 });
        }
        assets
    }
}

/// What this process has seen with its own eyes; lost with it, and seen again by the next one.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    /// Staged assets whose bytes were read back and have the right digest.
    pub read_back: BTreeSet<(ReleaseId, AssetName)>,
    /// Staged assets whose bytes were read back and are wrong.
    pub spoilt: BTreeSet<(ReleaseId, AssetName)>,
}
