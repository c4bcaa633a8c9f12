//! `image`: container images in OCI layouts.

mod assemble;
mod check;
mod inspect;
mod tag;

use clap::Subcommand;

use super::context::Context;
use super::error::CliError;
use super::{Format, Reply};
use crate::adapter::oci::Layout;
use crate::diag::Hint as _;
use crate::format::oci::MANIFEST_LIMIT;
use crate::image::ImageError;
use crate::model::{Digest, Inside, Target};
use crate::port::{Manifest, Registry, RegistryError};

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
    Inspect(Box<inspect::Args>),
    /// Read every byte of an image and tell what is wrong with it
    Check(Box<check::Args>),
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

/// An image of a target: the store it is in, and what in it is meant.
struct Opened {
    registry: Box<dyn Registry>,
    meant: Meant,
    target: Target,
}

/// What in a store is meant.
enum Meant {
    Tag(String),
    Digest(Digest),
}

impl Opened {
    /// The index or manifest that is meant. One request.
    async fn manifest(&self) -> Result<Manifest, CliError> {
        let found = match &self.meant {
            Meant::Digest(digest) => self.registry.manifest(digest, MANIFEST_LIMIT).await?,
            Meant::Tag(tag) => self.registry.tagged(tag, MANIFEST_LIMIT).await?,
        };
        let what = match &self.meant {
            Meant::Digest(digest) => digest.to_string(),
            Meant::Tag(tag) => format!("the tag {tag} of {}", self.target),
        };
        found.ok_or_else(|| ImageError::NotFound { what }.into())
    }

    /// The digest that is meant.
    async fn digest(&self) -> Result<Digest, CliError> {
        match &self.meant {
            Meant::Digest(digest) => Ok(*digest),
            Meant::Tag(tag) => self.registry.resolve(tag).await?.ok_or_else(|| {
                let what = format!("the tag {tag} of {}", self.target);
                ImageError::NotFound { what }.into()
            }),
        }
    }
}

/// The layout a target names.
fn place(target: &Target) -> Result<&Inside, CliError> {
    match target {
        Target::Layout(inside) => Ok(inside),
        Target::File(_)
        | Target::Dir(_)
        | Target::LayoutTar(_)
        | Target::DockerArchive(_)
        | Target::Registry(_) => {
            Err(CliError::usage("image-target", format!("{target} is not an image layout"))
                .fact("expected", "oci:DIR[:TAG|@DIGEST]")
                .fact("found", target.to_string()))
        }
    }
}

/// Opens what a target names and finds out what in it is meant.
fn open(context: &Context, target: &Target) -> Result<Opened, CliError> {
    let Inside { path, tag, digest } = place(target)?;
    let layout = Layout::open(context.path(path))?;
    let meant = match (digest, tag) {
        (Some(digest), _) => Meant::Digest(*digest),
        (None, Some(tag)) => Meant::Tag(tag.clone()),
        (None, None) => Meant::Digest(only_image(&layout, target)?),
    };
    Ok(Opened { registry: Box::new(layout), meant, target: target.clone() })
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
