//! `publish`: from planned files to a published release. Running it again goes on where the last run stopped.

use std::path::PathBuf;

use super::approve::ApproveArgs;
use super::context::Context;
use super::error::CliError;
use super::opened::{Opened, ReleaseArgs};
use super::project::Project;
use super::verify::OptionalSignerArgs;
use super::{Exit, Format, Reply, evidence, measure};
use crate::adapter::fs::Directory;
use crate::diag::Kind;
use crate::evidence::{Evidence, Subject};
use crate::gate::{self, Outcome, Verdict};
use crate::port::Progress as _;
use crate::publish::{foresee, observe, publish};
use crate::render::{json::v1, text};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kyklos-release publish v1.2.3 --dist dist --forge dir:forge --dry-run
  kyklos-release publish v1.2.3 --dist dist --forge dir:forge")]
pub(super) struct Args {
    #[command(flatten)]
    release: ReleaseArgs,
    /// Print what would be done and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Where the evidence for the gates is
    #[arg(long, value_name = "DIR")]
    evidence: Option<PathBuf>,
    /// Which gates of the policy are run
    #[arg(long, value_name = "NAME", default_value = "pre-release")]
    profile: String,
    #[command(flatten)]
    signer: OptionalSignerArgs,
    #[command(flatten)]
    approve: ApproveArgs,
    /// End a holding of the lock that is known to be dead
    #[arg(long, value_name = "NONCE")]
    break_lock: Option<String>,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Reply, CliError> {
    context.allow(&[Format::Text, Format::Json])?;
    context.block_on(async {
        let opened = Opened::open(context, &args.release).await?;
        opened.agrees(context)?;
        let world = opened.world(context);
        let job = opened.job(args.break_lock.as_deref());
        let actions = foresee(&job, &observe(&world, &job).await?)?;
        if !actions.is_empty()
            && let Some(verdict) = judged(context, args, &opened).await?
            && verdict.outcome != Outcome::Pass
        {
            let mut reply = Reply::done(
                "kyklos-release/gate-run/v1",
                &v1::gate::Verdict::from(&verdict),
                format!("{}nothing was sent\n", text::verdict(&verdict)),
            )?;
            reply.exit = if verdict.outcome == Outcome::Fail { Exit::No } else { Exit::Undecided };
            return Ok(reply);
        }
        if args.dry_run {
            let wire = v1::publish::Publish::foreseen(&job, &actions);
            let text: String = wire.actions.iter().map(|action| format!("{action}\n")).collect();
            return Reply::done("kyklos-release/publish/v1", &wire, text);
        }
        let done = publish(&world, &job).await?;
        let wire = v1::publish::Publish::done(&job, &done);
        let text = if done.changes == 0 {
            format!("{} was published before; nothing changed\n", opened.manifest.tag)
        } else {
            format!("{} is published\n", opened.manifest.tag)
        };
        Reply::done("kyklos-release/publish/v1", &wire, text)
    })
}

/// The verdict of the policy at the commit of the release; `None`, said aloud, where there is none.
async fn judged(context: &Context, args: &Args, opened: &Opened) -> Result<Option<Verdict>, CliError> {
    let manifest = &opened.manifest;
    let without = |why: &str| context.printer.warn(&format!("no gates: {why}"));
    let project = match Project::at(context, &manifest.tag) {
        Ok(project) => project,
        Err(error) if error.is("git-no-repository") => {
            without("there is no repository here to take a policy from");
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let commit = manifest.commit;
    if !project.repository.has(commit) {
        let message =
            format!("the repository here does not hold commit {}, and with it the policy", commit.short());
        return Err(CliError::new(Kind::Undecided, "publish-no-policy", message)
            .hinted(format!("git fetch origin {commit}"))
            .hinted("outside of any repository a release is published without gates"));
    }
    let Some(policy) = project.policy(manifest.commit)? else {
        without(&format!("commit {} has no policy", manifest.commit.short()));
        return Ok(None);
    };
    let subject = Subject::planned(manifest, opened.rid());
    let believed = args.signer.believed(context)?;
    let mut items = match &args.evidence {
        Some(directory) => evidence::collect(&context.path(directory), &believed)?,
        None => Vec::new(),
    };
    let staged = match opened.dist() {
        Some(_) => None,
        None => Some(opened.staged_files().await?),
    };
    let files = staged.as_ref().map(|staged| Directory::new(staged.path()));
    if let Some(files) = opened.dist().or(files.as_ref()) {
        items.extend(measure::release(context, &project.repository, files, believed.first(), &subject)?);
    }
    if let Some(layout) = opened.layout() {
        items.extend(measure::image(layout, &subject, context.now).await?);
    }
    items.extend(measure::approvals(&args.approve, &subject, context.now));
    let evidence = Evidence { subject, items };
    let verdict = gate::run(&policy, &args.profile, &[], &evidence, context.now)?;
    args.approve.heard(context, &verdict);
    Ok(Some(verdict))
}
