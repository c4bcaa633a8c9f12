//! Azure DevOps ("pull request query", version 7.1): the pull requests of fifty commits in one request. It calls accounts by
//! their addresses, so none is learnt from it.

use std::collections::{BTreeMap, HashMap};

use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::api::{Answer, Api, Merged, Place, Reply, Request, best};
use crate::model::{KnownCommit, KnownPullRequest, UnknownCommit};

/// Azure DevOps Services and Server.
pub(super) struct Azure;

impl Api for Azure {
    fn version(&self) -> &'static str {
        "azure-v1"
    }

    fn chunk(&self) -> usize {
        50
    }

    fn requests(&self, place: &Place, asked: &[UnknownCommit]) -> Vec<Request> {
        let items: Vec<String> =
            asked.iter().filter(|one| one.pull_request).map(|one| one.id.to_string()).collect();
        if items.is_empty() {
            return Vec::new();
        }
        // Those that made a commit, and those that have it among theirs.
        let queries = ["lastMergeCommit", "commit"].map(|kind| json!({ "type": kind, "items": items }));
        let path = format!("_apis/git/repositories/{}/pullrequestquery?api-version=7.1", place.repo);
        vec![Request { url: place.below(&path), body: Some(json!({ "queries": queries }).to_string()) }]
    }

    fn answer(&self, place: &Place, _: &Request, reply: &Reply, asked: &[UnknownCommit]) -> Answer {
        if reply.status == StatusCode::NOT_FOUND {
            return Answer::hidden();
        }
        let results = match serde_json::from_slice::<Body>(&reply.body) {
            Ok(body) => body.results,
            Err(error) => return Answer::unreadable(&error),
        };
        let base = place.base.as_deref();
        let known = asked.iter().map(|one| {
            let id = one.id.to_string();
            let pulls = results.iter().filter_map(|found| found.get(&id)).flatten();
            let merged = pulls.filter(|pull| pull.status == "completed").map(|pull| pull.merged(&id));
            (one.id, KnownCommit { login: None, pull_request: best(merged, base) }.cleaned())
        });
        Answer::Known(known.collect::<BTreeMap<_, _>>())
    }
}

#[derive(Deserialize)]
struct Body {
    results: Vec<HashMap<String, Vec<PullRequest>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PullRequest {
    pull_request_id: u64,
    #[serde(default)]
    title: String,
    #[serde(default)]
    status: String,
    target_ref_name: Option<String>,
    last_merge_commit: Option<Commit>,
    #[serde(default)]
    labels: Vec<Label>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Commit {
    commit_id: String,
}

#[derive(Deserialize)]
struct Label {
    name: String,
}

impl PullRequest {
    fn merged(&self, id: &str) -> Merged {
        let base = self.target_ref_name.as_deref();
        Merged {
            made: self.last_merge_commit.as_ref().is_some_and(|commit| commit.commit_id == id),
            base: base.map(|name| name.trim_start_matches("refs/heads/").to_owned()),
            pull: KnownPullRequest {
                number: self.pull_request_id,
                title: self.title.clone(),
                author: None,
                labels: self.labels.iter().map(|label| label.name.clone()).collect(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::CommitId;

    #[test]
    fn one_request_about_all_commits() {
        let place = Place {
            api: "https://dev.azure.com/acme/tools".parse().unwrap(),
            owner: "acme/tools/_git".to_owned(),
            repo: "app".to_owned(),
            base: Some("main".to_owned()),
        };
        let [one, two, three] = [1, 2, 3].map(|at| CommitId::from_bytes([at; 20]));
        let mut asked = [one, two, three].map(UnknownCommit::all);
        asked[2].pull_request = false;
        let request = Azure.requests(&place, &asked).remove(0);
        assert_eq!(
            request.url.as_str(),
            "https://dev.azure.com/acme/tools/_apis/git/repositories/app/pullrequestquery?api-version=7.1"
        );
        let body: serde_json::Value = serde_json::from_str(request.body.as_deref().unwrap()).unwrap();
        assert_eq!(
            body["queries"][1],
            json!({ "type": "commit", "items": [one.to_string(), two.to_string()] })
        );
        assert!(Azure.requests(&place, &asked[2..]).is_empty());

        let pull = |id: u64, status: &str, target: &str, made: &CommitId| {
            json!({ "pullRequestId": id, "title": format!("t{id}"), "status": status,
                "targetRefName": format!("refs/heads/{target}"), "lastMergeCommit": { "commitId": made.to_string() },
                "createdBy": { "displayName": "Ada", "uniqueName": "ada@x" }, "labels": [{ "name": "bug" }] })
        };
        let answer = json!({ "results": [
            { one.to_string(): [pull(9, "completed", "x", &one)] },
            { one.to_string(): [pull(3, "completed", "main", &two), pull(1, "abandoned", "main", &one)] },
        ]});
        let reply = |status, body: String| Reply { status, body: body.into_bytes() };
        let Answer::Known(known) =
            Azure.answer(&place, &request, &reply(StatusCode::OK, answer.to_string()), &asked)
        else {
            panic!("it can be read")
        };
        let number = |id| known[&id].pull_request.as_ref().map(|pull| (pull.number, pull.labels.len()));
        assert_eq!((number(one), number(two), number(three)), (Some((9, 1)), None, None));
        // A page to log in, with status 203 or 302, is none of these.
        for body in ["<html>", "[]", "{}"] {
            let answer = Azure.answer(&place, &request, &reply(StatusCode::OK, body.to_owned()), &asked);
            assert!(matches!(answer, Answer::Refused(_)), "{body}");
        }
    }
}
