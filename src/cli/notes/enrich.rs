//! `notes generate --enrich`: accounts and pull requests that the history does not tell, from the forge or from what it
//! said before.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::super::context::Context;
use super::super::error::CliError;
use super::super::project::Project;
use crate::adapter::enrich::{Answers, Cache, Environment, Source, TIMEOUT, ask};
use crate::adapter::http::Http;
use crate::diag::{Kind, counted};
use crate::model::{CommitId, KnownCommit};
use crate::notes::{AddressOf, Enrichment, ReleaseNotes, wanted};
use crate::port::Progress as _;

#[derive(Debug, clap::Args)]
pub(super) struct EnrichArgs {
    /// Ask the forge (GitHub) for pull requests and accounts that the history does not tell; what fails is left out
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
        wanted: &[CommitId],
    ) -> Result<(BTreeMap<CommitId, KnownCommit>, Option<String>), CliError> {
        let origin = project.repository.origin();
        // A repository of this name on GitHub would be somebody else's.
        let told = ["GITHUB_GRAPHQL_URL", "GITHUB_API_URL", "GITHUB_REPOSITORY"];
        if let Some(origin) = origin.as_ref().filter(|origin| !origin.host.eq_ignore_ascii_case("github.com"))
            && told.iter().all(|name| context.variable(name).is_none())
        {
            let reason =
                format!("{} is not asked, only GitHub is; GITHUB_API_URL names a server of it", origin.host);
            return Ok((BTreeMap::new(), Some(reason)));
        }
        let of_origin = origin.as_ref().map(|origin| format!("{}/{}", origin.owner, origin.repo));
        let base = project.repository.branch();
        let source = Source::new(&Environment {
            graphql_url: context.variable("GITHUB_GRAPHQL_URL"),
            api_url: context.variable("GITHUB_API_URL"),
            repository: context.variable("GITHUB_REPOSITORY").or(of_origin.as_deref()),
            base: context.variable("GITHUB_BASE_REF").or(base.as_deref()),
            token: context.variable("GITHUB_TOKEN").or_else(|| context.variable("GH_TOKEN")),
        })?;
        let mut cache = caches(context, project).map(|caches| Cache::open(&caches, &source));
        let mut known: BTreeMap<CommitId, KnownCommit> = BTreeMap::new();
        let mut open = Vec::new();
        for id in wanted.iter().copied() {
            let found = cache.as_ref().and_then(|cache| cache.find(id));
            let fresh = cache.as_ref().is_some_and(|cache| cache.is_fresh(id, context.now));
            if !fresh {
                open.push(id);
            }
            known.extend(found.map(|found| (id, found)));
        }
        let answers = self.asked(context, &source, &open)?;
        if let Some(Err(error)) = cache.as_mut().map(|cache| cache.keep(&answers.known, context.now)) {
            context.printer.warn(&format!("what {} says is not kept: {error}", source.host()));
        }
        known.extend(answers.known);
        Ok((known, answers.reason))
    }

    /// Asks about commits of which nothing fresh is known. With --offline nobody is asked.
    fn asked(&self, context: &Context, source: &Source, open: &[CommitId]) -> Result<Answers, CliError> {
        let settings = context.http_settings()?;
        if settings.offline {
            return Ok(Answers { reason: Some("--offline asks nobody".to_owned()), ..Answers::default() });
        }
        if open.is_empty() {
            return Ok(Answers::default());
        }
        context.printer.working(&format!(
            "asking {} about {}",
            source.host(),
            counted(open.len(), "commit", "commits")
        ));
        let http = Http::new(settings);
        let patience = context.patience();
        context.block_on(async { Ok(ask(&http, source, &patience, open, TIMEOUT).await) })
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
