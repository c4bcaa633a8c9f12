//! `image`: container images in OCI layouts.

mod assemble;
mod check;
mod inspect;
mod tag;

use std::path::PathBuf;

use clap::Subcommand;

use super::context::Context;
use super::error::CliError;
use super::{Format, Reply};
use crate::adapter::oci::Layout;
use crate::diag::Hint as _;
use crate::image::ImageError;
use crate::model::{Digest, Target};
use crate::port::{Registry as _, RegistryError};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: ImageCommand,
}

#[derive(Debug, Subcommand)]
enum ImageCommand {
    /// Make a reproducible multi-platform image from static binaries
    Assemble(assemble::Args),
    /// Show digest, platforms, sizes and what is attached
    Inspect(inspect::Args),
    /// Read every byte of an image and tell what is wrong with it
    Check(check::Args),
    /// Point tags to an image
    Tag(tag::Args),
}

pub(super) fn run(context: &Context, args: Args) -> Result<Reply, CliError> {
    match args.command {
        ImageCommand::Assemble(args) => assemble::run(context, args),
        ImageCommand::Inspect(args) => inspect::run(context, &args),
        ImageCommand::Check(args) => check::run(context, &args),
        ImageCommand::Tag(args) => tag::run(context, &args),
    }
}

/// Where a layout is and what in it is meant.
struct Place {
    path: PathBuf,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// The layout a target names; files and directories are no images.
fn place(target: &Target) -> Result<Place, CliError> {
    match target {
        Target::Layout { path, tag, digest } => {
            Ok(Place { path: path.clone(), tag: tag.clone(), digest: *digest })
        }
        Target::File(_) | Target::Dir(_) => {
            Err(CliError::usage("image-target", format!("{target} is not an image"))
                .fact("expected", "oci:DIR[:TAG|@DIGEST]")
                .fact("found", target.to_string()))
        }
    }
}

/// Opens the layout of a target and finds the digest that is meant.
async fn open(context: &Context, target: &Target) -> Result<(Layout, Digest), CliError> {
    let Place { path, tag, digest } = place(target)?;
    let layout = Layout::open(context.path(&path))?;
    let digest = match (digest, tag) {
        (Some(digest), _) => digest,
        (None, Some(tag)) => layout.resolve(&tag).await?.ok_or_else(|| missing(&layout, &tag))?,
        (None, None) => only_image(&layout, target)?,
    };
    Ok((layout, digest))
}

fn missing(layout: &Layout, tag: &str) -> CliError {
    let what = format!("the tag {tag} of {}", layout.root().display());
    ImageError::NotFound { what }.into()
}

/// A layout with one image needs no tag.
fn only_image(layout: &Layout, target: &Target) -> Result<Digest, CliError> {
    let roots = layout.roots()?;
    match roots.as_slice() {
        [digest] => Ok(*digest),
        _ => {
            let error = RegistryError::Invalid {
                what: target.to_string(),
                reason: format!("it holds {} images where one is meant", roots.len()),
            };
            Err(CliError::usage(error.code(), error.to_string())
                .hinted(format!("name one of them, for example {target}:TAG")))
        }
    }
}

/// Foreign text in an answer for people: what would steer the terminal is written out.
fn plain(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

/// Formats every command here has.
const FORMATS: &[Format] = &[Format::Text, Format::Json];
