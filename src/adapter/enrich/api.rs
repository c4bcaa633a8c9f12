//! What every kind of forge is to the loop that asks: which requests a question has, and what an answer says.

use std::collections::BTreeMap;

use reqwest::StatusCode;
use url::Url;

use crate::model::{CommitId, KnownCommit, KnownPullRequest, UnknownCommit};

/// A kind of forge.
pub(super) trait Api: Sync {
    /// What is kept of its answers stands under this name; a change of the questions changes it.
    fn version(&self) -> &'static str;

    /// How many commits one question is about.
    fn chunk(&self) -> usize;

    /// The requests of a question. What is asked is known when all of them are answered.
    fn requests(&self, place: &Place, asked: &[UnknownCommit]) -> Vec<Request>;

    /// Reads an answer, of status 200 or 404. What was not asked for is not believed.
    fn answer(&self, place: &Place, request: &Request, reply: &Reply, asked: &[UnknownCommit]) -> Answer;

    /// Whether a question about a commit is always about all of it, whatever is wanted.
    fn tells_all(&self) -> bool {
        true
    }
}

/// Where a repository is on a forge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The address of the API, without a slash at its end.
    pub(super) api: Url,
    /// The owner; of GitLab all groups, of Azure organization and project.
    pub(super) owner: String,
    /// The repository.
    pub(super) repo: String,
    /// The branch pull requests of the release went into.
    pub(super) base: Option<String>,
}

impl Place {
    /// An address below that of the API. Whoever calls gives names of [`super::source`] and digits.
    pub(super) fn below(&self, path: &str) -> Url {
        let mut url = self.api.clone();
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        url.set_path(&format!("{}/{path}", self.api.path().trim_end_matches('/')));
        url.set_query(query);
        url
    }
}

/// One request: with a body it is posted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) url: Url,
    pub(super) body: Option<String>,
}

/// What came back.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
}

/// What an answer says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Known(BTreeMap<CommitId, KnownCommit>),
    /// The question was too large.
    TooMuch(String),
    /// Too many questions were asked.
    Limited(String),
    /// No answer will come.
    Refused(String),
}

impl Answer {
    /// What cannot be read.
    pub(super) fn unreadable(error: &serde_json::Error) -> Self {
        Self::Refused(format!("the answer of the forge cannot be read: {error}"))
    }

    /// What is told of a repository that is not there, or not for everybody.
    pub(super) fn hidden() -> Self {
        Self::Refused("the forge does not show the repository".to_owned())
    }

    /// What is known of one commit.
    pub(super) fn one(id: CommitId, known: KnownCommit) -> Self {
        Self::Known(BTreeMap::from([(id, known.cleaned())]))
    }
}

/// A merged pull request that has a commit.
pub(super) struct Merged {
    /// Whether merging it made the commit.
    pub(super) made: bool,
    /// The branch it went into.
    pub(super) base: Option<String>,
    pub(super) pull: KnownPullRequest,
}

/// The one that made the commit, else one into the branch of the release, else the oldest.
pub(super) fn best(merged: impl Iterator<Item = Merged>, base: Option<&str>) -> Option<KnownPullRequest> {
    let weight = |one: &Merged| (!one.made, base.is_none() || one.base.as_deref() != base, one.pull.number);
    merged.min_by_key(weight).map(|one| one.pull)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_below_that_of_the_api() {
        let place = |api: &str| Place {
            api: api.parse().unwrap(),
            owner: "a/b".to_owned(),
            repo: "c".to_owned(),
            base: None,
        };
        for (api, path, url) in [
            ("https://x/api/v4", "projects/a%2Fb/x?y=1", "https://x/api/v4/projects/a%2Fb/x?y=1"),
            ("https://x:8/", "repos", "https://x:8/repos"),
        ] {
            assert_eq!(place(api).below(path).as_str(), url);
        }
    }
}
