//! GitLab (REST API v4, "list merge requests associated with a commit"): a request for each commit. It does not tell whose
//! account an author is; the account that opened the merge request is taken for the author of the same name.

use reqwest::StatusCode;
use serde::Deserialize;

use super::api::{Answer, Api, Merged, Place, Reply, Request, best};
use crate::model::{KnownCommit, KnownPullRequest, UnknownCommit};

/// GitLab, also where somebody runs it themselves.
pub(super) struct GitLab;

impl Api for GitLab {
    fn version(&self) -> &'static str {
        "gitlab-v1"
    }

    fn chunk(&self) -> usize {
        1
    }

    fn requests(&self, place: &Place, asked: &[UnknownCommit]) -> Vec<Request> {
        let project = format!("{}/{}", place.owner, place.repo).replace('/', "%2F");
        let address = |id| format!("projects/{project}/repository/commits/{id}/merge_requests?per_page=20");
        asked.iter().map(|one| Request { url: place.below(&address(one.id)), body: None }).collect()
    }

    fn answer(&self, place: &Place, _: &Request, reply: &Reply, asked: &[UnknownCommit]) -> Answer {
        let [asked] = asked else { return Answer::hidden() };
        if reply.status == StatusCode::NOT_FOUND {
            // Of a commit it does not have it says so; everything else is the project.
            let refused = serde_json::from_slice::<Refused>(&reply.body).unwrap_or_default();
            let unknown = refused.message.contains("Commit Not Found");
            return if unknown { Answer::one(asked.id, KnownCommit::default()) } else { Answer::hidden() };
        }
        match serde_json::from_slice::<Vec<MergeRequest>>(&reply.body) {
            Ok(requests) => Answer::one(asked.id, known(&requests, asked, place.base.as_deref())),
            Err(error) => Answer::unreadable(&error),
        }
    }
}

#[derive(Default, Deserialize)]
struct Refused {
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
struct MergeRequest {
    iid: u64,
    #[serde(default)]
    title: String,
    #[serde(default)]
    state: String,
    target_branch: Option<String>,
    author: Option<Account>,
    #[serde(default)]
    labels: Vec<String>,
    /// The tip of what was merged; the commit itself where nothing but the branch moved.
    sha: Option<String>,
    merge_commit_sha: Option<String>,
    squash_commit_sha: Option<String>,
}

#[derive(Deserialize)]
struct Account {
    username: String,
    #[serde(default)]
    name: String,
}

fn known(requests: &[MergeRequest], asked: &UnknownCommit, base: Option<&str>) -> KnownCommit {
    let id = asked.id.to_string();
    let is = |sha: &Option<String>| sha.as_deref() == Some(&id);
    let account = |request: &MergeRequest| request.author.as_ref().map(|account| account.username.clone());
    let merged = requests.iter().filter(|request| request.state == "merged");
    let merged = merged.map(|request| Merged {
        made: [&request.merge_commit_sha, &request.squash_commit_sha, &request.sha].into_iter().any(is),
        base: request.target_branch.clone(),
        pull: KnownPullRequest {
            number: request.iid,
            title: request.title.clone(),
            author: account(request),
            labels: request.labels.clone(),
        },
    });
    let pull_request = best(merged, base);
    let same_name = |account: &&Account| !account.name.is_empty() && account.name == asked.author.name;
    let opened = pull_request.as_ref().and_then(|pull| {
        let of = requests.iter().find(|request| request.iid == pull.number)?;
        of.author.as_ref().filter(same_name)
    });
    KnownCommit { login: opened.map(|account| account.username.clone()), pull_request }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::model::{CommitId, Person};

    const ONE: CommitId = CommitId::from_bytes([1; 20]);

    fn asked() -> UnknownCommit {
        let author = Person { name: "Ada Lovelace".to_owned(), email: "ada@x".to_owned() };
        UnknownCommit { author, ..UnknownCommit::all(ONE) }
    }

    fn place() -> Place {
        Place {
            api: "https://gitlab.com/api/v4".parse().unwrap(),
            owner: "group/sub".to_owned(),
            repo: "app".to_owned(),
            base: Some("main".to_owned()),
        }
    }

    fn answer(status: StatusCode, body: &[u8]) -> Answer {
        let request = GitLab.requests(&place(), &[asked()]).remove(0);
        GitLab.answer(&place(), &request, &Reply { status, body: body.to_vec() }, &[asked()])
    }

    #[test]
    fn the_project_is_one_segment_of_the_address() {
        let requests = GitLab.requests(&place(), &[asked()]);
        let url = format!(
            "https://gitlab.com/api/v4/projects/group%2Fsub%2Fapp/repository/commits/{ONE}/merge_requests?per_page=20"
        );
        assert_eq!(requests, [Request { url: url.parse().unwrap(), body: None }]);
    }

    #[test]
    fn the_merge_request_that_made_the_commit_is_the_one() {
        let request = |iid: u64, state: &str, target: &str, made: bool| {
            json!({ "id": 9000 + iid, "iid": iid, "project_id": 3, "title": format!("t{iid}"), "state": state,
                "target_branch": target, "source_branch": "x", "labels": ["b", "a"], "draft": false,
                "author": { "id": 1, "username": "ada.l", "name": "Ada Lovelace", "state": "active" },
                "sha": "0".repeat(40), "merge_commit_sha": null,
                "squash_commit_sha": made.then(|| ONE.to_string()) })
        };
        let told = |requests: serde_json::Value| match answer(StatusCode::OK, requests.to_string().as_bytes())
        {
            Answer::Known(mut known) => known.remove(&ONE).unwrap(),
            other => panic!("{other:?}"),
        };
        let all = [
            request(1, "opened", "main", true),
            request(2, "merged", "next", false),
            request(3, "merged", "main", false),
            request(4, "merged", "next", true),
        ];
        let number =
            |requests: &[serde_json::Value]| told(json!(requests)).pull_request.map(|pull| pull.number);
        assert_eq!(number(&all), Some(4));
        assert_eq!(number(&all[..3]), Some(3));
        assert_eq!(number(&all[..2]), Some(2));
        assert_eq!(number(&all[..1]), None);
        let pull = KnownPullRequest {
            number: 4,
            title: "t4".to_owned(),
            author: Some("ada.l".to_owned()),
            labels: vec!["a".to_owned(), "b".to_owned()],
        };
        let known = KnownCommit { login: Some("ada.l".to_owned()), pull_request: Some(pull) };
        assert_eq!(told(json!(all)), known);
        // Whoever opened it for somebody else is not the author.
        let mut other = request(4, "merged", "main", true);
        other["author"]["name"] = json!("Eve");
        let known = told(json!([other]));
        assert_eq!((known.login, known.pull_request.unwrap().author), (None, Some("ada.l".to_owned())));
    }

    #[test]
    fn a_commit_it_does_not_have_is_no_error_and_a_project_is() {
        let none = Answer::one(ONE, KnownCommit::default());
        assert_eq!(answer(StatusCode::NOT_FOUND, br#"{"message":"404 Commit Not Found"}"#), none);
        assert_eq!(
            answer(StatusCode::NOT_FOUND, br#"{"message":"404 Project Not Found"}"#),
            Answer::hidden()
        );
        assert_eq!(answer(StatusCode::NOT_FOUND, b"<html>"), Answer::hidden());
        assert_eq!(answer(StatusCode::OK, b"[]"), none);
        assert!(matches!(answer(StatusCode::OK, b"{}"), Answer::Refused(_)));
        assert!(matches!(answer(StatusCode::OK, "[".repeat(100_000).as_bytes()), Answer::Refused(_)));
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            answer(StatusCode::OK, &bytes);
            answer(StatusCode::NOT_FOUND, &bytes);
        }
    }
}
