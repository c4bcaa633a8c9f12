//! `image`: container images in OCI layouts.

mod assemble;
mod check;
mod index;
mod inspect;
mod probe;
mod push;
mod tag;

use clap::Subcommand;

use super::context::Context;
use super::error::CliError;
use super::{Format, Reply};
use crate::adapter::fs::exists;
use crate::adapter::oci::{Access, Archive, Layout, Memory, import};
use crate::diag::Hint as _;
use crate::format::oci::MANIFEST_LIMIT;
use crate::image::{ImageError, Meant};
use crate::model::{Digest, Inside, Reference, Target, is_steering};
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
    /// Bring an image to a registry, a layout or an archive
    Push(push::Args),
    /// Copy an image from one place to another
    Copy(push::Args),
    /// Make indexes
    Index(index::Args),
    /// Find out what a registry can do
    Probe(probe::Args),
    /// Point tags to an image
    Tag(tag::Args),
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Reply, CliError> {
    match &args.command {
        ImageCommand::Assemble(args) => assemble::run(context, args),
        ImageCommand::Inspect(args) => inspect::run(context, args),
        ImageCommand::Check(args) => check::run(context, args),
        ImageCommand::Push(args) => push::run(context, args, push::Verb::Push),
        ImageCommand::Copy(args) => push::run(context, args, push::Verb::Copy),
        ImageCommand::Index(args) => index::run(context, args),
        ImageCommand::Probe(args) => probe::run(context, args),
        ImageCommand::Tag(args) => tag::run(context, args),
    }
}

/// An image of a target: the store it is in, and what in it is meant.
pub(in crate::cli) struct Opened {
    pub(in crate::cli) registry: Box<dyn Registry>,
    meant: Meant,
    target: Target,
    /// What has to be written when everything is in it.
    archive: Option<Archive>,
}

impl Opened {
    /// The index or manifest that is meant. One request.
    pub(in crate::cli) async fn manifest(&self) -> Result<Manifest, CliError> {
        match &self.meant {
            Meant::Digest(digest) => {
                let found = self.registry.manifest(digest, MANIFEST_LIMIT).await?;
                Ok(found.ok_or_else(|| ImageError::NotFound { what: digest.to_string() })?)
            }
            Meant::Tag(tag) => {
                let found = self.registry.tagged(tag, MANIFEST_LIMIT).await?;
                Ok(found.ok_or_else(|| self.missing(tag))?)
            }
        }
    }

    fn missing(&self, tag: &str) -> ImageError {
        ImageError::NotFound { what: format!("the tag {tag} of {}", self.target) }
    }

    /// Writes what is written as a whole.
    async fn finish(&self) -> Result<(), CliError> {
        match &self.archive {
            Some(archive) => Ok(archive.write().await?),
            None => Ok(()),
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

/// Files and directories hold no images.
fn no_image(target: &Target) -> CliError {
    CliError::usage("image-target", format!("{target} is not an image"))
        .fact(
            "expected",
            "oci:DIR[:TAG|@DIGEST], oci-archive:FILE[:TAG], docker-archive:FILE[:TAG] or HOST/REPO[:TAG]",
        )
        .fact("found", target.to_string())
}

/// Opens what a target names and finds out what in it is meant.
pub(in crate::cli) fn open(context: &Context, target: &Target) -> Result<Opened, CliError> {
    open_for(context, target, Access::Read)
}

/// The same with a login that may do more.
fn open_for(context: &Context, target: &Target, access: Access) -> Result<Opened, CliError> {
    let (inside, registry, roots, archive): (_, Box<dyn Registry>, _, _) = match target {
        Target::Layout(inside) => {
            let layout = Layout::open(context.path(&inside.path))?;
            let roots = meant(inside).is_none().then(|| layout.roots()).transpose()?;
            (inside, Box::new(layout), roots, None)
        }
        Target::LayoutTar(inside) => {
            let archive = Archive::open(context.path(&inside.path))?;
            let registry = archive.registry().clone();
            let roots = meant(inside).is_none().then(|| registry.roots()).transpose()?;
            (inside, Box::new(registry), roots, Some(archive))
        }
        Target::DockerArchive(inside) => {
            let registry = import(&context.path(&inside.path))?;
            let roots = meant(inside).is_none().then(|| registry.roots()).transpose()?;
            (inside, Box::new(registry), roots, None)
        }
        Target::Registry(reference) => return open_registry(context, target, reference, access),
        Target::File(_) | Target::Dir(_) => return Err(no_image(target)),
    };
    let meant = match meant(inside) {
        Some(meant) => meant,
        None => Meant::Digest(only_image(&roots.unwrap_or_default(), target)?),
    };
    Ok(Opened { registry, meant, target: target.clone(), archive })
}

/// Opens a repository on the network. Nothing is sent; a reference that says nothing else means `latest`.
fn open_registry(
    context: &Context,
    target: &Target,
    reference: &Reference,
    access: Access,
) -> Result<Opened, CliError> {
    let registry = context.wire()?.repository(reference.repository.clone(), access);
    let meant = match (&reference.digest, &reference.tag) {
        (Some(digest), _) => Meant::Digest(*digest),
        (None, tag) => Meant::Tag(tag.clone().unwrap_or_else(|| "latest".to_owned())),
    };
    Ok(Opened { registry: Box::new(registry), meant, target: target.clone(), archive: None })
}

/// Opens what a target names to put an image there, making it where there is nothing. `source` is where the image comes
/// from: a host may link its blobs.
fn open_destination(
    context: &Context,
    target: &Target,
    source: Option<&dyn Registry>,
) -> Result<Destination, CliError> {
    let (registry, archive): (Box<dyn Registry>, _) = match target {
        Target::Layout(inside) => (Box::new(Layout::create(context.path(&inside.path))?), None),
        Target::LayoutTar(inside) => {
            let archive = Archive::extend(context.path(&inside.path))?;
            (Box::new(archive.registry().clone()), Some(archive))
        }
        Target::DockerArchive(_) => {
            return Err(CliError::usage("image-target", "nothing is written as a Docker archive")
                .hinted("write an oci-archive: `docker load` and `skopeo` read it"));
        }
        Target::Registry(reference) => {
            let registry = context.wire()?.repository(reference.repository.clone(), Access::Write);
            let from = source.and_then(|source| source.repository());
            let registry = match from {
                Some(from) => registry.mounting_from(from),
                None => registry,
            };
            (Box::new(registry), None)
        }
        Target::File(_) | Target::Dir(_) => return Err(no_image(target)),
    };
    Ok(Destination { registry, archive })
}

/// Opens what a target names to see what putting an image there would come to. Nothing is made.
fn look_at_destination(
    context: &Context,
    target: &Target,
    source: Option<&dyn Registry>,
) -> Result<Destination, CliError> {
    let there = |inside: &Inside| exists(&context.path(&inside.path));
    let registry: Box<dyn Registry> = match target {
        Target::Layout(inside) if there(inside) => Box::new(Layout::open(context.path(&inside.path))?),
        Target::LayoutTar(inside) if there(inside) => {
            Box::new(Archive::open(context.path(&inside.path))?.registry().clone())
        }
        Target::Layout(_) | Target::LayoutTar(_) => Box::new(Memory::new()),
        Target::File(_) | Target::Dir(_) | Target::DockerArchive(_) | Target::Registry(_) => {
            return open_destination(context, target, source);
        }
    };
    Ok(Destination { registry, archive: None })
}

/// A store that gets an image.
struct Destination {
    registry: Box<dyn Registry>,
    /// What has to be written when everything is in it.
    archive: Option<Archive>,
}

impl Destination {
    /// Writes what is written as a whole.
    async fn finish(&self) -> Result<(), CliError> {
        match &self.archive {
            Some(archive) => Ok(archive.write().await?),
            None => Ok(()),
        }
    }
}

/// What in a store is meant, when the target says it.
fn meant(inside: &Inside) -> Option<Meant> {
    match (&inside.digest, &inside.tag) {
        (Some(digest), _) => Some(Meant::Digest(*digest)),
        (None, Some(tag)) => Some(Meant::Tag(tag.clone())),
        (None, None) => None,
    }
}

/// A store with one image needs no tag.
fn only_image(roots: &[Digest], target: &Target) -> Result<Digest, CliError> {
    match roots {
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
    text.chars().flat_map(|c| if is_steering(c) { c.escape_default().collect() } else { vec![c] }).collect()
}

/// Formats every command here has.
const FORMATS: &[Format] = &[Format::Text, Format::Json];
