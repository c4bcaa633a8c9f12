//! Why an image could not be made, read or tagged.

use semver::Version;

use super::unpack::LayerError;
use crate::diag::{Hint, Kind};
use crate::format::oci::OciError;
use crate::model::{Digest, Platform};
use crate::port::RegistryError;

/// Why an image could not be made, read or tagged.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// No binary was given.
    #[error("an image needs at least one binary")]
    NoBinary,
    /// Two binaries for one platform.
    #[error("there are two binaries for {platform}")]
    DuplicatePlatform {
        /// The platform.
        platform: Platform,
    },
    /// The binary's file name cannot be a path in the image.
    #[error("`{}` cannot be the name of a file in an image", name.escape_debug())]
    BinaryName {
        /// The name.
        name: String,
    },
    /// Not a user id.
    #[error("`{}` is not a user of the form UID[:GID]", found.escape_debug())]
    User {
        /// The refused text.
        found: String,
    },
    /// The time cannot stand in a tar header.
    #[error("{found} seconds since 1970 cannot stand in a tar header")]
    Time {
        /// Seconds since 1970.
        found: i64,
    },
    /// No manifest under this digest or tag.
    #[error("{what} is not in the registry")]
    NotFound {
        /// What was asked for.
        what: String,
    },
    /// The image does not have the platform.
    #[error("the image has no platform {platform}")]
    NoPlatform {
        /// What was asked for.
        platform: Platform,
        /// What there is, sorted.
        available: Vec<Platform>,
    },
    /// A document breaks the specification.
    #[error("{digest} is not valid")]
    Document {
        /// Which document.
        digest: Digest,
        /// Which rule.
        #[source]
        source: OciError,
    },
    /// A layer of a base that may not be passed on, or is none.
    #[error("the layer {digest} of the base cannot be used: its type is `{}`", media_type.escape_debug())]
    BaseLayer {
        /// Which layer.
        digest: Digest,
        /// Its media type.
        media_type: String,
    },
    /// A platform is larger than it may be.
    #[error("{platform} has {found} bytes, at most {limit} are wanted")]
    TooLarge {
        /// Which platform.
        platform: Platform,
        /// The limit in bytes.
        limit: u64,
        /// Config and layers as stored.
        found: u64,
    },
    /// A document that was made has no JSON form.
    #[error("the document has no JSON form")]
    Unwritable {
        /// The answer of the serialiser.
        source: serde_json::Error,
    },
    /// A layer could not be packed or scanned.
    #[error("the layer cannot be processed")]
    Layer(#[from] LayerError),
    /// A tag that never moves points to something else.
    #[error("the tag {tag} points to another image and never moves")]
    TagTaken {
        /// The tag.
        tag: String,
        /// The digest it should point to.
        expected: Digest,
        /// The digest it points to.
        found: Digest,
    },
    /// A rolling tag would go back to an older version.
    #[error("the tag {tag} would go back from {current} to {new}")]
    TagBackwards {
        /// The tag.
        tag: String,
        /// The version it points to.
        current: Version,
        /// The version it should point to.
        new: Version,
    },
    /// A prerelease has no rolling tags.
    #[error("the tag {tag} is not moved to {version}: a prerelease has no tag but its own")]
    TagPrerelease {
        /// The tag.
        tag: String,
        /// The version it should point to.
        version: Version,
    },
    /// Somebody else set a tag while it was being set here.
    #[error("the tag {tag} was set by somebody else just now")]
    TagRaced {
        /// The tag.
        tag: String,
        /// The digest it was set to here.
        expected: Digest,
        /// The digest it points to; `None` when it is gone.
        found: Option<Digest>,
    },
    /// More of something than is followed.
    #[error("the image has more than {limit} {what}")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// Something that was stored is not listed where it has to be found.
    #[error("{} things attached to {subject} are not listed by {place}", missing.len())]
    Unlisted {
        /// Where.
        place: String,
        /// What they are attached to.
        subject: Digest,
        /// What is not listed, at least one.
        missing: Vec<Digest>,
    },
    /// Two images of an index are for one platform.
    #[error("there are two images for {platform}")]
    TwoImages {
        /// The platform.
        platform: Platform,
        /// The first.
        first: Digest,
        /// The second.
        second: Digest,
    },
    /// Nothing in an image says for which platform it is.
    #[error("{digest} does not say for which platform it is")]
    NoPlatformSaid {
        /// The manifest.
        digest: Digest,
    },
    /// Something that has to be done at one place of several failed.
    #[error("{place} did not get the image")]
    Place {
        /// Where.
        place: String,
        /// Why.
        #[source]
        source: Box<ImageError>,
    },
    /// Somebody asked to stop.
    #[error("stopped between two steps")]
    Stopped,
    /// The registry did not do what it was asked for.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl Hint for ImageError {
    fn code(&self) -> &'static str {
        match self {
            Self::NoBinary => "image-no-binary",
            Self::DuplicatePlatform { .. } => "image-duplicate-platform",
            Self::BinaryName { .. } => "image-binary-name",
            Self::User { .. } => "image-user",
            Self::Time { .. } => "image-time",
            Self::NotFound { .. } => "image-not-found",
            Self::NoPlatform { .. } => "image-no-platform",
            Self::Document { .. } => "image-document",
            Self::BaseLayer { .. } => "image-base-layer",
            Self::TooLarge { .. } => "image-size",
            Self::Unwritable { .. } => "image-unwritable",
            Self::Layer(_) => "image-layer",
            Self::TagTaken { .. } => "image-tag-taken",
            Self::TagBackwards { .. } => "image-tag-backwards",
            Self::TagPrerelease { .. } => "image-tag-prerelease",
            Self::TagRaced { .. } => "image-tag-raced",
            Self::TooMuch { .. } => "image-too-much",
            Self::Unlisted { .. } => "image-unlisted",
            Self::TwoImages { .. } => "image-two-for-platform",
            Self::NoPlatformSaid { .. } => "image-no-platform-said",
            Self::Place { source, .. } => source.code(),
            Self::Stopped => "interrupted",
            Self::Registry(error) => error.code(),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::NoBinary
            | Self::DuplicatePlatform { .. }
            | Self::BinaryName { .. }
            | Self::User { .. }
            | Self::Time { .. }
            | Self::NotFound { .. }
            | Self::NoPlatform { .. }
            | Self::TwoImages { .. }
            | Self::NoPlatformSaid { .. } => Kind::Usage,
            Self::Document { .. } | Self::Layer(_) | Self::TooMuch { .. } => Kind::Refused,
            Self::BaseLayer { .. } | Self::TooLarge { .. } => Kind::Refused,
            Self::Unwritable { .. } => Kind::Internal,
            Self::TagTaken { .. }
            | Self::TagBackwards { .. }
            | Self::TagPrerelease { .. }
            | Self::TagRaced { .. } => Kind::Conflict,
            Self::Unlisted { .. } => Kind::Undecided,
            Self::Stopped => Kind::Interrupted,
            Self::Place { source, .. } => source.kind(),
            Self::Registry(error) => error.kind(),
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::TagTaken { expected, found, .. } => {
                vec![("expected", expected.to_string()), ("found", found.to_string())]
            }
            Self::NoPlatform { platform, available } => {
                let available: Vec<String> = available.iter().map(ToString::to_string).collect();
                vec![("expected", platform.to_string()), ("found", available.join(", "))]
            }
            Self::TagRaced { expected, found, .. } => {
                let found = found.map_or_else(|| "nothing".to_owned(), |found| found.to_string());
                vec![("expected", expected.to_string()), ("found", found)]
            }
            Self::TwoImages { first, second, .. } => {
                vec![("first", first.to_string()), ("second", second.to_string())]
            }
            Self::Unlisted { missing, .. } => {
                missing.iter().take(8).map(|digest| ("missing", digest.to_string())).collect()
            }
            Self::Place { source, .. } => source.facts(),
            Self::TooLarge { limit, found, .. } => {
                vec![("expected", format!("at most {limit} bytes")), ("found", format!("{found} bytes"))]
            }
            Self::Registry(error) => error.facts(),
            _ => Vec::new(),
        }
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::User { .. } => vec!["give a number, for example --user 65532".to_owned()],
            Self::TagTaken { .. } => vec!["release a new version; a version tag is never moved".to_owned()],
            Self::TagBackwards { .. } | Self::TagPrerelease { .. } => {
                vec!["nothing was moved; leave the tag out".to_owned()]
            }
            Self::TagRaced { .. } => {
                vec!["find out who else publishes here; no other tag was moved".to_owned()]
            }
            Self::NoPlatformSaid { .. } => {
                vec!["name an image whose config says os and architecture, or an index".to_owned()]
            }
            Self::Stopped => vec!["run the same command again; it goes on where this one stopped".to_owned()],
            Self::Place { source, .. } => source.hints(),
            Self::Registry(error) => error.hints(),
            _ => Vec::new(),
        }
    }
}
