//! `archive`: the source of a tag as a reproducible archive.

use super::context::Context;
use super::error::CliError;
use super::project::Project;
use super::{Format, Reply};
use crate::adapter::fs;
use crate::adapter::git::{FileKind, Repository};
use crate::format::source_archive::{Entry, SourceArchive};
use crate::model::{CommitId, Digest, Tag};
use crate::render::json::v1;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kyklos-release archive v1.2.3
  kyklos-release archive v1.2.3 --prefix app -o app-source.tar.gz

Without -o the archive is NAME-TAG.tar.gz in the current directory. It holds the files as the commit
has them: export-ignore, export-subst and line endings of .gitattributes change nothing, so that it
can be compared with the commit, and is the same wherever it is made.")]
pub(super) struct Args {
    /// The git tag
    tag: Tag,
    /// The directory everything stands in [default: NAME-TAG]
    #[arg(long, value_name = "NAME")]
    prefix: Option<String>,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Reply, CliError> {
    context.allow(&[Format::Text, Format::Json])?;
    let project = Project::at(context, &args.tag)?;
    let facts = project.facts(&args.tag)?;
    let stem = format!("{}-{}", facts.name, facts.tag.file_part());
    let bytes =
        archive(&project.repository, facts.commit, facts.created, args.prefix.as_deref().unwrap_or(&stem))?;
    if context.stdout_named() {
        // The archive is the answer; there is no room for another one beside it.
        context.allow(&[Format::Text])?;
        return Ok(Reply::plain("kyklos-release/archive/v1", bytes));
    }
    let file =
        context.take_output().map_or_else(|| format!("{stem}.tar.gz").into(), std::path::Path::to_path_buf);
    fs::write_atomic(&context.path(&file), &bytes)?;
    let wire = v1::files::Archive {
        file: file.display().to_string(),
        size: bytes.len() as u64,
        digest: Digest::of(&bytes).to_string(),
        commit: facts.commit.to_string(),
    };
    let text = format!("{}  {}\n", Digest::of(&bytes).hex(), file.display());
    Reply::done("kyklos-release/archive/v1", &wire, text)
}

/// The files of a commit below a prefix, every time set to `time`.
pub(super) fn archive(
    repository: &Repository,
    commit: CommitId,
    time: jiff::Timestamp,
    prefix: &str,
) -> Result<Vec<u8>, CliError> {
    let prefix = if prefix.is_empty() { String::new() } else { format!("{}/", prefix.trim_end_matches('/')) };
    let mut archive = SourceArchive::new(Vec::new(), &prefix, time)?;
    for file in repository.files(commit)? {
        let bytes = match file.kind {
            FileKind::Submodule => Vec::new(),
            FileKind::Regular | FileKind::Executable | FileKind::Link => repository.read_blob(&file)?,
        };
        let entry = match file.kind {
            FileKind::Regular => Entry::File { bytes: &bytes, executable: false },
            FileKind::Executable => Entry::File { bytes: &bytes, executable: true },
            FileKind::Link => Entry::Link { target: &bytes },
            FileKind::Submodule => Entry::Directory,
        };
        archive.add(&file.path, entry)?;
    }
    Ok(archive.finish()?)
}
