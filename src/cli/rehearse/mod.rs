//! `rehearse`: the whole release of the repository one stands in, offline.
//!
//! ```text
//! DIR/rehearsal.json   what is rehearsed
//! DIR/.gitignore       keeps the keys out of the repository around it
//! DIR/dist/            the files of the release
//! DIR/registry/        the image, an OCI layout
//! DIR/forge/           the directory forge
//! DIR/trust/           a throw-away trust root and its keys
//! ```

mod inputs;
mod make;
mod place;

use std::path::PathBuf;

use super::approve::ApproveArgs;
use super::context::Context;
use super::error::CliError;
use super::measure;
use super::project::Project;
use super::verify::Believed;
use super::{Exit, Format, Reply};
use crate::adapter::dir_forge::DirForge;
use crate::adapter::fs::{self, Directory};
use crate::adapter::sigstore::LocalTrust;
use crate::diag::{Kind, counted};
use crate::evidence::{Evidence, Subject};
use crate::gate::{self, Outcome, Policy, Verdict};
use crate::model::{Platform, ReleaseManifest, Tag};
use crate::plan::{Plan, plan};
use crate::port::{Files as _, Progress as _, Registry};
use crate::publish::{Done, Job, World, publish};
use crate::render::{json::v1, text};
use crate::verify::Verdict as Verified;
use inputs::Inputs;
use make::Made;
use place::Place;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kyklos-release rehearse
  kyklos-release rehearse --binary linux/amd64=bin/app-amd64 --binary linux/arm64=bin/app-arm64
  kyklos-release rehearse --tag v1.2.3 -o /tmp/rehearsal

-o names the directory of the rehearsal [default: rehearsal].")]
pub(super) struct Args {
    /// The tag to rehearse [default: the tag at HEAD, else the tag of the next version]
    #[arg(long, value_name = "TAG")]
    tag: Option<Tag>,
    /// An executable of the release; again for every platform
    #[arg(long = "binary", value_name = "OS/ARCH=PATH", value_parser = inputs::binary)]
    binaries: Vec<(Platform, PathBuf)>,
    /// Rehearse although tracked files differ from the commit
    #[arg(long)]
    allow_dirty: bool,
    #[command(flatten)]
    approve: ApproveArgs,
}

/// The profile of a repository's policy that rehearsals are judged by.
const PROFILE: &str = "rehearse";
/// The policy where the repository brings none for rehearsals.
const POLICY: &[u8] = include_bytes!("../../../policies/rehearse.yaml");

pub(super) fn run(context: &Context, args: &Args) -> Result<Reply, CliError> {
    context.allow(&[Format::Text, Format::Json])?;
    if context.stdout_named() {
        return Err(CliError::usage(
            "rehearse-output",
            "a rehearsal is a directory, which has no place on stdout",
        )
        .hinted("name a directory with -o DIR"));
    }
    let directory = context.path(context.take_output().unwrap_or("rehearsal".as_ref()));
    let project = match &args.tag {
        Some(tag) => Project::at(context, tag)?,
        None => Project::open(context)?,
    };
    let inputs = Inputs::find(context, &project, args.tag.as_ref(), &args.binaries, args.allow_dirty)?;
    let policy = policy(&project, &inputs)?;
    let place = Place::take(context, directory, &inputs)?;
    let rehearsed = context.block_on(async {
        let made = make::make(context, &project, &inputs, &place).await?;
        let verdict = judge(context, &args.approve, &policy, &inputs, &place, &made).await?;
        if verdict.outcome != Outcome::Pass {
            let wire = v1::gate::Verdict::from(&verdict);
            let exit = if verdict.outcome == Outcome::Fail { Exit::No } else { Exit::Undecided };
            let mut reply = Reply::done("kyklos-release/gate-run/v1", &wire, text::verdict(&verdict))?;
            reply.exit = exit;
            return Ok(reply);
        }
        let plan = plan(&inputs.facts, &Directory::new(place.dist()))?;
        fs::write_atomic(&place.dist().join(ReleaseManifest::ASSET), &plan.bytes)?;
        context.printer.finished(
            "Planned",
            &format!(
                "{}, rid {}",
                counted(plan.manifest.assets.len() + 1, "file", "files"),
                plan.rid.0.short()
            ),
        );
        let done = send(context, &place, &made, &plan).await?;
        consume(context, &place, &made, &plan, &done).await
    });
    rehearsed.map_err(|error| match error.exit() {
        // What lies there is not what a rehearsal left.
        Exit::No | Exit::Usage | Exit::Conflict => error.hinted(format!(
            "everything in it is made again: `rm -r {}` and run the same command",
            text::shell(&place.root().display().to_string())
        )),
        Exit::Done | Exit::Undecided | Exit::Denied | Exit::Interrupted | Exit::Internal => error,
    })
}

/// The policy of the commit when it has a profile for rehearsals, else the built-in one.
fn policy(project: &Project, inputs: &Inputs) -> Result<Policy, CliError> {
    let own = project.policy(inputs.facts.commit)?;
    match own.filter(|policy| policy.profiles().any(|name| name == PROFILE)) {
        Some(policy) => Ok(policy),
        None => Ok(Policy::load(POLICY, "the built-in policy for rehearsals")?),
    }
}

async fn judge(
    context: &Context,
    approve: &ApproveArgs,
    policy: &Policy,
    inputs: &Inputs,
    place: &Place,
    made: &Made,
) -> Result<Verdict, CliError> {
    let facts = &inputs.facts;
    let mut subject = Subject {
        index: made.image.as_ref().map(|image| image.digest),
        has_image: made.image.is_some(),
        ..Subject::of_tag(facts.tag.clone(), facts.version.clone(), facts.commit)
    };
    let dist = Directory::new(place.dist());
    measure::widen(&mut subject, &dist)?;
    let mut items = measure::files(&dist, made.declared.as_deref(), &subject, context.now)?;
    items.push(measure::signatures(&dist, &subject, &made.trust, &made.signer, context.now)?);
    if let Some(layout) = &made.layout {
        items.extend(measure::image(layout, &subject, context.now).await?);
    }
    items.extend(measure::approvals(approve, &subject, context.now));
    let evidence = Evidence { subject, items };
    let verdict = gate::run(policy, PROFILE, &[], &evidence, context.now)?;
    approve.heard(context, &verdict);
    for gate in &verdict.gates {
        context.printer.finished("Judged", &text::gate(gate));
    }
    Ok(verdict)
}

async fn send(context: &Context, place: &Place, made: &Made, plan: &Plan) -> Result<Done, CliError> {
    let forge = DirForge::new(place.forge());
    let dist = Directory::new(place.dist());
    let notes = match &plan.manifest.notes {
        Some(name) => dist.read(name.as_str().as_ref(), crate::format::release_manifest::MAX_BODY_BYTES)?,
        None => Vec::new(),
    };
    let notes = String::from_utf8_lossy(&notes).into_owned();
    let registries = plan
        .manifest
        .images
        .iter()
        .filter_map(|image| Some((image.repository.clone(), made.layout.as_ref()? as &dyn Registry)))
        .collect();
    let world = World { forge: &forge, registries, progress: &context.printer };
    let nonce = context.nonce();
    let job = Job {
        manifest: &plan.manifest,
        rid: plan.rid,
        manifest_bytes: &plan.bytes,
        notes: &notes,
        dist: Some(&dist),
        nonce: &nonce,
        run: None,
        break_lock: None,
    };
    let done = publish(&world, &job).await?;
    if done.changes == 0 {
        context.printer.finished("Published", &format!("{} before; nothing changed", plan.manifest.tag));
    }
    Ok(done)
}

/// Looks at the result as somebody who has nothing but the trust root and the published files.
async fn consume(
    context: &Context,
    place: &Place,
    made: &Made,
    plan: &Plan,
    done: &Done,
) -> Result<Reply, CliError> {
    let tag = &plan.manifest.tag;
    let trust = LocalTrust::from_root(&made.trust_root)?;
    let believed = Believed { trust, signer: made.signer.clone() };
    let report = super::verify::rehearsal(place.root(), Some(tag), &believed).await?;
    if report.verdict() != Verified::Verified {
        // What an earlier run published may have been changed by anybody since.
        return Err(CliError::new(
            if done.changes == 0 { Kind::Conflict } else { Kind::Internal },
            "rehearse-verify",
            "the rehearsed release does not verify",
        )
        .fact("found", text::findings(&report)));
    }
    let image = if plan.manifest.images.is_empty() { "" } else { ", image, SBOM" };
    let files = counted(plan.manifest.assets.len() + 1, "file", "files");
    context.printer.finished("Verified", &format!("{files}, signatures{image}"));
    let command = place.verify_command(&made.signer);
    let summary = v1::rehearse::Rehearsal {
        rid: plan.rid.to_string(),
        tag: tag.to_string(),
        directory: place.root().display().to_string(),
        assets: plan.manifest.assets.len() + 1,
        image: plan.manifest.images.first().map(|image| image.digest.to_string()),
        verify: command.clone(),
    };
    let files = DirForge::new(place.forge()).release_directory(tag).join("assets");
    let mut out = format!(
        "\n{} {tag} was made, published and verified in {}\n",
        plan.manifest.name,
        place.root().display()
    );
    out.push_str(&format!("  files     {}\n", files.display()));
    if let Some(image) = plan.manifest.images.first() {
        let platforms: Vec<String> = image.platforms.iter().map(|entry| entry.platform.to_string()).collect();
        out.push_str(&format!(
            "  image     oci:{}:{} ({})\n",
            place.registry().display(),
            image.tags[0],
            platforms.join(", ")
        ));
    }
    out.push_str(&format!(
        "  notes     {}\n",
        files.join(format!("RELEASE-NOTES-{}.md", tag.file_part())).display()
    ));
    out.push_str("\nA consumer checks it with\n");
    out.push_str(&format!("{command}\n"));
    Reply::done("kyklos-release/rehearse/v1", &summary, out)
}
