//! Why a release could not be published, by what is to be done about it.

use crate::diag::{Hint, Kind};
use crate::model::{AssetName, CommitId, Digest, Repository, Rid, Tag};
use crate::port::{FilesError, ForgeError, RegistryError};

/// Why a release is not published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The forge said no.
    #[error("the forge did not do what it was asked for")]
    Forge(#[source] ForgeError),
    /// A registry said no.
    #[error("the registry of {repository} did not do what it was asked for")]
    Registry {
        /// Which repository.
        repository: Repository,
        /// The answer.
        #[source]
        source: RegistryError,
    },
    /// A file of dist could not be read.
    #[error("the bytes of {name} cannot be read from dist")]
    Dist {
        /// Which asset.
        name: AssetName,
        /// The answer.
        #[source]
        source: FilesError,
    },
    /// A file of dist changed since the plan.
    #[error("{name} in dist is not the file that was planned")]
    Changed {
        /// Which asset.
        name: AssetName,
        /// The digest in the release manifest.
        expected: Digest,
        /// The digest of the file.
        found: Digest,
    },
    /// Bytes are neither staged nor in dist.
    #[error("{} of the bytes of {tag} are neither staged nor at hand", missing.len())]
    Missing {
        /// The release.
        tag: Tag,
        /// What is missing, by name and digest.
        missing: Vec<(String, Digest)>,
    },
    /// A draft of the tag that this tool did not make.
    #[error("there is a draft of {tag} that is not ours")]
    ForeignDraft {
        /// The tag.
        tag: Tag,
        /// The forge's name of it.
        id: String,
        /// Its release, when it carries a marker.
        rid: Option<Rid>,
        /// The release that was to be published.
        expected: Rid,
    },
    /// The tag is published with other content.
    #[error("{tag} is published already, and it is another release")]
    ForeignRelease {
        /// The tag.
        tag: Tag,
        /// The release that was to be published.
        expected: Rid,
        /// What its marker says.
        found: Option<Rid>,
    },
    /// The release was withdrawn.
    #[error("{tag} is withdrawn: {reason}")]
    Withdrawn {
        /// The tag.
        tag: Tag,
        /// Why.
        reason: String,
    },
    /// What is to be withdrawn is not published.
    #[error("{tag} is not published, so there is nothing to withdraw")]
    NotPublished {
        /// The tag.
        tag: Tag,
    },
    /// What is to be given up is published.
    #[error("{tag} is published and cannot be given up; nothing was changed")]
    AlreadyPublished {
        /// The tag.
        tag: Tag,
    },
    /// The tag moved after the release was planned.
    #[error("the tag {tag} is at another commit than the release was planned for; nothing was sent")]
    TagMoved {
        /// The tag.
        tag: Tag,
        /// The commit in the release manifest.
        expected: CommitId,
        /// The commit of the tag.
        found: CommitId,
    },
    /// A dist that is not planned holds something else than the release that is on the forge.
    #[error("{name} in dist is not what the {tag} on the forge holds; nothing was sent")]
    OtherDist {
        /// The tag.
        tag: Tag,
        /// The file.
        name: String,
        /// The digest in the release manifest; `None` when it does not list the file.
        expected: Option<Digest>,
        /// The digest of the file.
        found: Digest,
    },
    /// The published release carries other bytes than its manifest says.
    #[error("the published {tag} holds other bytes under {name} than planned")]
    OtherBytes {
        /// The tag.
        tag: Tag,
        /// The asset.
        name: String,
    },
    /// A file in our draft that the manifest does not list.
    #[error("the draft of {tag} holds {name}, which is not part of the release")]
    ForeignAsset {
        /// The tag.
        tag: Tag,
        /// The file.
        name: String,
    },
    /// An immutable image tag points elsewhere.
    #[error("{repository}:{image_tag} exists and points to another image; it never moves")]
    TagTaken {
        /// The repository.
        repository: Repository,
        /// The image tag.
        image_tag: String,
        /// The planned digest.
        expected: Digest,
        /// The digest it points to.
        found: Digest,
    },
    /// Somebody else publishes.
    #[error("the lock is held for {tag}")]
    Locked {
        /// The release being published.
        tag: Tag,
        /// Names the holding.
        nonce: String,
        /// The CI run of the holder.
        run: Option<String>,
        /// Its release.
        found: Rid,
        /// Ours.
        expected: Rid,
    },
    /// Somebody changed what we read, again and again.
    #[error("{tag} does not settle: the same step was needed {rounds} times")]
    Unsettled {
        /// The tag.
        tag: Tag,
        /// Rounds made.
        rounds: usize,
    },
    /// A signal asked to stop.
    #[error("publishing {tag} was stopped")]
    Stopped {
        /// The tag.
        tag: Tag,
    },
}

impl From<ForgeError> for PublishError {
    fn from(error: ForgeError) -> Self {
        Self::Forge(error)
    }
}

impl Hint for PublishError {
    fn code(&self) -> &'static str {
        match self {
            Self::Forge(error) => error.code(),
            Self::Registry { source, .. } => source.code(),
            Self::Dist { .. } => "publish-dist",
            Self::Changed { .. } => "publish-changed",
            Self::Missing { .. } => "publish-missing",
            Self::ForeignDraft { .. } => "publish-foreign-draft",
            Self::ForeignRelease { .. } => "publish-foreign-release",
            Self::Withdrawn { .. } => "publish-withdrawn",
            Self::NotPublished { .. } => "publish-not-published",
            Self::AlreadyPublished { .. } => "forge-published",
            Self::TagMoved { .. } => "publish-tag-moved",
            Self::OtherDist { .. } => "publish-other-dist",
            Self::OtherBytes { .. } => "publish-other-bytes",
            Self::ForeignAsset { .. } => "publish-foreign-asset",
            Self::TagTaken { .. } => "publish-tag-taken",
            Self::Locked { .. } => "publish-locked",
            Self::Unsettled { .. } => "publish-unsettled",
            Self::Stopped { .. } => "publish-stopped",
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Forge(error) => error.kind(),
            // What a registry holds in another form than it should is no verdict about the release.
            Self::Registry { source, .. } if source.kind() == Kind::Refused => Kind::Conflict,
            Self::Registry { source, .. } => source.kind(),
            Self::Dist { source, .. } => match source {
                FilesError::Missing { .. } | FilesError::TooLarge { .. } | FilesError::NotAFile { .. } => {
                    Kind::Undecided
                }
                FilesError::Io { .. } => source.kind(),
            },
            Self::Missing { .. } => Kind::Undecided,
            Self::NotPublished { .. } => Kind::Usage,
            Self::Changed { .. }
            | Self::ForeignDraft { .. }
            | Self::ForeignRelease { .. }
            | Self::Withdrawn { .. }
            | Self::AlreadyPublished { .. }
            | Self::TagMoved { .. }
            | Self::OtherDist { .. }
            | Self::OtherBytes { .. }
            | Self::ForeignAsset { .. }
            | Self::TagTaken { .. }
            | Self::Locked { .. } => Kind::Conflict,
            Self::Unsettled { .. } | Self::Stopped { .. } => Kind::Interrupted,
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let or_none = |rid: &Option<Rid>| {
            rid.map_or_else(|| "no marker of this tool".to_owned(), |rid| rid.to_string())
        };
        match self {
            Self::Changed { expected, found, .. } | Self::TagTaken { expected, found, .. } => {
                vec![("expected", expected.to_string()), ("found", found.to_string())]
            }
            Self::TagMoved { expected, found, .. } => {
                vec![("expected", expected.to_string()), ("found", found.to_string())]
            }
            Self::OtherDist { expected, found, .. } => {
                let expected =
                    expected.map_or_else(|| "no such file".to_owned(), |digest| digest.to_string());
                vec![("expected", expected), ("found", found.to_string())]
            }
            Self::ForeignDraft { id, rid, expected, .. } => {
                vec![("expected", expected.to_string()), ("found", or_none(rid)), ("draft", id.clone())]
            }
            Self::ForeignRelease { expected, found, .. } => {
                vec![("expected", expected.to_string()), ("found", or_none(found))]
            }
            Self::Missing { missing, .. } => {
                missing.iter().map(|(name, digest)| ("missing", format!("{name} {digest}"))).collect()
            }
            Self::Locked { nonce, run, found, expected, .. } => vec![
                ("expected", expected.to_string()),
                ("found", found.to_string()),
                ("run", run.clone().unwrap_or_else(|| "none".to_owned())),
                ("nonce", nonce.clone()),
            ],
            Self::Forge(_)
            | Self::Registry { .. }
            | Self::Dist { .. }
            | Self::Withdrawn { .. }
            | Self::NotPublished { .. }
            | Self::AlreadyPublished { .. }
            | Self::OtherBytes { .. }
            | Self::ForeignAsset { .. }
            | Self::Unsettled { .. }
            | Self::Stopped { .. } => Vec::new(),
        }
    }

    fn hints(&self) -> Vec<String> {
        let again = |tag: &Tag| {
            format!(
                "run `kyklos-release publish {tag}` again, here or elsewhere; it goes on where this run stopped"
            )
        };
        match self {
            Self::Missing { tag, .. } => vec![
                format!(
                    "run `kyklos-release publish {tag} --dist DIR` with the directory that holds these bytes"
                ),
                "an image is made available with `kyklos-release image assemble` or a push by digest"
                    .to_owned(),
            ],
            Self::ForeignDraft { tag, rid, .. } => match rid {
                Some(_) => vec![format!(
                    "if that release is given up, run `kyklos-release abort {tag}` with its manifest"
                )],
                None => vec![
                    "look at the draft and remove it by hand if nobody needs it; this tool never does"
                        .to_owned(),
                ],
            },
            Self::AlreadyPublished { tag } => {
                vec![format!(
                    "`kyklos-release yank {tag} --forge FORGE --reason REASON` withdraws what is published"
                )]
            }
            Self::TagMoved { tag, .. } => vec![
                "`git fetch --tags --force` if the tag here is the old one".to_owned(),
                format!(
                    "else make the files anew and `kyklos-release plan {tag}`; what is published keeps its commit"
                ),
            ],
            Self::OtherDist { tag, .. } => vec![
                format!("without --dist, `kyklos-release publish {tag}` goes on with what is on the forge"),
                format!("`kyklos-release abort {tag}` gives a draft up; published bytes never change"),
            ],
            Self::NotPublished { tag } => {
                vec![format!("`kyklos-release abort {tag}` gives up what is not published")]
            }
            Self::ForeignRelease { .. }
            | Self::Withdrawn { .. }
            | Self::OtherBytes { .. }
            | Self::TagTaken { .. } => {
                vec!["published bytes never change; release the next version".to_owned()]
            }
            Self::ForeignAsset { name, .. } => {
                vec![format!("remove `{name}` from the draft by hand; this tool never does")]
            }
            Self::Locked { tag, nonce, .. } => vec![
                format!("wait until {tag} is finished, or run `kyklos-release publish {tag}` to finish it"),
                format!("if its run is dead, add `--break-lock {nonce}`"),
            ],
            Self::Changed { .. } => {
                vec!["run `kyklos-release plan` again; nothing with other bytes was sent".to_owned()]
            }
            Self::Unsettled { tag, .. } | Self::Stopped { tag } => vec![again(tag)],
            Self::Forge(error) => error.hints(),
            Self::Registry { source, .. } => source.hints(),
            Self::Dist { source, .. } => source.hints(),
        }
    }
}
