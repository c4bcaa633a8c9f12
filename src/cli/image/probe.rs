//! `image probe`: what a registry can do.

use super::{CliError, Context, FORMATS, Reply, plain};
use crate::adapter::oci::Access;
use crate::model::Target;
use crate::render::json::v1::transfer::{Capability, Probed};

/// Find out what a registry can do
///
/// Each line has its evidence: the request that was sent, and the answer. Nothing stays behind, and other commands do not
/// look at the result: they find out for themselves, and work where nothing of it is there.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  kyklos-release image probe ghcr.io/kyklos/kyklos --format json")]
pub(super) struct Args {
    /// A repository there: HOST/REPO
    repository: Target,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Reply, CliError> {
    context.allow(FORMATS)?;
    let Target::Registry(reference) = &args.repository else {
        return Err(CliError::usage(
            "image-target",
            "only a registry on the network is asked what it can do",
        )
        .fact("expected", "HOST/REPO")
        .fact("found", args.repository.to_string()));
    };
    let registry = context.wire()?.repository(reference.repository.clone(), Access::Write);
    let found = context.block_on(async { Ok(registry.probe().await?) })?;
    let mut text = String::new();
    let mut capabilities = Vec::new();
    for one in found {
        let word = match one.supported {
            Some(true) => "yes",
            Some(false) => "no",
            None => "unknown",
        };
        text.push_str(&format!("{word:8} {:20} {}\n", one.name, plain(&one.evidence)));
        let (name, supported) = (one.name.to_owned(), one.supported);
        capabilities.push(Capability { name, supported, evidence: one.evidence });
    }
    let repository = reference.repository.to_string();
    let wire = Probed { repository, capabilities, requests: context.requests() };
    Reply::done("kyklos-release/image-probe/v1", &wire, text)
}
