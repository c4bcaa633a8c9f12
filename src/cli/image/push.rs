//! `image push` and `image copy`: an image from one store to another.

use std::fmt::Write as _;

use super::{CliError, Context, FORMATS, Opened, Reply, look_at_destination, open, open_destination, plain};
use crate::adapter::oci::Rehearsal;
use crate::cli::project::nearby;
use crate::config::Mirror;
use crate::diag::{Diagnostic, Severity};
use crate::image::{
    Arrived, Attachments, GraphLimits, ImageError, Mode, Move, Place, Remark, TagPolicy, TagState, Transfer,
    Transferred, Wanted, transfer,
};
use crate::model::{Platform, Reference, Target, is_image_tag};
use crate::port::Progress as _;
use crate::render::json::v1;

/// Bring an image from one place to another
///
/// Blobs are sent side by side, then the manifests that name them, then what is attached; tags come last, so that nothing
/// is ever half there under a tag. What is there already is not sent again: a run that was ended goes on with the next
/// one. Images are copied byte for byte and keep their digest.
///
/// When the destination is the repository that release.yaml declares, its mirrors get the image too, with what is attached
/// to it: no tag moves anywhere before every required mirror has all of it.
///
/// Tags obey their rules: a full version such as v1.2.3 is set once; latest, v1 and v1.2 stay where they are when a newer
/// version has them or when the image is a prerelease.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  kyklos-release image push oci:registry:v1.2.3 oci-archive:image.tar:v1.2.3\n  \
                        kyklos-release image copy oci:staging:v1.2.3 oci:registry:v1.2.3 --tag v1.2 --tag latest --referrers"
)]
pub(super) struct Args {
    /// The image: oci:DIR[:TAG|@DIGEST], oci-archive:FILE[:TAG], docker-archive:FILE[:TAG] or HOST/REPO[:TAG|@DIGEST]
    source: Target,
    /// Where it goes: oci:DIR[:TAG], oci-archive:FILE[:TAG] or HOST/REPO[:TAG]
    destination: Target,
    /// Another tag it gets there
    #[arg(long = "tag", value_name = "TAG", value_parser = tag)]
    tags: Vec<String>,
    /// Every platform of the image, which is the default
    #[arg(long, conflicts_with = "platform")]
    all_platforms: bool,
    /// Only the image of this platform, which has a digest of its own
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<Platform>,
    /// What is attached to the image and its platforms as well: signatures, SBOMs, provenance
    #[arg(long)]
    referrers: bool,
    /// None of the tags may move
    #[arg(long, conflicts_with = "rolling")]
    immutable: bool,
    /// All of the tags may move, also full versions
    #[arg(long)]
    rolling: bool,
    /// Change nothing; print every request that would be sent, in order: those of a step do not wait for one another
    #[arg(long)]
    dry_run: bool,
}

/// What the command is called: the words differ, the work does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Push,
    Copy,
}

impl Verb {
    fn schema(self) -> &'static str {
        match self {
            Self::Push => "kyklos-release/image-push/v1",
            Self::Copy => "kyklos-release/image-copy/v1",
        }
    }

    fn done(self) -> &'static str {
        match self {
            Self::Push => "Pushed",
            Self::Copy => "Copied",
        }
    }
}

/// A tag of the command line.
pub(super) fn tag(text: &str) -> Result<String, &'static str> {
    if is_image_tag(text) {
        return Ok(text.to_owned());
    }
    Err(if text.contains('+') {
        "build metadata cannot stand in a tag: + is not allowed there"
    } else {
        "a tag is [A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
    })
}

/// The policy that flags ask for.
pub(super) fn policy(immutable: bool, rolling: bool) -> Option<TagPolicy> {
    match (immutable, rolling) {
        (true, _) => Some(TagPolicy::Immutable),
        (false, true) => Some(TagPolicy::Rolling),
        (false, false) => None,
    }
}

/// The tag of a destination and those of the command line, each once.
pub(super) fn destination_tags(destination: &Target, more: &[String]) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    for tag in destination.tag().into_iter().chain(more.iter().map(String::as_str)) {
        if !tags.iter().any(|known| known == tag) {
            tags.push(tag.to_owned());
        }
    }
    tags
}

pub(super) fn run(context: &Context, args: &Args, verb: Verb) -> Result<Reply, CliError> {
    context.allow(FORMATS)?;
    let tags = destination_tags(&args.destination, &args.tags);
    let declared = Declared::of(context, &args.destination)?;
    let rehearsal = args.dry_run.then(Rehearsal::default);
    let transferred = context.block_on(async {
        let Opened { mut registry, meant, .. } = open(context, &args.source)?;
        if let Some(rehearsal) = &rehearsal {
            registry = Box::new(rehearsal.source(registry, &args.source.to_string()));
        }
        let targets = std::iter::once((args.destination.clone(), Mode::Required)).chain(declared.mirrors());
        let mut stores = Vec::new();
        for (target, mode) in targets {
            let mut store = match &rehearsal {
                None => open_destination(context, &target, Some(&*registry))?,
                Some(_) => look_at_destination(context, &target, Some(&*registry))?,
            };
            if let Some(rehearsal) = &rehearsal {
                store.registry = Box::new(rehearsal.destination(store.registry, &target.to_string()));
            }
            stores.push((target.to_string(), store, mode));
        }
        let places = stores.iter().map(|(name, store, mode)| Place {
            name: name.clone(),
            registry: &*store.registry,
            mode: *mode,
        });
        let together = stores.len() > 1;
        let job = Transfer {
            source: &*registry,
            from: args.source.to_string(),
            meant,
            platform: args.platform.clone(),
            expected: args.destination.digest(),
            places: places.collect(),
            wanted: Wanted {
                tags: &tags,
                policy: policy(args.immutable, args.rolling),
                known_as: args.source.tag(),
                rolling: &declared.rolling,
            },
            attachments: if args.referrers || together { Attachments::Taken } else { Attachments::Left },
            // What is planned does not depend on how much of it may run at once.
            jobs: if rehearsal.is_some() { usize::MAX } else { context.jobs() },
            limits: GraphLimits::default(),
            progress: &context.printer,
        };
        let transferred = transfer(&job).await?;
        if rehearsal.is_none() {
            for (_, store, _) in &stores {
                store.finish().await?;
            }
        }
        Ok(transferred)
    })?;
    match rehearsal {
        None => finished(context, &args.destination, verb.done(), verb.schema(), &transferred),
        Some(rehearsal) => planned(args, verb, &transferred, &rehearsal.steps()),
    }
}

/// The answer of a dry run: every request in the order in which it would be sent, an empty line between two steps.
fn planned(
    args: &Args,
    verb: Verb,
    transferred: &Transferred,
    steps: &[Vec<String>],
) -> Result<Reply, CliError> {
    let plan: Vec<String> = steps.iter().flatten().cloned().collect();
    let sent = plan.iter().filter(|request| request.contains(" /v2/")).count() as u64;
    let step =
        |step: &Vec<String>| step.iter().map(|request| format!("{}\n", plain(request))).collect::<String>();
    let text = steps.iter().map(step).collect::<Vec<String>>().join("\n");
    let numbers = steps.iter().enumerate().flat_map(|(at, step)| vec![at + 1; step.len()]).collect();
    let mut wire = v1::transfer::Transferred::new(args.destination.to_string(), transferred, sent);
    wire.plan = Some(plan);
    wire.plan_steps = Some(numbers);
    let mut reply = Reply::done(verb.schema(), &wire, text)?;
    reply.diagnostics = diagnostics(transferred);
    Ok(reply)
}

/// The answer for an image that has arrived.
pub(super) fn finished(
    context: &Context,
    destination: &Target,
    done: &str,
    schema: &'static str,
    transferred: &Transferred,
) -> Result<Reply, CliError> {
    context.printer.finished(done, &format!("{} to {destination}", transferred.digest));
    let wire = v1::transfer::Transferred::new(destination.to_string(), transferred, context.requests());
    let mut reply = Reply::done(schema, &wire, text(transferred))?;
    reply.diagnostics = diagnostics(transferred);
    for diagnostic in &reply.diagnostics {
        context.printer.warn(&plain(&diagnostic.message));
    }
    Ok(reply)
}

/// What a person should know although the image has arrived.
fn diagnostics(transferred: &Transferred) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = transferred.remarks.iter().map(remark).collect();
    for place in &transferred.places {
        for kept in place.moves.iter().filter(|one| one.state == TagState::Kept) {
            let message = format!("{}: {}", place.name, kept_because(kept));
            found.push(Diagnostic::new(Severity::Warning, "image-tag-kept", message));
        }
        if let Some(failure) = &place.failure {
            let message = format!("the mirror {} does not have the image: {}", place.name, told(failure));
            found.push(Diagnostic::new(Severity::Warning, "image-mirror-degraded", message));
        }
    }
    found
}

/// An error with its causes, in one line.
fn told(error: &ImageError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text.push_str(&format!(": {next}"));
        cause = next.source();
    }
    text
}

/// What `release.yaml` says about the repository an image goes to.
#[derive(Default)]
pub(super) struct Declared {
    mirrors: Vec<Mirror>,
    /// The rolling names.
    pub(super) rolling: Vec<String>,
}

impl Declared {
    /// Nothing, unless the destination is the repository that is declared there.
    pub(super) fn of(context: &Context, destination: &Target) -> Result<Self, CliError> {
        let Target::Registry(reference) = destination else { return Ok(Self::default()) };
        match nearby(context)? {
            Some(config) if config.image.repository == reference.repository => {
                Ok(Self { mirrors: config.image.mirrors, rolling: config.image.rolling.unwrap_or_default() })
            }
            _ => Ok(Self::default()),
        }
    }

    fn mirrors(&self) -> impl Iterator<Item = (Target, Mode)> {
        self.mirrors.iter().map(|mirror| {
            let repository = mirror.repository.clone();
            let mode = if mirror.required { Mode::Required } else { Mode::BestEffort };
            (Target::Registry(Reference { repository, tag: None, digest: None }), mode)
        })
    }
}

fn kept_because(kept: &Move) -> String {
    match &kept.newer {
        Some(newer) => format!("the tag {} stays where it is: {newer} is newer", kept.tag),
        None => format!("the tag {} stays where it is: this is a prerelease", kept.tag),
    }
}

fn remark(remark: &Remark) -> Diagnostic {
    let (code, message) = match remark {
        Remark::Foreign { digest, media_type } => {
            ("image-foreign-layer", format!("the layer {digest} ({media_type}) is not passed on"))
        }
        Remark::DuplicatePlatform { index, platform } => {
            ("image-duplicate-platform", format!("{index} names {platform} more than once"))
        }
        Remark::NotAttached { digest, subject } => {
            ("image-not-attached", format!("{digest} is listed for {subject}, which is not its subject"))
        }
    };
    Diagnostic::new(Severity::Warning, code, message)
}

// Writing to a String cannot fail.
fn text(transferred: &Transferred) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}", transferred.digest);
    for place in &transferred.places {
        let Arrived { name, moves, uploaded, mounted, skipped, manifests, attached, failure, .. } = place;
        let _ = writeln!(out, "{}", plain(name));
        if let Some(failure) = failure {
            let _ = writeln!(out, "  failed     {}", plain(&told(failure)));
            continue;
        }
        for change in moves {
            let state = match change.state {
                TagState::Created => "created",
                TagState::Moved => "moved",
                TagState::Set => "set",
                TagState::Unchanged => "unchanged",
                TagState::Kept => "kept",
            };
            let _ = writeln!(out, "  {state:10} {}", change.tag);
        }
        for (label, digests) in [
            ("uploaded", uploaded),
            ("mounted", mounted),
            ("skipped", skipped),
            ("manifests", manifests),
            ("attached", attached),
        ] {
            if !digests.is_empty() {
                let _ = writeln!(out, "  {label:10} {}", digests.len());
            }
        }
    }
    out
}
