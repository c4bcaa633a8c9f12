//! What notes are written as, and with what.

use std::path::PathBuf;

use crate::diag::Diagnostic;
use crate::model::Origin;
use crate::notes::{Document, Extent, Preset, Writer};

/// How notes look and where they go.
#[derive(Debug, clap::Args)]
pub(super) struct Output {
    /// Sections, headings and their order [default: that of release.yaml, else kyklos]
    #[arg(long, value_enum)]
    pub(super) preset: Option<Preset>,
    /// A handlebars template in place of the one of the preset
    #[arg(long, value_name = "FILE", conflicts_with_all = ["release_notes", "prepend"])]
    pub(super) template: Option<PathBuf>,
    /// A file in place of a built-in partial; again for more
    #[arg(long = "partial", value_name = "NAME=FILE", value_parser = partial)]
    pub(super) partials: Vec<(String, PathBuf)>,
    /// Put the releases into a changelog, each where its version belongs; what is written by hand stays
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["max_chars", "release_notes"])]
    pub(super) prepend: Option<PathBuf>,
    /// Leave out what stands around the releases: the title (header), the addresses below them (footer), or both
    #[arg(short, long, value_name = "PART", conflicts_with_all = ["prepend", "release_notes"])]
    pub(super) strip: Option<Strip>,
    /// The text of one release for its users, with what is written by hand in .kyklos/notes
    #[arg(long)]
    pub(super) release_notes: bool,
    /// The files of the release: digests, links and the image of its notes come from there
    #[arg(long, value_name = "DIR", requires = "release_notes")]
    pub(super) dist: Option<PathBuf>,
    /// The most bytes of one release; contributors, then lines of the least weight go first [default for
    /// --release-notes and for one release with --preset github: what a release page holds]
    #[arg(long, value_name = "N")]
    pub(super) max_chars: Option<usize>,
    /// When the notes cannot be made, write a template for a person to fill in, say so, and exit 0
    #[arg(long)]
    pub(super) manual_on_failure: bool,
}

/// What does not stand around releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Strip {
    /// The title
    Header,
    /// The addresses
    Footer,
    /// Both
    All,
}

/// `NAME=FILE`.
fn partial(text: &str) -> Result<(String, PathBuf), String> {
    let (name, path) = text.split_once('=').ok_or("expected NAME=FILE")?;
    if name.is_empty() || path.is_empty() {
        return Err("expected NAME=FILE".to_owned());
    }
    Ok((name.to_owned(), path.into()))
}

/// What notes are told with.
pub(super) struct Telling {
    pub(super) writer: Writer,
    pub(super) preset: Preset,
    pub(super) origin: Option<Origin>,
    pub(super) document: Document,
    pub(super) extent: Extent,
    /// Whether one release is asked for.
    pub(super) single: bool,
    /// Whether nothing can go wrong any more when releases are made: then they are told while they are.
    pub(super) certain: bool,
    /// What was found while the history was read, and told already.
    pub(super) diagnostics: Vec<Diagnostic>,
}
