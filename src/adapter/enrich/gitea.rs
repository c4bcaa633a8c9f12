//! Gitea and Forgejo (REST API v1): a request for the merged pull request of a commit, and one for the account of its author.
//! It knows the commit that merging made; the commits that a merge brought have its number by themselves.

use reqwest::StatusCode;
use serde::Deserialize;

use super::api::{Answer, Api, Merged, Place, Reply, Request, best};
use crate::model::{CommitId, KnownCommit, KnownPullRequest, UnknownCommit};

/// Gitea, Forgejo, Codeberg.
pub(super) struct Gitea;

/// The end of the address of a pull request.
const PULL: &str = "/pull";

impl Api for Gitea {
    fn version(&self) -> &'static str {
        "gitea-v1"
    }

    fn chunk(&self) -> usize {
        1
    }

    fn tells_all(&self) -> bool {
        false
    }

    fn requests(&self, place: &Place, asked: &[UnknownCommit]) -> Vec<Request> {
        let Place { owner, repo, .. } = place;
        let mut paths = Vec::new();
        for UnknownCommit { id, pull_request, account, .. } in asked {
            if *pull_request {
                paths.push(format!("repos/{owner}/{repo}/commits/{id}{PULL}"));
            }
            if *account {
                let less = "stat=false&verification=false&files=false";
                paths.push(format!("repos/{owner}/{repo}/git/commits/{id}?{less}"));
            }
        }
        paths.iter().map(|path| Request { url: place.below(path), body: None }).collect()
    }

    fn answer(&self, place: &Place, request: &Request, reply: &Reply, asked: &[UnknownCommit]) -> Answer {
        let [UnknownCommit { id, .. }] = asked else { return Answer::hidden() };
        if reply.status == StatusCode::NOT_FOUND {
            let refused = serde_json::from_slice::<Refused>(&reply.body).unwrap_or_default();
            let nothing = refused.is_about(*id);
            return if nothing { Answer::one(*id, KnownCommit::default()) } else { Answer::hidden() };
        }
        if request.url.path().ends_with(PULL) {
            return match serde_json::from_slice::<PullRequest>(&reply.body) {
                Ok(pull) => Answer::one(*id, pull.known(*id, place.base.as_deref())),
                Err(error) => Answer::unreadable(&error),
            };
        }
        match serde_json::from_slice::<Commit>(&reply.body) {
            Ok(commit) if commit.sha == id.to_string() => {
                let login = commit.author.map(|account| account.login);
                Answer::one(*id, KnownCommit { login, pull_request: None })
            }
            Ok(_) => Answer::Refused("the forge answers about another commit".to_owned()),
            Err(error) => Answer::unreadable(&error),
        }
    }
}

#[derive(Default, Deserialize)]
struct Refused {
    #[serde(default)]
    message: String,
    #[serde(default)]
    errors: Option<Vec<String>>,
}

impl Refused {
    /// Whether the commit, or a pull request of it, is what is missing, and not the repository.
    fn is_about(&self, id: CommitId) -> bool {
        let id = id.to_string();
        let about = |text: &String| text.contains(&id) || text.contains("pull request does not exist");
        std::iter::once(&self.message).chain(self.errors.iter().flatten()).any(about)
    }
}

#[derive(Deserialize)]
struct PullRequest {
    number: u64,
    #[serde(default)]
    title: String,
    #[serde(default)]
    merged: bool,
    merge_commit_sha: Option<String>,
    user: Option<Account>,
    base: Option<Branch>,
    #[serde(default)]
    labels: Option<Vec<Label>>,
}

#[derive(Deserialize)]
struct Account {
    login: String,
}

#[derive(Deserialize)]
struct Branch {
    #[serde(rename = "ref")]
    name: Option<String>,
}

#[derive(Deserialize)]
struct Label {
    name: String,
}

#[derive(Deserialize)]
struct Commit {
    sha: String,
    author: Option<Account>,
}

impl PullRequest {
    fn known(self, id: CommitId, base: Option<&str>) -> KnownCommit {
        let merged = self.merged.then(|| Merged {
            made: self.merge_commit_sha == Some(id.to_string()),
            base: self.base.and_then(|base| base.name),
            pull: KnownPullRequest {
                number: self.number,
                title: self.title,
                author: self.user.map(|account| account.login),
                labels: self.labels.into_iter().flatten().map(|label| label.name).collect(),
            },
        });
        KnownCommit { login: None, pull_request: best(merged.into_iter(), base) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const ONE: CommitId = CommitId::from_bytes([1; 20]);

    fn place() -> Place {
        Place {
            api: "https://codeberg.org/api/v1".parse().unwrap(),
            owner: "acme".to_owned(),
            repo: "app".to_owned(),
            base: None,
        }
    }

    /// The answer to the first request about the pull request, or about the account.
    fn answer(account: bool, status: u16, body: &str) -> Answer {
        let asked = [UnknownCommit { pull_request: !account, account, ..UnknownCommit::all(ONE) }];
        let request = Gitea.requests(&place(), &asked).remove(0);
        let status = StatusCode::from_u16(status).unwrap();
        Gitea.answer(&place(), &request, &Reply { status, body: body.as_bytes().to_vec() }, &asked)
    }

    #[test]
    fn only_what_is_missing_is_asked() {
        let of = |pull_request, account| -> Vec<String> {
            let asked = [UnknownCommit { pull_request, account, ..UnknownCommit::all(ONE) }];
            Gitea.requests(&place(), &asked).iter().map(|request| request.url.to_string()).collect()
        };
        let pull = format!("https://codeberg.org/api/v1/repos/acme/app/commits/{ONE}/pull");
        let commit = format!(
            "https://codeberg.org/api/v1/repos/acme/app/git/commits/{ONE}?stat=false&verification=false&files=false"
        );
        assert_eq!(of(true, false), std::slice::from_ref(&pull));
        assert_eq!(of(false, true), std::slice::from_ref(&commit));
        assert_eq!(of(true, true), [pull, commit]);
    }

    #[test]
    fn pull_requests_and_accounts() {
        let pull = |merged: bool| {
            json!({ "id": 91, "number": 44, "title": "A title", "state": "closed", "merged": merged,
                "merge_commit_sha": ONE.to_string(), "user": { "id": 3, "login": "ada", "full_name": "Ada" },
                "base": { "label": "main", "ref": "main" }, "labels": [{ "id": 1, "name": "bug" }] })
            .to_string()
        };
        let known = KnownPullRequest {
            number: 44,
            title: "A title".to_owned(),
            author: Some("ada".to_owned()),
            labels: vec!["bug".to_owned()],
        };
        let one = |login: Option<&str>, pull_request| {
            Answer::one(ONE, KnownCommit { login: login.map(str::to_owned), pull_request })
        };
        assert_eq!(answer(false, 200, &pull(true)), one(None, Some(known)));
        assert_eq!(answer(false, 200, &pull(false)), one(None, None));
        let commit =
            |sha: String| json!({ "sha": sha, "author": { "login": "ada" }, "commit": {} }).to_string();
        assert_eq!(answer(true, 200, &commit(ONE.to_string())), one(Some("ada"), None));
        assert!(matches!(answer(true, 200, &commit("0".repeat(40))), Answer::Refused(_)));
        // An address nobody has.
        assert_eq!(
            answer(true, 200, &json!({ "sha": ONE.to_string(), "author": null }).to_string()),
            one(None, None)
        );
    }

    #[test]
    fn what_is_missing_is_told_apart() {
        let none = Answer::one(ONE, KnownCommit::default());
        let no_pull =
            r#"{"message":"pull request does not exist [id: 0, issue_id: 0]","url":"https://x/api/swagger"}"#;
        assert_eq!(answer(false, 404, no_pull), none);
        let no_commit = format!(r#"{{"message":"{ONE}","url":"https://x/api/swagger","errors":null}}"#);
        assert_eq!(answer(true, 404, &no_commit), none);
        let errors = format!(
            r#"{{"message":"not found","errors":["object does not exist [id: {ONE}, rel_path: ]"]}}"#
        );
        assert_eq!(answer(true, 404, &errors), none);
        let hidden =
            r#"{"message":"The target couldn't be found.","url":"https://x/api/swagger","errors":null}"#;
        assert_eq!(
            (answer(false, 404, hidden), answer(true, 404, hidden)),
            (Answer::hidden(), Answer::hidden())
        );
        assert_eq!(answer(false, 404, "<html>"), Answer::hidden());
        assert!(matches!(answer(false, 200, "[]"), Answer::Refused(_)));
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,200}", account: bool) {
            answer(account, 200, &text);
            answer(account, 404, &text);
        }
    }
}
