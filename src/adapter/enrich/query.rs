//! The question and the answer (GitHub GraphQL API v4).

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::json;

use crate::model::{CommitId, KnownCommit, KnownPullRequest};

/// The question; a change of it makes what was kept of earlier answers worthless.
pub(super) const VERSION: &str = "v1";

const FRAGMENT: &str = "fragment C on Commit{oid author{user{login}} associatedPullRequests(first:3){nodes{number title \
merged baseRefName mergeCommit{oid} author{login} labels(first:20){nodes{name}}}}}";

/// The body of a request. Names are variables, and ids are digits: nothing of the repository becomes part of the query.
pub(super) fn request(owner: &str, repo: &str, commits: &[CommitId]) -> String {
    let mut query = "query($owner:String!,$name:String!){repository(owner:$owner,name:$name){".to_owned();
    for (at, id) in commits.iter().enumerate() {
        // Writing to a String cannot fail.
        let _ = write!(query, "c{at}:object(oid:\"{id}\"){{...C}} ");
    }
    query.push_str("}} ");
    query.push_str(FRAGMENT);
    json!({ "query": query, "variables": { "owner": owner, "name": repo } }).to_string()
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

/// Reads an answer to a question about these commits. What was not asked for is not believed.
pub(super) fn answer(bytes: &[u8], asked: &[CommitId], base: Option<&str>) -> Answer {
    let body: Body = match serde_json::from_slice(bytes) {
        Ok(body) => body,
        Err(error) => return Answer::Refused(format!("the answer of the forge cannot be read: {error}")),
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
        return Answer::Refused(
            message.unwrap_or_else(|| "the forge does not show the repository".to_owned()),
        );
    };
    let mut known = BTreeMap::new();
    for (at, id) in asked.iter().enumerate() {
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
        // The one that made the commit, else one into the branch of the release, else the oldest.
        let best = merged.min_by_key(|pull| {
            let made = pull.merge_commit.as_ref().is_some_and(|commit| commit.oid == id.to_string());
            let into = base.is_some() && pull.base_ref_name.as_deref() == base;
            (!made, !into, pull.number)
        });
        KnownCommit {
            login: self.author.as_ref().and_then(|author| Some(author.user.as_ref()?.login.clone())),
            pull_request: best.map(|pull| KnownPullRequest {
                number: pull.number,
                title: pull.title.clone(),
                author: pull.author.as_ref().map(|author| author.login.clone()),
                labels: {
                    let labels = pull.labels.as_ref().and_then(|labels| labels.nodes.as_ref());
                    labels.into_iter().flatten().flatten().map(|label| label.name.clone()).collect()
                },
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ONE: CommitId = CommitId::from_bytes([1; 20]);
    const TWO: CommitId = CommitId::from_bytes([2; 20]);

    #[test]
    fn a_question_holds_ids_and_variables() {
        let body: serde_json::Value = serde_json::from_str(&request("o\"}", "r", &[ONE, TWO])).unwrap();
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
