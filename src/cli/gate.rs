//! `gate`: whether a release may happen.

use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::approve::ApproveArgs;
use super::context::Context;
use super::error::CliError;
use super::project::Project;
use super::verify::OptionalSignerArgs;
use super::{Exit, Format, Reply, evidence, measure};
use crate::adapter::fs::Directory;
use crate::diag::{Diagnostic, did_you_mean};
use crate::evidence::{Evidence, Subject};
use crate::format::yaml;
use crate::gate::{self, ALL, GateResult, Outcome, Policy};
use crate::model::Tag;
use crate::render::{github, json::v1, junit, sarif, text};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Judge evidence by a policy
    Run(Box<RunArgs>),
    /// List the gates of a policy, or every type of gate
    List(PolicyArgs),
    /// Explain a type of gate and its settings
    Explain(ExplainArgs),
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kyklos-release gate list
  kyklos-release gate list --policy policies/release.yaml")]
struct PolicyArgs {
    /// The policy
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  kyklos-release gate run --policy policies/release.yaml --profile pre-merge --evidence evidence")]
struct RunArgs {
    /// The policy
    #[arg(long, value_name = "FILE", default_value = "policies/release.yaml")]
    policy: PathBuf,
    /// Which gates are run
    #[arg(long, value_name = "NAME", default_value = "pre-release")]
    profile: String,
    /// Where the evidence is
    #[arg(long, value_name = "DIR", default_value = "evidence")]
    evidence: PathBuf,
    /// The files of the release, to measure checksums, changelog and SBOM here and now
    #[arg(long, value_name = "DIR")]
    dist: Option<PathBuf>,
    #[command(flatten)]
    signer: OptionalSignerArgs,
    #[command(flatten)]
    approve: ApproveArgs,
    /// Only these gates of the profile
    #[arg(long, value_name = "GATE", value_delimiter = ',')]
    only: Vec<String>,
    /// The tag that is judged [default: HEAD, without a tag]
    #[arg(long, value_name = "TAG")]
    tag: Option<Tag>,
    /// The index of the image that is judged
    #[arg(long, value_name = "DIGEST")]
    index: Option<crate::model::Digest>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  kyklos-release gate explain image")]
struct ExplainArgs {
    /// The type
    gate: String,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Reply, CliError> {
    match &args.command {
        Command::Run(args) => judge(context, args),
        Command::List(args) => list(context, args),
        Command::Explain(args) => explain(context, args),
    }
}

fn load(context: &Context, path: &Path) -> Result<Policy, CliError> {
    let bytes = context.read(path, yaml::MAX_BYTES).map_err(|error| match error.is("file-missing") {
        true => error.hinted("`kyklos-release init` writes one, or name another with --policy FILE"),
        false => error,
    })?;
    Ok(Policy::load(&bytes, &path.display().to_string())?)
}

fn judge(context: &Context, args: &RunArgs) -> Result<Reply, CliError> {
    context.allow(&[
        Format::Text,
        Format::Json,
        Format::Markdown,
        Format::Sarif,
        Format::Github,
        Format::Junit,
    ])?;
    let policy = load(context, &args.policy)?;
    let project = Project::open(context)?;
    let (tag, version, commit) = match &args.tag {
        Some(tag) => {
            let facts = project.facts(tag)?;
            (tag.clone(), facts.version, facts.commit)
        }
        None => {
            let head = project.repository.head()?;
            let (version, _) = super::notes::next_version(&project, head)?;
            let tag = project
                .config
                .tag
                .tag(&version)
                .map_err(|error| CliError::usage("gate-tag", format!("{error}")))?;
            (tag, version, head)
        }
    };
    let has_image = args.index.is_some() || project.config.has_image();
    let mut subject = Subject { index: args.index, has_image, ..Subject::of_tag(tag, version, commit) };
    let believed = args.signer.believed(context)?;
    let mut items = evidence::collect(&context.path(&args.evidence), &believed)?;
    if let Some(dist) = &args.dist {
        let dist = Directory::new(context.path(dist));
        measure::widen(&mut subject, &dist)?;
        items.extend(measure::release(context, &project.repository, &dist, believed.first(), &subject)?);
    }
    items.extend(measure::approvals(&args.approve, &subject, context.now));
    let evidence = Evidence { subject, items };
    let verdict = gate::run(&policy, &args.profile, &args.only, &evidence, context.now)?;
    args.approve.heard(context, &verdict);
    let wire = v1::gate::Verdict::from(&verdict);
    let findings = text::gate_findings(&verdict, &args.policy.display().to_string());
    let text = match context.format {
        Format::Text | Format::Json => text::verdict(&verdict).into_bytes(),
        Format::Markdown => text::verdict_markdown(&verdict).into_bytes(),
        Format::Junit => junit::document(&verdict),
        Format::Github => {
            findings.iter().map(|(_, finding)| github::annotation(finding)).collect::<String>().into_bytes()
        }
        Format::Sarif => sarif::document(&[], &results(&findings)),
    };
    let mut reply = Reply::done("kyklos-release/gate-run/v1", &wire, text)?;
    reply.diagnostics = findings.into_iter().map(|(_, finding)| finding).collect();
    reply.exit = match verdict.outcome {
        Outcome::Pass => Exit::Done,
        Outcome::Fail => Exit::No,
        Outcome::Error => Exit::Undecided,
    };
    Ok(reply)
}

/// Findings with the gate that each is about.
fn results(findings: &[(&GateResult, Diagnostic)]) -> Vec<sarif::Found> {
    let found = |(gate, diagnostic): &(&GateResult, Diagnostic)| sarif::Found {
        diagnostic: diagnostic.clone(),
        excerpt: None,
        about: Some(("gate", gate.id.clone())),
    };
    findings.iter().map(found).collect()
}

fn list(context: &Context, args: &PolicyArgs) -> Result<Reply, CliError> {
    context.allow(&[Format::Text, Format::Json])?;
    let listed: Vec<v1::gate::Listed> = match &args.policy {
        Some(path) => {
            let policy = load(context, path)?;
            policy
                .list()
                .map(|(id, kind)| v1::gate::Listed { id: id.to_owned(), kind: kind.to_owned() })
                .collect()
        }
        None => ALL
            .iter()
            .map(|gate| v1::gate::Listed { id: gate.kind().to_owned(), kind: gate.kind().to_owned() })
            .collect(),
    };
    let line = |gate: &v1::gate::Listed| {
        if gate.id == gate.kind { format!("{}\n", gate.id) } else { format!("{}  {}\n", gate.id, gate.kind) }
    };
    let text: String = listed.iter().map(line).collect();
    Reply::done("kyklos-release/gate-list/v1", &listed, text)
}

fn explain(context: &Context, args: &ExplainArgs) -> Result<Reply, CliError> {
    context.allow(&[Format::Text, Format::Json, Format::Markdown])?;
    let Some(gate) = ALL.iter().find(|gate| gate.kind() == args.gate) else {
        let near = did_you_mean(&args.gate, ALL.iter().map(|gate| gate.kind()));
        let error = CliError::usage("gate-unknown", format!("there is no gate of type `{}`", args.gate));
        return Err(match near {
            Some(name) => error.hinted(format!("did you mean `{name}`?")),
            None => error.hinted("`kyklos-release gate list` names them"),
        });
    };
    let wire = v1::gate::Explained { kind: gate.kind().to_owned(), page: gate.page().to_owned() };
    Reply::done("kyklos-release/gate-explain/v1", &wire, gate.page())
}
