//! GitHub (GraphQL API v4): the account of the author and the pull requests of fifty commits in one request.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::api::{Answer, Api, Merged, Place, Reply, Request, best};
use crate::model::{CommitId, KnownCommit, KnownPullRequest, UnknownCommit};

/// GitHub, also one of a company.
pub(super) struct GitHub;

impl Api for GitHub {
    fn version(&self) -> &'static str {
        "v1"
    }

    fn chunk(&self) -> usize {
        50
    }

    fn requests(&self, place: &Place, asked: &[UnknownCommit]) -> Vec<Request> {
        let body = query(&place.owner, &place.repo, asked);
        vec![Request { url: place.api.clone(), body: Some(body) }]
    }

    fn answer(&self, place: &Place, _: &Request, reply: &Reply, asked: &[UnknownCommit]) -> Answer {
        match reply.status {
            StatusCode::OK => answer(&reply.body, asked, place.base.as_deref()),
            _ => Answer::Refused("there is no GraphQL API".to_owned()),
        }
    }
}

const FRAGMENT: &str = "fragment C on Commit{oid author{user{login}} associatedPullRequests(first:3){nodes{number title \
merged baseRefName mergeCommit{oid} author{login} labels(first:20){nodes{name}}}}}";

/// The body of a request. Names are variables, and ids are digits: nothing of the repository becomes part of the query.
fn query(owner: &str, repo: &str, commits: &[UnknownCommit]) -> String {
    let mut query = "query($owner:String!,$name:String!){repository(owner:$owner,name:$name){".to_owned();
    for (at, UnknownCommit { id, .. }) in commits.iter().enumerate() {
        // Writing to a String cannot fail.
        let _ = write!(query, "c{at}:object(oid:\"{id}\"){{...C}} ");
    }
    query.push_str("}} ");
    query.push_str(FRAGMENT);
    json!({ "query": query, "variables": { "owner": owner, "name": repo } }).to_string()
}

#[derive(Deserialize)]
struct Body {
    data: Option<Data>,
    #[serde(default)]
    errors: Vec<Error>,
}

#[derive(Deserialize)]
struct Data {
    repository: Option<HashMap<String, Option<Object>>>,
}

#[derive(Deserialize)]
struct Error {
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Object {
    oid: Option<String>,
    author: Option<Author>,
    associated_pull_requests: Option<Nodes<PullRequest>>,
}

#[derive(Deserialize)]
struct Author {
    user: Option<Login>,
}

#[derive(Deserialize)]
struct Login {
    login: String,
}

#[derive(Deserialize)]
struct Nodes<T> {
    nodes: Option<Vec<Option<T>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PullRequest {
    number: u64,
    #[serde(default)]
    title: String,
    #[serde(default)]
    merged: bool,
    base_ref_name: Option<String>,
    merge_commit: Option<Oid>,
    author: Option<Login>,
    labels: Option<Nodes<Label>>,
}

#[derive(Deserialize)]
struct Oid {
    oid: String,
}

#[derive(Deserialize)]
struct Label {
    name: String,
}

fn answer(bytes: &[u8], asked: &[UnknownCommit], base: Option<&str>) -> Answer {
    let body: Body = match serde_json::from_slice(bytes) {
        Ok(body) => body,
        Err(error) => return Answer::unreadable(&error),
    };
    for Error { kind, message } in &body.errors {
        let kind = kind.as_deref().unwrap_or_default();
        if kind.contains("RESOURCE_LIMIT")
            || kind.contains("NODE_LIMIT")
            || kind.contains("TIMEOUT")
            || message.contains("timeout")
            || message.contains("Something went wrong")
        {
            return Answer::TooMuch(message.clone());
        }
        if kind == "RATE_LIMITED" || message.contains("rate limit") {
            return Answer::Limited(message.clone());
        }
    }
    let Some(objects) = body.data.and_then(|data| data.repository) else {
        let message = body.errors.first().map(|error| error.message.clone());
        return message.map_or_else(Answer::hidden, Answer::Refused);
    };
    let mut known = BTreeMap::new();
    for (at, UnknownCommit { id, .. }) in asked.iter().enumerate() {
        match objects.get(&format!("c{at}")) {
            // The forge does not have the commit.
            Some(None) => {
                known.insert(*id, KnownCommit::default());
            }
            Some(Some(object)) if object.oid.as_deref() == Some(&id.to_string()) => {
                known.insert(*id, object.known(*id, base).cleaned());
            }
            Some(Some(_)) | None => {}
        }
    }
    Answer::Known(known)
}

impl Object {
    fn known(&self, id: CommitId, base: Option<&str>) -> KnownCommit {
        let pulls = self.associated_pull_requests.as_ref().and_then(|pulls| pulls.nodes.as_ref());
        let merged = pulls.into_iter().flatten().flatten().filter(|pull| pull.merged);
        let merged = merged.map(|pull| Merged {
            made: pull.merge_commit.as_ref().is_some_and(|commit| commit.oid == id.to_string()),
            base: pull.base_ref_name.clone(),
            pull: KnownPullRequest {
                number: pull.number,
                title: pull.title.clone(),
                author: pull.author.as_ref().map(|author| author.login.clone()),
                labels: {
                    let labels = pull.labels.as_ref().and_then(|labels| labels.nodes.as_ref());
                    labels.into_iter().flatten().flatten().map(|label| label.name.clone()).collect()
                },
            },
        });
        KnownCommit {
            login: self.author.as_ref().and_then(|author| Some(author.user.as_ref()?.login.clone())),
            pull_request: best(merged, base),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ONE: CommitId = CommitId::from_bytes([1; 20]);
    const TWO: CommitId = CommitId::from_bytes([2; 20]);

    fn all(ids: &[CommitId]) -> Vec<UnknownCommit> {
        ids.iter().map(|id| UnknownCommit::all(*id)).collect()
    }

    fn answer(bytes: &[u8], asked: &[CommitId], base: Option<&str>) -> Answer {
        super::answer(bytes, &all(asked), base)
    }

    #[test]
    fn a_question_holds_ids_and_variables() {
        let body: serde_json::Value = serde_json::from_str(&query("o\"}", "r", &all(&[ONE, TWO]))).unwrap();
        assert_eq!(body["variables"], json!({ "owner": "o\"}", "name": "r" }));
        let query = body["query"].as_str().unwrap();
        assert!(
            query.contains(&format!("c1:object(oid:\"{TWO}\"){{...C}}")) && !query.contains("o\"}"),
            "{query}"
        );
    }

    #[test]
    fn the_pull_request_that_made_the_commit_is_the_one() {
        let pull = |number: u64, merged: bool, base: &str, made: Option<CommitId>| {
            json!({ "number": number, "title": format!("t{number}"), "merged": merged, "baseRefName": base,
                "mergeCommit": made.map(|id| json!({ "oid": id.to_string() })), "author": { "login": "eve" },
                "labels": { "nodes": [{ "name": "b" }, null, { "name": "a" }] } })
        };
        let told = |pulls: &[serde_json::Value], base| {
            let body = json!({ "data": { "repository": { "c0": { "oid": ONE.to_string(), "author": { "user": { "login": "ada" } },
                "associatedPullRequests": { "nodes": pulls } } } } });
            match answer(body.to_string().as_bytes(), &[ONE], base) {
                Answer::Known(known) => known[&ONE].pull_request.as_ref().map(|pull| pull.number),
                other => panic!("{other:?}"),
            }
        };
        let pulls = [
            pull(1, false, "main", None),
            pull(2, true, "main", None),
            pull(3, true, "v1", None),
            pull(4, true, "x", Some(ONE)),
        ];
        assert_eq!(told(&pulls, Some("v1")), Some(4));
        assert_eq!(told(&pulls[..3], Some("v1")), Some(3));
        assert_eq!(told(&pulls[..3], None), Some(2));
        assert_eq!(told(&pulls[..1], None), None);
    }

    #[test]
    fn what_was_not_asked_for_is_not_believed() {
        let body = json!({ "data": { "repository": {
            "c0": { "oid": TWO.to_string(), "author": { "user": { "login": "eve" } } },
            "c1": null, "c7": { "oid": ONE.to_string() } } } });
        let known = answer(body.to_string().as_bytes(), &[ONE, TWO], None);
        assert_eq!(known, Answer::Known(BTreeMap::from([(TWO, KnownCommit::default())])));
    }

    #[test]
    fn errors_are_of_four_kinds() {
        let told = |body: serde_json::Value| answer(body.to_string().as_bytes(), &[ONE], None);
        let error = |kind: &str, message: &str| json!({ "data": null, "errors": [{ "type": kind, "message": message }] });
        assert!(matches!(told(error("RESOURCE_LIMITS_EXCEEDED", "x")), Answer::TooMuch(_)));
        assert!(matches!(
            told(error("", "Something went wrong while executing your query")),
            Answer::TooMuch(_)
        ));
        assert!(matches!(told(error("RATE_LIMITED", "x")), Answer::Limited(_)));
        assert!(matches!(told(error("NOT_FOUND", "x")), Answer::Refused(_)));
        assert!(matches!(told(json!({ "data": { "repository": null } })), Answer::Refused(_)));
        assert!(matches!(answer(b"<html>", &[ONE], None), Answer::Refused(_)));
        let deep = "[".repeat(100_000);
        assert!(matches!(answer(deep.as_bytes(), &[ONE], None), Answer::Refused(_)));
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            answer(&bytes, &[ONE], None);
        }
    }
}
