//! What is wrong with a document.

/// Which rule of the specification a document breaks.
#[derive(Debug, thiserror::Error)]
pub enum OciError {
    /// Not JSON, or not with the fields of the type.
    #[error("it cannot be parsed: {0}")]
    Json(#[from] serde_json::Error),
    /// More bytes than the reader takes.
    #[error("it has {found} bytes, at most {limit} are read")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
        /// The size in bytes.
        found: u64,
    },
    /// Deeper nesting than the reader takes.
    #[error("it is nested deeper than {limit} levels")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// More descriptors than the reader takes.
    #[error("it lists {found} descriptors, at most {limit} are read")]
    TooMany {
        /// The limit.
        limit: usize,
        /// The number found.
        found: usize,
    },
    /// More members and elements than the reader takes.
    #[error("it consists of {found} parts, at most {limit} are read")]
    TooManyParts {
        /// The limit.
        limit: usize,
        /// The number found.
        found: usize,
    },
    /// More annotations, labels and commands than the reader takes.
    #[error("its annotations, labels and commands have {found} bytes, at most {limit} are read")]
    TooMuchText {
        /// The limit in bytes.
        limit: u64,
        /// The size in bytes.
        found: u64,
    },
    /// `schemaVersion` is not 2.
    #[error("its schemaVersion is {found}, not 2")]
    SchemaVersion {
        /// The number found.
        found: u64,
    },
    /// The document says another type than its descriptor.
    #[error("its descriptor says `{expected}`, the document says `{found}`")]
    MediaType {
        /// The type in the descriptor.
        expected: String,
        /// The type in the document.
        found: String,
    },
    /// Neither index nor manifest.
    #[error("`{found}` is neither an index nor a manifest")]
    UnknownMediaType {
        /// The type found.
        found: String,
    },
    /// Fields of an index and of a manifest in one document.
    #[error("it has the fields of an index and of a manifest")]
    Ambiguous,
    /// A required field is absent.
    #[error("it has no field `{field}`")]
    Missing {
        /// The name of the field.
        field: &'static str,
    },
    /// A descriptor carries other content than its digest and size say.
    #[error("the data of {digest} in it is not what the digest says")]
    Embedded {
        /// The digest of the descriptor.
        digest: crate::model::Digest,
    },
    /// Another version of the image layout.
    #[error("its imageLayoutVersion is `{found}`, not {}", super::LayoutFile::VERSION)]
    LayoutVersion {
        /// The version found.
        found: String,
    },
}
