//! `--approve`: people who say yes to a release.

use super::context::Context;
use crate::evidence::ApprovalFacts;
use crate::gate::Verdict;
use crate::port::Progress as _;

/// Who says yes to a release.
#[derive(Debug, clap::Args)]
pub(super) struct ApproveArgs {
    /// Somebody who approves the release, for the gate `approvals`; again for everybody who does
    #[arg(long, value_name = "WHO", value_parser = approval)]
    pub(super) approve: Vec<ApprovalFacts>,
}

impl ApproveArgs {
    /// Says so when nobody asked.
    pub(super) fn heard(&self, context: &Context, verdict: &Verdict) {
        if !self.approve.is_empty() && verdict.gates.iter().all(|gate| gate.kind != "approvals") {
            context.printer.warn("no gate of the profile asks for an approval");
        }
    }
}

fn approval(name: &str) -> Result<ApprovalFacts, String> {
    ApprovalFacts::by(name, None)
}
