//! Answers of `plan`, `publish`, `status`, `manual` and `abort`.

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::{Rid, Tag};
use crate::publish::{Action, Done, Job, Stage, Yanked};

/// `plan`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Plan {
    /// The identity of the release.
    pub rid: String,
    /// The tag.
    pub tag: String,
    /// The commit.
    pub commit: String,
    /// Every file beside the manifest, sorted by name.
    pub assets: Vec<Asset>,
    /// Every image.
    pub images: Vec<Image>,
}

/// A file of a release.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Asset {
    /// The name.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Digest of the bytes.
    pub digest: String,
}

/// An image of a release.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Image {
    /// Where it is pulled from.
    pub repository: String,
    /// Digest of the index.
    pub digest: String,
    /// Tags that never move.
    pub tags: Vec<String>,
    /// Tags that move forward.
    pub rolling: Vec<String>,
}

impl From<&crate::plan::Plan> for Plan {
    fn from(plan: &crate::plan::Plan) -> Self {
        let manifest = &plan.manifest;
        let asset = |asset: &crate::model::ReleaseAsset| Asset {
            name: asset.name.to_string(),
            size: asset.size,
            digest: asset.digest.to_string(),
        };
        let image = |image: &crate::model::ImageEntry| Image {
            repository: image.repository.to_string(),
            digest: image.digest.to_string(),
            tags: image.tags.clone(),
            rolling: image.rolling.clone(),
        };
        Self {
            rid: plan.rid.to_string(),
            tag: manifest.tag.to_string(),
            commit: manifest.commit.to_string(),
            assets: manifest.assets.iter().map(asset).collect(),
            images: manifest.images.iter().map(image).collect(),
        }
    }
}

/// `publish`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Publish {
    /// The identity of the release.
    pub rid: String,
    /// The tag.
    pub tag: String,
    /// Actions that changed something; with `--dry-run` those that would.
    pub changes: usize,
    /// The actions, in order.
    pub actions: Vec<String>,
}

impl Publish {
    /// What a run did.
    pub fn done(job: &Job<'_>, done: &Done) -> Self {
        Self { changes: done.changes, ..Self::foreseen(job, &done.actions) }
    }

    /// What a run would do.
    pub fn foreseen(job: &Job<'_>, actions: &[Action]) -> Self {
        Self {
            rid: job.rid.to_string(),
            tag: job.manifest.tag.to_string(),
            changes: actions.iter().filter(|action| !matches!(action, Action::ReadBack(..))).count(),
            actions: actions.iter().map(|action| action.describe(job.manifest)).collect(),
        }
    }
}

/// `status`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Status {
    /// The identity of the release; `null` when nothing of it is known.
    pub rid: Option<String>,
    /// How far it is.
    pub state: StageName,
    /// Assets that are there.
    pub done: Vec<String>,
    /// Assets that are not.
    pub missing: Vec<String>,
    /// The next step in words; `null` when nothing is left or nothing can be done.
    pub next: Option<String>,
}

/// How far a release is.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StageName {
    /// Nothing is there.
    Absent,
    /// Something is there, nobody sees it.
    Partial,
    /// Every byte is in the draft.
    Staged,
    /// Everybody sees it.
    Published,
    /// The tag belongs to another draft or release.
    Foreign,
    /// It was published and is withdrawn.
    Withdrawn,
}

impl Status {
    /// A release whose manifest is known.
    pub fn known(rid: Rid, status: &crate::publish::Status) -> Self {
        let state = match status.stage {
            Stage::Absent => StageName::Absent,
            Stage::Partial => StageName::Partial,
            Stage::Staged => StageName::Staged,
            Stage::Published => StageName::Published,
            Stage::Foreign => StageName::Foreign,
            Stage::Withdrawn => StageName::Withdrawn,
        };
        Self {
            rid: Some(rid.to_string()),
            state,
            done: status.done.clone(),
            missing: status.missing.clone(),
            next: status.next.clone().or_else(|| status.obstacle.clone()),
        }
    }

    /// A release nothing is known of.
    pub fn absent(tag: &Tag) -> Self {
        let next = Some(format!("kyklos-release publish {tag} --dist DIR"));
        Self { rid: None, state: StageName::Absent, done: Vec::new(), missing: Vec::new(), next }
    }

    /// The answer for people.
    pub fn text(&self, tag: &Tag) -> String {
        let state = match self.state {
            StageName::Absent => "absent",
            StageName::Partial => "partial: nobody sees it yet",
            StageName::Staged => "staged: every byte is in the draft, nobody sees it yet",
            StageName::Published => "published",
            StageName::Foreign => "foreign: the tag belongs to another draft or release",
            StageName::Withdrawn => "withdrawn",
        };
        let mut lines = vec![format!("{tag} is {state}")];
        if let Some(rid) = &self.rid {
            lines.push(format!("  rid      {rid}"));
        }
        if !self.done.is_empty() {
            lines.push(format!("  done     {}", self.done.join(", ")));
        }
        if !self.missing.is_empty() {
            lines.push(format!("  missing  {}", self.missing.join(", ")));
        }
        if let Some(next) = &self.next {
            lines.push(format!("  next     {next}"));
        }
        lines.join("\n") + "\n"
    }
}

/// `manual`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Manual {
    /// Markdown; with `--script` a shell script.
    pub document: String,
}

/// `abort`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Abort {
    /// Drafts that were removed.
    pub drafts: usize,
}

/// `yank`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Yank {
    /// The identity of the release.
    pub rid: String,
    /// The tag.
    pub tag: String,
    /// What was changed, in order; empty when it was withdrawn before.
    pub changes: Vec<String>,
    /// What a consumer gets now who asks for the latest release; `null` when no stable release is left.
    pub latest: Option<String>,
    /// Rolling image tags that still point to the image, because no other stable release has one for them.
    pub left: Vec<String>,
}

impl Yank {
    /// What a run did.
    pub fn done(job: &Job<'_>, yanked: &Yanked) -> Self {
        Self {
            rid: job.rid.to_string(),
            tag: job.manifest.tag.to_string(),
            changes: yanked.changes.clone(),
            latest: yanked.latest.as_ref().map(ToString::to_string),
            left: yanked.left.clone(),
        }
    }
}
