//! What can be wrong with a repository, and the command that repairs it.

use std::path::PathBuf;

use crate::diag::{Hint, Kind};
use crate::model::{CommitId, InvalidTag};

/// Why something could not be read from a repository.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// No repository here or above.
    #[error("{} is not in a git repository", path.display())]
    NoRepository {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The history ends early.
    #[error("the repository is a shallow clone: its history is cut off")]
    Shallow,
    /// An object that was left out when the repository was cloned.
    #[error("the repository is a partial clone: object {id} is not in it")]
    Partial {
        /// The object.
        id: String,
    },
    /// A clone that leaves tags out, and has none.
    #[error("the repository has no release tag, and its remote `{remote}` is fetched without tags")]
    NoTags {
        /// The remote.
        remote: String,
    },
    /// An object is gone.
    #[error("object {id} is missing from the repository")]
    Missing {
        /// The object.
        id: String,
    },
    /// The format of the references is one this tool does not read.
    #[error("the repository keeps its references in the format `{format}`, this tool reads `files`")]
    References {
        /// The format.
        format: String,
    },
    /// The format of the objects is one this tool does not read.
    #[error("the repository has object ids of the format `{format}`, this tool reads `sha1`")]
    Objects {
        /// The format.
        format: String,
    },
    /// Another user owns the directory.
    #[error("{} belongs to another user, and git was not told to trust it", path.display())]
    Owner {
        /// The directory.
        path: PathBuf,
    },
    /// No commit yet.
    #[error("the repository has no commit yet")]
    Empty,
    /// No such tag.
    #[error("there is no tag `{tag}` in the repository")]
    NoTag {
        /// The name.
        tag: String,
    },
    /// A tag that is not one of a release.
    #[error("the tag `{tag}` is not one of a release: it does not have the form `{pattern}`")]
    NotARelease {
        /// The name.
        tag: String,
        /// The form of release tags.
        pattern: String,
    },
    /// The name of a tag of the pattern cannot be used.
    #[error("a release tag has a name that cannot be used")]
    Tag(#[from] InvalidTag),
    /// No such revision.
    #[error("`{revision}` names no commit of the repository")]
    NoRevision {
        /// What was asked for.
        revision: String,
    },
    /// Bytes that are not a commit.
    #[error("object {id} is not a commit that can be read")]
    Malformed {
        /// The object.
        id: CommitId,
    },
    /// A path in a tree that cannot be used.
    #[error("`{path}` in the tree of {commit} is not a path that can be unpacked everywhere")]
    Path {
        /// The path, escaped.
        path: String,
        /// The commit.
        commit: CommitId,
    },
    /// More than the reader takes.
    #[error("{what} is larger than {limit}")]
    TooLarge {
        /// The path, or what was counted.
        what: String,
        /// The limit, in bytes or entries.
        limit: u64,
    },
    /// Anything else that went wrong inside.
    #[error("cannot {action}")]
    Read {
        /// What was tried.
        action: &'static str,
        /// The answer.
        #[source]
        source: Cause,
    },
}

/// What the library that reads repositories said.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Cause(pub(super) git2::Error);

impl GitError {
    /// Wraps an answer of the library. Object ids are found by the caller.
    pub(super) fn read(action: &'static str, source: git2::Error) -> Self {
        Self::Read { action, source: Cause(source) }
    }

    /// Tells the reasons for which a repository does not open.
    pub(super) fn open(path: PathBuf, source: git2::Error) -> Self {
        let message = source.message().to_ascii_lowercase();
        if source.code() == git2::ErrorCode::Owner {
            return Self::Owner { path };
        }
        if message.contains("refstorage") {
            return Self::References { format: "reftable".to_owned() };
        }
        if message.contains("objectformat") || message.contains("object format") || message.contains("sha256")
        {
            return Self::Objects { format: "sha256".to_owned() };
        }
        if source.code() == git2::ErrorCode::NotFound {
            return Self::NoRepository { path };
        }
        Self::read("open the repository", source)
    }
}

impl Hint for GitError {
    fn code(&self) -> &'static str {
        match self {
            Self::NoRepository { .. } => "git-no-repository",
            Self::Shallow => "git-shallow",
            Self::Partial { .. } => "git-partial",
            Self::NoTags { .. } => "git-no-tags",
            Self::Missing { .. } => "git-object-missing",
            Self::References { .. } => "git-reftable",
            Self::Objects { .. } => "git-sha256",
            Self::Owner { .. } => "git-owner",
            Self::Empty => "git-empty",
            Self::NoTag { .. } => "git-no-tag",
            Self::NotARelease { .. } => "git-tag-form",
            Self::Tag(_) => "git-tag-name",
            Self::NoRevision { .. } => "git-no-revision",
            Self::Malformed { .. } => "git-commit",
            Self::Path { .. } => "git-path",
            Self::TooLarge { .. } => "git-too-large",
            Self::Read { .. } => "git",
        }
    }

    fn kind(&self) -> Kind {
        match self {
            // The repository holds too little to tell.
            Self::Shallow | Self::Partial { .. } | Self::NoTags { .. } | Self::Missing { .. } => {
                Kind::Undecided
            }
            Self::NoRepository { .. }
            | Self::References { .. }
            | Self::Objects { .. }
            | Self::Owner { .. }
            | Self::Empty
            | Self::NoTag { .. }
            | Self::NotARelease { .. }
            | Self::Tag(_)
            | Self::NoRevision { .. }
            | Self::Malformed { .. }
            | Self::Path { .. }
            | Self::TooLarge { .. }
            | Self::Read { .. } => Kind::Usage,
        }
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Path { .. } => "git mv it to a name in UTF-8 without a backslash, commit and tag that",
            Self::NoRepository { .. } => "go into a checkout, or name one with -C DIR",
            Self::Shallow => {
                return vec![
                    "git fetch --unshallow --tags".to_owned(),
                    "in GitHub Actions: `fetch-depth: 0` for actions/checkout".to_owned(),
                ];
            }
            Self::Partial { .. } => "git fetch --refetch --no-filter --tags",
            Self::NoTags { remote } => {
                return vec![
                    format!("git fetch --tags {remote}"),
                    format!("git config --unset remote.{remote}.tagOpt"),
                ];
            }
            Self::Missing { .. } => "git fsck --connectivity-only",
            Self::References { .. } => "git refs migrate --ref-format=files",
            Self::Objects { .. } => "clone the sha1 form of the repository; git cannot convert one in place",
            Self::Owner { path } => {
                return vec![format!("git config --global --add safe.directory {}", path.display())];
            }
            Self::Empty => "git commit --allow-empty -m \"chore: begin\"",
            Self::NoTag { tag } => {
                return vec![
                    "git fetch --tags".to_owned(),
                    format!("git tag --annotate --message {tag} {tag}"),
                ];
            }
            Self::NoRevision { .. } => "git fetch --tags",
            Self::NotARelease { .. } => {
                "a release tag holds a version of SemVer 2.0.0, for example v1.2.3-rc.1"
            }
            Self::Tag(_) | Self::Malformed { .. } | Self::TooLarge { .. } | Self::Read { .. } => {
                return Vec::new();
            }
        };
        vec![hint.to_owned()]
    }
}
