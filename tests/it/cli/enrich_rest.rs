//! `notes generate --enrich` where a forge has a REST API, against ones on loopback whose answers look like theirs.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::command::{Kyklos, kyklos};
use crate::support::repository::Repository;
use crate::support::rest::{Asked, RestForge, Said};

/// Commits without number and account.
fn repository(origin: &str, count: usize) -> Repository {
    let repository = Repository::new();
    repository.git(&["remote", "add", "origin", origin]);
    for number in 0..count {
        repository.commit(&format!("feat: number {number}"));
    }
    repository
}

fn generate(repository: &Repository, caches: &tempfile::TempDir, more: &str) -> Kyklos {
    kyklos(repository.path())
        .args("notes generate --unreleased --format json --enrich")
        .args(more)
        .env("XDG_CACHE_HOME", caches.path())
}

fn entries(answer: &Value) -> Vec<Value> {
    answer["data"]["releases"][0]["sections"][0]["entries"].as_array().unwrap().clone()
}

fn fine(body: &Value) -> Said {
    (200, "X: y", body.to_string())
}

/// A number that only this commit has.
fn number(commit: &str) -> u64 {
    u64::from_str_radix(&commit[..4], 16).unwrap() + 1
}

/// A merge request as GitLab 17 tells it, in parts.
fn merge_request(commit: &str, state: &str) -> Value {
    json!({
        "id": 7_000_000 + number(commit), "iid": number(commit), "project_id": 3, "title": "A title", "description": "",
        "state": state, "created_at": "2026-01-01T00:00:00.000Z", "merged_at": "2026-01-01T00:05:00.000Z",
        "merged_by": { "id": 2, "username": "eve", "name": "Eve" }, "target_branch": "main", "source_branch": "work",
        "author": { "id": 1, "username": "ada.l", "name": "Ada", "state": "active", "web_url": "https://gitlab.com/ada.l" },
        "labels": ["type::bug", "api"], "draft": false, "sha": "9".repeat(40), "merge_commit_sha": null,
        "squash_commit_sha": commit, "has_conflicts": false,
        "references": { "short": "!1", "relative": "!1", "full": "acme/tools/app!1" },
    })
}

#[test]
fn gitlab_is_asked_for_each_commit_and_two_at_a_time() {
    let repository = repository("https://gitlab.com/acme/tools/app.git", 6);
    let forge = RestForge::new(|asked, _| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        let commit = asked.commit();
        fine(&json!([merge_request(commit, "opened"), merge_request(commit, "merged")]))
    });
    let caches = tempfile::tempdir().unwrap();
    let run = |more: &str| {
        let url = forge.url("/api/v4");
        generate(&repository, &caches, more)
            .env("GITLAB_API_URL", url)
            .env("GITLAB_TOKEN", "secret-of-the-test")
    };
    let first = run("").run().expect(0);
    let asked = forge.asked();
    assert_eq!((asked.len(), forge.at_once()), (6, 2));
    for one in &asked {
        let line = format!(
            "GET /api/v4/projects/acme%2Ftools%2Fapp/repository/commits/{}/merge_requests?per_page=20",
            one.commit()
        );
        assert_eq!(one.line, line);
        assert_eq!(one.headers["private-token"], "secret-of-the-test");
        assert_eq!(one.headers.get("authorization"), None);
    }
    let answer = first.json();
    assert_eq!(answer["data"]["releases"][0]["enrichment"], json!({ "state": "complete", "missing": 0 }));
    let newest = &entries(&answer)[0];
    let number = number(newest["sha"].as_str().unwrap());
    let pull =
        json!({ "number": number, "title": "A title", "author": "ada.l", "labels": ["api", "type::bug"] });
    assert_eq!(newest["pr"], pull);
    let url = format!("https://gitlab.com/acme/tools/app/-/merge_requests/{number}");
    assert_eq!(newest["references"][0]["url"], url);
    assert_eq!(answer["data"]["releases"][0]["contributors"][0]["login"], "ada.l");
    assert!(!first.show().contains("secret-of-the-test"));
    // Everything is kept.
    for more in ["", "--offline --require-enrichment"] {
        let again = run(more).run().expect(0);
        assert_eq!((forge.asked().len(), again.stdout()), (6, first.stdout()), "{more}");
    }
    repository.commit("feat: newest");
    let _ = run("").run().expect(0);
    assert_eq!(forge.asked().len(), 7);
    // In a pipeline the token of the job is enough.
    let caches = tempfile::tempdir().unwrap();
    let _ = generate(&repository, &caches, "")
        .env("CI_API_V4_URL", forge.url("/api/v4"))
        .env("CI_PROJECT_PATH", "acme/tools/app")
        .env("CI_JOB_TOKEN", "of-the-job")
        .run()
        .expect(0);
    assert_eq!(forge.asked().last().unwrap().headers["job-token"], "of-the-job");
}

/// A pull request as Forgejo 12 tells it, in parts.
fn pull_request(commit: &str) -> Value {
    json!({
        "id": 9000, "number": number(commit), "title": "A title", "body": "", "state": "closed", "draft": false,
        "user": { "id": 1, "login": "eve", "full_name": "Eve", "email": "eve@noreply.codeberg.org" },
        "labels": [{ "id": 5, "name": "Kind/Bug", "color": "ee0701", "exclusive": true }], "merged": true,
        "merged_at": "2026-01-01T00:05:00Z", "merge_commit_sha": commit,
        "base": { "label": "main", "ref": "main", "sha": "8".repeat(40) },
    })
}

fn gitea(asked: &Asked, _: usize) -> Said {
    let commit = asked.commit();
    if asked.line.ends_with("/pull") {
        return fine(&pull_request(commit));
    }
    let author = json!({ "id": 1, "login": "ada", "full_name": "Ada", "email": "ada@example.com" });
    fine(
        &json!({ "sha": commit, "author": author, "commit": { "author": { "name": "Ada", "email": "ada@example.com" } } }),
    )
}

#[test]
fn gitea_is_asked_for_pull_requests_and_once_for_an_account() {
    let repository = repository("https://codeberg.org/acme/app.git", 3);
    let forge = RestForge::new(gitea);
    let caches = tempfile::tempdir().unwrap();
    let run = |more: &str| {
        let url = forge.url("/api/v1");
        generate(&repository, &caches, more).env("FORGEJO_API_URL", url).env("FORGEJO_TOKEN", "t")
    };
    let first = run("").run().expect(0);
    let mut lines: Vec<String> = forge.asked().into_iter().map(|asked| asked.line).collect();
    lines.sort();
    let commits = repository.git(&["log", "--format=%H"]);
    let mut expected: Vec<String> =
        commits.lines().map(|commit| format!("GET /api/v1/repos/acme/app/commits/{commit}/pull")).collect();
    let newest = commits.lines().next().unwrap();
    let less = "stat=false&verification=false&files=false";
    expected.push(format!("GET /api/v1/repos/acme/app/git/commits/{newest}?{less}"));
    expected.sort();
    assert_eq!(lines, expected);
    assert!(forge.asked().iter().all(|asked| asked.headers["authorization"] == "token t"));
    let answer = first.json();
    assert_eq!(answer["data"]["releases"][0]["enrichment"]["state"], "complete");
    let entry = &entries(&answer)[0];
    let pull =
        json!({ "number": number(newest), "title": "A title", "author": "eve", "labels": ["Kind/Bug"] });
    assert_eq!(entry["pr"], pull);
    let url = format!("https://codeberg.org/acme/app/pulls/{}", number(newest));
    assert_eq!(entry["references"][0]["url"], url);
    assert_eq!(answer["data"]["releases"][0]["contributors"][0]["login"], "ada");
    assert_eq!(run("--offline").run().expect(0).stdout(), first.stdout());
    // The account was asked with the newest commit only; notes that are about another one ask again.
    let range = |more: &str| {
        kyklos(repository.path())
            .args("notes generate --format json --enrich")
            .args(more)
            .arg(format!("{newest}~2..{newest}~1"))
            .env("XDG_CACHE_HOME", caches.path())
            .env("FORGEJO_API_URL", forge.url("/api/v1"))
    };
    let before = forge.asked().len();
    let offline = range("--offline").run().expect(0).json();
    assert_eq!(offline["data"]["releases"][0]["enrichment"]["missing"], 1);
    let online = range("").run().expect(0).json();
    assert_eq!(online["data"]["releases"][0]["contributors"][0]["login"], "ada");
    assert_eq!(forge.asked().len(), before + 2);
}

#[test]
fn a_commit_without_a_pull_request_is_known_to_have_none() {
    let repository = repository("https://codeberg.org/acme/app.git", 2);
    let forge = RestForge::new(|asked, before| match asked.line.ends_with("/pull") {
        true => {
            let message =
                "pull request does not exist [id: 0, issue_id: 0, head_repo_id: 0, base_repo_id: 0]";
            (
                404,
                "X: y",
                json!({ "message": message, "url": "https://codeberg.org/api/swagger" }).to_string(),
            )
        }
        false => gitea(asked, before),
    });
    let caches = tempfile::tempdir().unwrap();
    let run =
        generate(&repository, &caches, "--require-enrichment").env("GITEA_API_URL", forge.url("/api/v1"));
    let answer = run.run().expect(0).json();
    assert_eq!(entries(&answer)[0].get("pr"), None);
    assert_eq!(answer["data"]["releases"][0]["contributors"][0]["login"], "ada");
    // A repository that is not shown is asked about once by each of two.
    let forge = RestForge::new(|_, _| {
        (404, "X: y", json!({ "message": "The target couldn't be found." }).to_string())
    });
    let caches = tempfile::tempdir().unwrap();
    let run = generate(&repository, &caches, "").env("GITEA_API_URL", forge.url("/api/v1")).run().expect(0);
    assert!(run.stderr().contains("the forge does not show the repository"), "{}", run.show());
    assert!(forge.asked().len() <= 2);
}

#[test]
fn azure_is_asked_about_all_commits_at_once() {
    let repository = repository("https://dev.azure.com/acme/tools/_git/app", 4);
    let forge = RestForge::new(|asked, _| {
        let commits = asked.body["queries"][0]["items"].as_array().unwrap();
        let found = |commit: &Value| {
            let commit = commit.as_str().unwrap();
            let pull = json!({
                "pullRequestId": number(commit), "status": "completed", "title": "A title",
                "createdBy": { "displayName": "Ada", "uniqueName": "ada@example.com" },
                "targetRefName": "refs/heads/main", "lastMergeCommit": { "commitId": commit },
            });
            (commit.to_owned(), json!([pull]))
        };
        let made: serde_json::Map<String, Value> = commits.iter().map(found).collect();
        fine(&json!({ "queries": asked.body["queries"], "results": [made, {}] }))
    });
    let caches = tempfile::tempdir().unwrap();
    let run = generate(&repository, &caches, "--require-enrichment")
        .env("SYSTEM_COLLECTIONURI", forge.url("/acme/"))
        .env("SYSTEM_ACCESSTOKEN", "t");
    let answer = run.run().expect(0).json();
    let asked = forge.asked();
    assert_eq!(asked.len(), 1);
    let line = "POST /acme/tools/_apis/git/repositories/app/pullrequestquery?api-version=7.1";
    assert_eq!((asked[0].line.as_str(), asked[0].headers["authorization"].as_str()), (line, "Bearer t"));
    let newest = &entries(&answer)[0];
    let number = number(newest["sha"].as_str().unwrap());
    assert_eq!(
        newest["references"][0]["url"],
        format!("https://dev.azure.com/acme/tools/_git/app/pullrequest/{number}")
    );
    assert_eq!(answer["data"]["releases"][0]["contributors"][0]["login"], Value::Null);
}

#[test]
fn trouble_is_absorbed_once_and_then_told() {
    let repository = repository("https://gitlab.com/acme/app.git", 12);
    let run = |forge: &RestForge, more: &str| {
        let caches = tempfile::tempdir().unwrap();
        generate(&repository, &caches, more).env("GITLAB_API_URL", forge.url("/api/v4")).run()
    };
    let merged = |asked: &Asked| fine(&json!([merge_request(asked.commit(), "merged")]));
    let twice = RestForge::new(move |asked, before| match before {
        0 => (502, "X: y", "<html>".to_owned()),
        1 => (429, "Retry-After: 0", "{}".to_owned()),
        _ => merged(asked),
    });
    let answer = run(&twice, "--require-enrichment").expect(0).json();
    assert_eq!(
        (twice.asked().len(), &answer["data"]["releases"][0]["enrichment"]["missing"]),
        (14, &json!(0))
    );
    // One that is never well is left alone.
    let never = RestForge::new(|_, _| (500, "X: y", "{}".to_owned()));
    let told = run(&never, "").expect(0);
    assert!(told.stderr().contains("of 12 commits are not known: ") && told.stderr().contains("answers 500"));
    assert!(never.asked().len() <= 22, "{}", never.asked().len());
    for (status, header, body) in [
        (401, "X: y", r#"{"message":"401 Unauthorized"}"#),
        (404, "X: y", r#"{"message":"404 Project Not Found"}"#),
        (301, "Location: http://127.0.0.1:1/", ""),
        (200, "X: y", "<html>"),
        (200, "X: y", "{\"message\":\"x\"}"),
    ] {
        let forge = RestForge::new(move |_, _| (status, header, body.to_owned()));
        let told = run(&forge, "").expect(0);
        assert_eq!(
            told.json()["data"]["releases"][0]["enrichment"],
            json!({ "state": "degraded", "missing": 12 })
        );
        assert!(forge.asked().len() <= 2, "{status} {body}");
        let refused = run(&forge, "--require-enrichment").expect(3);
        assert_eq!(refused.json()["diagnostics"][0]["code"], "notes-enrichment");
    }
    let hostile = RestForge::new(|asked, _| {
        let mut request = merge_request(asked.commit(), "merged");
        request["title"] = json!("<img src=x> @org/team closes o/r#1\u{202e}\n# x");
        request["author"]["username"] = json!("a](javascript:x)");
        fine(&json!([request]))
    });
    let answer = run(&hostile, "").expect(0).json();
    let entry = &entries(&answer)[0];
    assert_eq!(
        (&entry["pr"]["title"], &entry["pr"]["author"]),
        (&json!("<img src=x> @org/team closes o/r#1 # x"), &Value::Null)
    );
    let large = RestForge::new(|_, _| (200, "X: y", format!("[\"{}\"]", "x".repeat(9 << 20))));
    let told = run(&large, "").expect(0);
    assert!(told.stderr().contains("answers more than 8388608 bytes"), "{}", told.stderr());
}

#[test]
fn a_run_sends_so_many_requests_and_the_next_one_goes_on() {
    let repository = Repository::new();
    repository.git(&["remote", "add", "origin", "https://gitlab.com/acme/app.git"]);
    let mut import = Command::new("git")
        .args(["fast-import", "--quiet"])
        .current_dir(repository.path())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = import.stdin.take().unwrap();
    for number in 0..520 {
        let message = format!("feat: number {number}");
        let who = format!("committer Ada <ada@example.com> {} +0000", 1_767_225_600 + number);
        writeln!(stdin, "commit refs/heads/main\n{who}\ndata {}\n{message}", message.len()).unwrap();
    }
    drop(stdin);
    assert!(import.wait().unwrap().success());
    let forge = RestForge::new(|asked, _| fine(&json!([merge_request(asked.commit(), "merged")])));
    let caches = tempfile::tempdir().unwrap();
    let run =
        || generate(&repository, &caches, "").env("GITLAB_API_URL", forge.url("/api/v4")).run().expect(0);
    let told = run().stderr();
    assert_eq!(
        told,
        "warning: pull requests or accounts of 20 commits are not known: a run sends 500 requests at most, and the \
         next one goes on\n"
    );
    assert_eq!(forge.asked().len(), 500);
    assert_eq!((run().stderr(), forge.asked().len()), (String::new(), 520));
}

#[test]
fn a_run_that_is_stopped_keeps_what_it_was_told() {
    let repository = repository("https://gitlab.com/acme/app.git", 6);
    let forge = RestForge::new(|asked, before| {
        if before >= 4 {
            std::thread::sleep(std::time::Duration::from_secs(600));
        }
        fine(&json!([merge_request(asked.commit(), "merged")]))
    });
    let caches = tempfile::tempdir().unwrap();
    let run = |more: &str| generate(&repository, &caches, more).env("GITLAB_API_URL", forge.url("/api/v4"));
    let started = run("").spawn();
    while forge.asked().len() < 6 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    // The second one does not wait for a job to end by itself.
    started.signal("-INT");
    std::thread::sleep(std::time::Duration::from_millis(200));
    started.signal("-INT");
    assert_eq!(started.wait().code(), 6);
    let kept = run("--offline").run().expect(0).json();
    assert_eq!(kept["data"]["releases"][0]["enrichment"], json!({ "state": "degraded", "missing": 2 }));
}
