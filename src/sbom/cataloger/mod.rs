//! What is in an executable. Each cataloger knows one way of telling.

mod cargo_auditable;
mod cargo_lock;
mod go_module;

use crate::diag::{Hint, Kind};
use crate::format::auditable::AuditableError;
use crate::format::binary::{Binary, BinaryError};
use crate::format::cargo_lock::CargoLockError;
use crate::format::go_buildinfo::GoBuildInfoError;
use crate::format::purl::{InvalidPurl, Purl};

/// One way of telling what is in an executable.
pub trait Cataloger: Sync {
    /// The name in the SBOM.
    fn name(&self) -> &'static str;

    /// What it finds; `None` when the executable does not speak its language.
    fn find(&self, binary: &Binary<'_>, declared: Option<&[u8]>) -> Result<Option<Found>, SbomError>;
}

/// Every cataloger; the first that finds something is believed.
pub const ALL: &[&dyn Cataloger] =
    &[&go_module::GoModule, &cargo_auditable::CargoAuditable, &cargo_lock::CargoLock];

/// How it is known that a component is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Read out of the executable.
    Observed,
    /// Listed in a lock file beside the source; what was linked may be less.
    Declared,
}

/// What is in one executable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The cataloger.
    pub cataloger: &'static str,
    /// How it is known.
    pub origin: Origin,
    /// The executable's own module or package.
    pub main: Option<Component>,
    /// What was linked in, sorted by package URL, without repetition.
    pub components: Vec<Component>,
}

/// One component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// The name.
    pub name: String,
    /// The version; `None` when what was linked is no version of it: the work tree of the build, or a local directory.
    pub version: Option<String>,
    /// The package URL.
    pub purl: Purl,
    /// Facts such as the `h1:` checksum of a Go module, sorted.
    pub properties: Vec<(String, String)>,
}

impl Found {
    fn new(
        cataloger: &dyn Cataloger,
        origin: Origin,
        main: Option<Component>,
        mut components: Vec<Component>,
    ) -> Self {
        components.sort_by_key(|component| component.purl.to_string());
        components.dedup_by(|left, right| left.purl == right.purl);
        Self { cataloger: cataloger.name(), origin, main, components }
    }
}

/// What is in an executable; `declared` is the `Cargo.lock` of its source. `None` when no cataloger can tell.
pub fn observe(bytes: &[u8], declared: Option<&[u8]>) -> Result<Option<Found>, SbomError> {
    let binary = Binary::parse(bytes)?;
    for cataloger in ALL {
        if let Some(found) = cataloger.find(&binary, declared)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Why it cannot be told what is in an executable.
#[derive(Debug, thiserror::Error)]
pub enum SbomError {
    /// Not an executable.
    #[error("the file is no executable that can be read")]
    Binary(#[from] BinaryError),
    /// Its Go build information is damaged.
    #[error("the Go build information of the executable cannot be read")]
    Go(#[from] GoBuildInfoError),
    /// Its cargo-auditable section is damaged.
    #[error("the cargo-auditable section of the executable cannot be read")]
    Auditable(#[from] AuditableError),
    /// The lock file is damaged.
    #[error("Cargo.lock cannot be read")]
    Lock(#[from] CargoLockError),
    /// A name that has no package URL.
    #[error("a component has no package URL")]
    Purl(#[from] InvalidPurl),
}

impl Hint for SbomError {
    fn code(&self) -> &'static str {
        "sbom"
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Binary(error) => error.kind(),
            Self::Go(_) | Self::Auditable(_) | Self::Purl(_) => Kind::Undecided,
            Self::Lock(_) => Kind::Usage,
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Binary(error) => error.facts(),
            Self::Go(_) | Self::Auditable(_) | Self::Lock(_) | Self::Purl(_) => Vec::new(),
        }
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::Binary(error) => error.hints(),
            Self::Go(error) => error.hints(),
            Self::Auditable(error) => error.hints(),
            Self::Lock(error) => error.hints(),
            Self::Purl(_) => Vec::new(),
        }
    }
}
