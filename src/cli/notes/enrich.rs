//! `notes generate --enrich`: accounts and pull requests that the history does not tell, from the forge or from what it
//! said before.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::super::context::Context;
use super::super::error::CliError;
use super::super::project::Project;
use crate::adapter::enrich::{Answers, Cache, EnrichError, Source, Surroundings, TIMEOUT, ask};
use crate::adapter::http::Http;
use crate::diag::{Kind, counted};
use crate::model::{CommitId, KnownCommit, UnknownCommit};
use crate::notes::{AddressOf, Enrichment, ReleaseNotes, wanted};
use crate::port::Progress as _;

#[derive(Debug, clap::Args)]
pub(super) struct EnrichArgs {
    /// Ask the forge (GitHub, GitLab, Gitea, Forgejo, Azure DevOps) for pull requests and accounts that the history does not tell; what fails is left out
    #[arg(long, conflicts_with = "from_context")]
    enrich: bool,
    /// Fail when something stays unknown
    #[arg(long, requires = "enrich")]
    require_enrichment: bool,
}

impl EnrichArgs {
    /// Whether the forge is asked.
    pub(super) fn is_wanted(&self) -> bool {
        self.enrich
    }

    /// Finds out what is missing in notes that were made from the history alone.
    pub(super) fn find(
        &self,
        context: &Context,
        project: &Project,
        releases: &[ReleaseNotes],
        author: &AddressOf<'_>,
    ) -> Result<Enrichment, CliError> {
        let wanted = wanted(releases, author);
        let (known, reason) = self.known(context, project, &wanted)?;
        let enrichment = Enrichment::new(known, &wanted, author);
        if enrichment.missing() > 0 {
            let reason = reason.unwrap_or_else(|| "it was not asked".to_owned());
            let commits = counted(enrichment.missing(), "commit", "commits");
            let told = format!("pull requests or accounts of {commits} are not known: {reason}");
            if self.require_enrichment {
                return Err(CliError::new(Kind::Undecided, "notes-enrichment", told)
                    .hinted("leave --require-enrichment out to go on without them"));
            }
            context.printer.warn(&told);
        }
        Ok(enrichment)
    }

    /// What the forge, or the cache, knows about commits, and why not everything is known.
    fn known(
        &self,
        context: &Context,
        project: &Project,
        wanted: &[UnknownCommit],
    ) -> Result<(BTreeMap<CommitId, KnownCommit>, Option<String>), CliError> {
        let (origin, branch) = (project.repository.origin(), project.repository.branch());
        let found = Source::find(&Surroundings {
            variable: &|name| context.variable(name),
            origin: origin.as_ref(),
            base: ["GITHUB_BASE_REF", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME"]
                .iter()
                .find_map(|name| context.variable(name))
                .or(branch.as_deref()),
        });
        let source = match found {
            // A repository of this name on a forge that is known would be somebody else's.
            Err(error @ EnrichError::Forge { .. }) => return Ok((BTreeMap::new(), Some(error.to_string()))),
            found => found?,
        };
        let mut cache = caches(context, project).map(|caches| Cache::open(&caches, &source));
        let mut known: BTreeMap<CommitId, KnownCommit> = BTreeMap::new();
        // Those nothing is known of come first: what may be asked in one run may not be enough for all.
        let (mut open, mut old) = (Vec::new(), Vec::new());
        for one in wanted {
            let fresh = cache.as_ref().is_some_and(|cache| cache.is_fresh(one.id, context.now));
            match cache.as_ref().and_then(|cache| cache.find(one)) {
                None => open.push(one.clone()),
                Some(found) => {
                    if !fresh {
                        old.push(one.clone());
                    }
                    known.insert(one.id, found);
                }
            }
        }
        open.append(&mut old);
        let (answers, ended) = self.asked(context, &source, &open)?;
        // What was found out until somebody stopped it is found out.
        if let Some(Err(error)) = cache.as_mut().map(|cache| cache.keep(&answers.known, &open, context.now)) {
            context.printer.warn(&format!("what {} says is not kept: {error}", source.host()));
        }
        ended?;
        known.extend(answers.known);
        Ok((known, answers.reason))
    }

    /// Asks about commits of which nothing fresh is known, and how that ended. With --offline nobody is asked.
    fn asked(
        &self,
        context: &Context,
        source: &Source,
        open: &[UnknownCommit],
    ) -> Result<(Answers, Result<(), CliError>), CliError> {
        let settings = context.http_settings()?;
        if settings.offline {
            let reason = Some("--offline asks nobody".to_owned());
            return Ok((Answers { reason, ..Answers::default() }, Ok(())));
        }
        if open.is_empty() {
            return Ok((Answers::default(), Ok(())));
        }
        context.printer.working(&format!(
            "asking {} about {}",
            source.host(),
            counted(open.len(), "commit", "commits")
        ));
        let (http, patience, answers) = (Http::new(settings), context.patience(), RefCell::default());
        let ended = context.block_on(async {
            ask(&http, source, &patience, open, TIMEOUT, &answers).await;
            Ok(())
        });
        Ok((answers.into_inner(), ended))
    }
}

/// Where the user keeps caches (XDG base directory specification); nothing is kept inside a repository.
fn caches(context: &Context, project: &Project) -> Option<PathBuf> {
    let absolute = |name: &str| context.variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .or_else(|| absolute("LOCALAPPDATA"))?;
    let inside = |root: &Path| caches.starts_with(root);
    (!inside(&project.root()) && !inside(&context.directory)).then_some(caches)
}
