//! `release.yaml` as it stands in the file.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::notes::WrittenNotes;

/// What a release consists of. Everything but the name may be left out.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "release.yaml")]
pub struct WrittenConfig {
    /// The name of the project; assets are named after it.
    pub name: String,
    /// Which tags are releases, with `{version}` for the SemVer version. Default: `v{version}`.
    pub tag: Option<String>,
    /// Executables of the release: `OS/ARCH` and the path of the file.
    #[serde(default)]
    pub binaries: BTreeMap<String, String>,
    /// Other files of the release, for example `install.yaml`.
    #[serde(default)]
    pub assets: Vec<String>,
    /// The container image. Made when there are binaries.
    pub image: Option<WrittenImage>,
    /// Parts of the repository with releases of their own, for `notes generate --package`.
    #[serde(default)]
    pub packages: BTreeMap<String, WrittenPackage>,
    /// How notes are made, and what is asked of the messages they are made from.
    #[serde(default)]
    pub notes: WrittenNotes,
    /// The policy file. Default: `policies/release.yaml` when it exists.
    pub policy: Option<String>,
}

/// A part of the repository with releases of its own.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WrittenPackage {
    /// Which paths are its own: directories or globs.
    pub paths: Vec<String>,
    /// Which tags are its releases, with `{version}` for the SemVer version. Default: `NAME/v{version}`.
    pub tag: Option<String>,
}

/// The container image.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WrittenImage {
    /// Where it is pulled from, `HOST/PATH`.
    pub repository: String,
    /// The user it runs as. Default: `65532`.
    pub user: Option<String>,
    /// Tags that move forward with a stable release. Default: `latest`, `vMAJOR` and `vMAJOR.MINOR`.
    pub rolling: Option<Vec<String>>,
    /// Where else it has to be. Who brings the image to `repository` brings it there too, with what is attached.
    #[serde(default)]
    pub mirrors: Vec<WrittenMirror>,
}

/// Another repository with the same image.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WrittenMirror {
    /// Where it is, `HOST/PATH`.
    pub repository: String,
    /// What a mirror that cannot be reached means. Default: `required`.
    #[serde(default)]
    pub mode: WrittenMode,
}

/// What a mirror that cannot be reached means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WrittenMode {
    /// Nothing is tagged anywhere.
    #[default]
    Required,
    /// The rest goes on, and it is told.
    BestEffort,
}
