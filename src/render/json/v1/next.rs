//! The answer of `notes next`.

use schemars::JsonSchema;
use serde::Serialize;

use crate::notes::{self, Bump, Entry};

/// `notes next`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Next {
    /// The version.
    pub version: String,
    /// The release it follows.
    pub previous: Option<String>,
    /// The version of that release.
    pub from: Option<String>,
    /// `major`, `minor` or `patch`.
    pub bump: String,
    /// The commits that decide.
    pub because: Vec<Deciding>,
    /// The prerelease under way, when it is that which decides.
    pub under_way: Option<String>,
}

/// A commit that decides.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Deciding {
    /// The commit.
    pub sha: String,
    /// What it says.
    pub subject: String,
    /// The type; empty for a message without one.
    #[serde(rename = "type")]
    pub kind: String,
    /// The scopes.
    pub scopes: Vec<String>,
    /// Whether it breaks something.
    pub breaking: bool,
    /// The version its footer `Release-As` asks for, when that is why it decides.
    pub release_as: Option<String>,
}

impl From<&notes::Next> for Next {
    fn from(next: &notes::Next) -> Self {
        let bump = match next.bump {
            Bump::Major => "major",
            Bump::Minor => "minor",
            Bump::Patch => "patch",
        };
        let asked = next.told.then(|| next.version.to_string());
        let deciding = |entry: &Entry| Deciding {
            sha: entry.id.to_string(),
            subject: entry.description.clone(),
            kind: entry.kind.clone(),
            scopes: entry.scopes.clone(),
            breaking: !entry.breaking.is_empty(),
            release_as: asked.clone(),
        };
        Self {
            version: next.version.to_string(),
            previous: next.previous.as_ref().map(ToString::to_string),
            from: next.from.as_ref().map(ToString::to_string),
            bump: bump.to_owned(),
            because: next.because.iter().map(deciding).collect(),
            under_way: next.under_way.as_ref().map(ToString::to_string),
        }
    }
}
