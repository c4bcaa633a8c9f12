//! `plan`: writes `release-manifest.json` into dist and prints the identity of the release.

use std::path::{Path, PathBuf};

use super::context::Context;
use super::error::CliError;
use super::project::Project;
use super::{Format, Reply};
use crate::adapter::fs::{self, Directory};
use crate::model::{ReleaseManifest, Tag};
use crate::plan::plan;
use crate::render::json::v1;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  kyklos-release plan v1.2.3 --dist dist")]
pub(super) struct Args {
    /// The git tag of the release
    tag: Tag,
    /// The directory that holds the files of the release
    #[arg(long, value_name = "DIR", default_value = "dist")]
    dist: PathBuf,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Reply, CliError> {
    context.allow(&[Format::Text, Format::Json])?;
    let project = Project::at(context, &args.tag)?;
    let facts = project.facts(&args.tag)?;
    let directory = context.path(&args.dist);
    let plan = plan(&facts, &Directory::new(&directory))?;
    fs::write_atomic(&directory.join(Path::new(ReleaseManifest::ASSET)), &plan.bytes)?;
    let text = format!("{}\n", plan.rid);
    Reply::done("kyklos-release/plan/v1", &v1::publish::Plan::from(&plan), text)
}
