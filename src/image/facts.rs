//! Facts of an image that gates decide on, and what was found wrong with it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::ImageError;
use crate::diag::{Diagnostic, Hint as _, Kind, Severity};
use crate::model::{Digest, Platform};

/// What is known about an image. Every byte of it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageFacts {
    /// Digest of the index or manifest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// The image it was built on, when the annotations name it.
    pub base: Option<BaseFacts>,
    /// The image its sizes were compared with.
    #[serde(default)]
    pub previous: Option<PreviousFacts>,
    /// Whether everything the image names is stored and has the right digest.
    pub complete: bool,
    /// The platforms that can be run, in the order of the index.
    pub platforms: Vec<PlatformFacts>,
    /// How many manifests state something about the image: attestations of its index, and referrers.
    #[serde(default)]
    pub vouchers: u64,
    /// What is wrong whatever the policy says.
    #[serde(alias = "findings")]
    pub problems: Vec<Problem>,
}

impl ImageFacts {
    /// Whether nothing is wrong with it whatever the policy says.
    pub fn is_sound(&self) -> bool {
        self.problems.iter().all(|problem| problem.severity != Severity::Error)
    }
}

/// The image another one was built on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseFacts {
    /// `org.opencontainers.image.base.name`.
    pub name: String,
    /// `org.opencontainers.image.base.digest`.
    pub digest: Option<String>,
    /// The digest the name stands for now; `None` when nobody looked.
    #[serde(default)]
    pub current: Option<Digest>,
    /// Whether the image was built on what the name stands for now; `None` when nobody looked, or no digest is recorded.
    #[serde(default)]
    pub fresh: Option<bool>,
    /// When the base that the name stands for now was made, as its config says.
    #[serde(default)]
    pub created: Option<String>,
}

/// The image that sizes were compared with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviousFacts {
    /// Where it was found.
    pub reference: String,
    /// Its digest.
    pub digest: Digest,
}

/// What is known about one platform of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformFacts {
    /// The platform the index names.
    pub platform: Platform,
    /// Digest of the manifest.
    pub digest: Digest,
    /// The platform the config names; `None` when it names none.
    pub config_platform: Option<Platform>,
    /// Bytes a consumer pulls: config and layers as stored.
    pub compressed_size: u64,
    /// The same of this platform of the image it was compared with.
    #[serde(default)]
    pub previous_size: Option<u64>,
    /// Bytes of the layers after decompression.
    pub uncompressed_size: u64,
    /// `User` of the config.
    pub user: Option<String>,
    /// The number in `user`; `None` for a name, 0 when there is no user.
    pub uid: Option<u32>,
    /// The number of the group in `user`; `None` for a name, and when there is no group.
    #[serde(default)]
    pub gid: Option<u32>,
    /// The program that is run; `None` when the config names none, or it was not looked for.
    #[serde(default)]
    pub program: Option<ProgramFacts>,
    /// Paths of shells, sorted.
    pub shells: Vec<String>,
    /// Paths of programs that install packages, sorted.
    #[serde(default)]
    pub package_managers: Vec<String>,
    /// Paths of files that run as somebody else, sorted.
    pub setuid: Vec<String>,
    /// Whether it carries the lists of packages of a distroless image.
    #[serde(default)]
    pub distroless: bool,
    /// Whether its first layers are those of the base; `None` when nobody looked.
    #[serde(default)]
    pub on_base: Option<bool>,
    /// Whether every layer was looked at; without it an empty list says nothing.
    pub scanned: bool,
}

/// The program an image runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramFacts {
    /// Its path, links followed; as the config names it when there is no such file.
    pub path: String,
    /// Whether there is such a file, and it can be run.
    pub found: bool,
    /// The architecture of its ELF header, in Go's words; `None` for a script and for another format.
    pub architecture: Option<String>,
}

/// Something that is wrong with an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Stable, in kebab case.
    pub code: String,
    /// Whether it makes the answer no.
    pub severity: Severity,
    /// One line, lower case, no period.
    pub message: String,
    /// The platform it is about; `None` for the whole image.
    #[serde(default)]
    pub platform: Option<Platform>,
}

impl From<&Problem> for Diagnostic {
    fn from(problem: &Problem) -> Self {
        let Problem { code, severity, message, platform } = problem;
        let place = platform.as_ref().map(|platform| format!("{platform}: ")).unwrap_or_default();
        Self::new(*severity, code, format!("{place}{message}"))
    }
}

/// What was found wrong so far.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) problems: Vec<Problem>,
    /// Something the image names is missing or damaged.
    pub(super) incomplete: bool,
}

impl Findings {
    pub(super) fn report(
        &mut self,
        platform: Option<&Platform>,
        severity: Severity,
        code: &str,
        message: String,
    ) {
        self.problems.push(Problem { code: code.to_owned(), severity, message, platform: platform.cloned() });
    }

    /// Something the image names cannot be read.
    pub(super) fn damage(&mut self, platform: Option<&Platform>, code: &str, message: String) {
        self.incomplete = true;
        self.report(platform, Severity::Error, code, message);
    }
}

/// What cannot be read because it is missing or damaged is a finding; whatever else is in the way is an error, because
/// another try may answer.
pub(super) fn damage(error: ImageError) -> Result<String, ImageError> {
    match error.kind() {
        Kind::Refused | Kind::Undecided => Ok(with_sources(&error)),
        Kind::Usage | Kind::Denied | Kind::Conflict | Kind::Interrupted | Kind::Internal => Err(error),
    }
}

fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
