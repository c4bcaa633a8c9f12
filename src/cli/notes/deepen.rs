//! `--deepen`: a history that is not whole is fetched, and read again.

use super::super::context::Context;
use super::super::error::CliError;
use crate::adapter::git::Repository;
use crate::adapter::remote::{PATIENCE, RemoteError, deepen};
use crate::diag::counted;
use crate::port::Progress as _;

#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct DeepenArgs {
    /// Where the clone is shallow or without tags, have git fetch the rest of the history and the tags
    #[arg(long)]
    deepen: bool,
}

/// What is said of a history that is not whole.
const CUT: [&str; 2] = ["git-shallow", "git-no-tags"];
/// What is said of names that may be those of tags that were not fetched.
const UNKNOWN: [&str; 3] = ["git-no-tag", "git-no-revision", "notes-no-release"];

impl DeepenArgs {
    /// Does what reads the history, and does it again when the history was not whole and was fetched. What is done
    /// writes nothing before it has read everything.
    pub(super) fn around<T>(
        &self,
        context: &Context,
        read: impl Fn() -> Result<T, CliError>,
    ) -> Result<T, CliError> {
        if self.deepen && context.network.offline {
            let error = CliError::usage("deepen-offline", "--deepen fetches, and --offline forbids that");
            return Err(error.hinted("leave one of them out"));
        }
        let error = match read() {
            Err(error) if CUT.iter().any(|code| error.is(code)) => error,
            Err(error) if self.deepen && UNKNOWN.iter().any(|code| error.is(code)) => error,
            done => return done,
        };
        if !self.deepen {
            return Err(error.hinted("--deepen has git fetch it"));
        }
        let repository = Repository::discover(&context.directory)?;
        let remote = repository.remote().ok_or(RemoteError::NoRemote)?;
        let what = if repository.is_shallow() { "the rest of the history" } else { "the tags" };
        context.printer.working(&format!("fetching {what} from {remote}"));
        let others = deepen(&repository, &remote, PATIENCE)?;
        context.printer.finished("Fetched", &format!("{what} from {remote}"));
        if !others.is_empty() {
            let (tags, remain) = (counted(others.len(), "tag", "tags"), others.join(", "));
            context
                .printer
                .warn(&format!("{remote} has another form of {tags}, and what is here counts: {remain}"));
        }
        read()
    }
}
