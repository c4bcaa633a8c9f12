//! `notes generate --enrich`, against a forge on loopback.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::command::{Kyklos, kyklos};
use crate::support::graphql::{Asked, Forge, Said, object};
use crate::support::repository::Repository;

/// Commits without number and account.
fn repository(count: usize) -> Repository {
    let repository = Repository::new();
    repository.git(&["remote", "add", "origin", "https://github.com/acme/app.git"]);
    for number in 0..count {
        repository.commit(&format!("feat: number {number}"));
    }
    repository
}

fn numbered(commit: &str) -> Value {
    object(commit, Some("ada-l"), u64::from_str_radix(&commit[..4], 16).unwrap() + 1, "A title")
}

fn well(_: &Asked, _: usize) -> Said {
    Said::Known
}

/// The command with a cache of its own.
fn generate(repository: &Repository, forge: &Forge, caches: &tempfile::TempDir, more: &str) -> Kyklos {
    kyklos(repository.path())
        .args("notes generate --unreleased --format json --enrich")
        .args(more)
        .env("GITHUB_GRAPHQL_URL", forge.url())
        .env("GITHUB_TOKEN", "secret-of-the-test")
        .env("XDG_CACHE_HOME", caches.path())
}

fn entries(answer: &Value) -> Vec<Value> {
    answer["data"]["releases"][0]["sections"][0]["entries"].as_array().unwrap().clone()
}

/// A repository of the same name on GitHub would be somebody else's.
#[test]
fn another_forge_is_not_taken_for_github() {
    let repository = repository(2);
    repository.git(&["remote", "set-url", "origin", "https://git.example/acme/app.git"]);
    let run = |more: &str| {
        kyklos(repository.path())
            .args("notes generate --unreleased --enrich")
            .args(more)
            .env("GITHUB_TOKEN", "secret-of-the-test")
            .run()
    };
    let warned = run("").expect(0);
    assert_eq!(
        warned.stderr(),
        "warning: pull requests or accounts of 2 commits are not known: git.example is not asked: GITHUB_API_URL, \
         GITLAB_API_URL or GITEA_API_URL says what it is\n"
    );
    let refused = run("--require-enrichment").expect(3);
    assert!(refused.stderr().contains("error[notes-enrichment]"), "{}", refused.show());
    // Whoever names a server has it asked.
    let forge = Forge::new(numbered, well);
    let caches = tempfile::tempdir().unwrap();
    let _ = generate(&repository, &forge, &caches, "").run().expect(0);
    assert_eq!(forge.sizes(), [2]);
}

#[test]
fn fifty_commits_in_one_question_and_none_the_second_time() {
    let repository = repository(120);
    let forge = Forge::new(numbered, well);
    let caches = tempfile::tempdir().unwrap();
    let run = generate(&repository, &forge, &caches, "").run().expect(0);
    assert_eq!(forge.sizes(), [50, 50, 20]);
    let asked = forge.asked();
    assert!(asked.iter().all(|asked| asked.headers["authorization"] == "Bearer secret-of-the-test"));
    assert_eq!(asked[0].variables, json!({ "owner": "acme", "name": "app" }));
    let answer = run.json();
    assert_eq!(answer["data"]["releases"][0]["enrichment"], json!({ "state": "complete", "missing": 0 }));
    let newest = &entries(&answer)[0];
    let number = u64::from_str_radix(&newest["sha"].as_str().unwrap()[..4], 16).unwrap() + 1;
    assert_eq!(
        newest["pr"],
        json!({ "number": number, "title": "A title", "author": "eve", "labels": ["bug"] })
    );
    let reference = &newest["references"][0];
    assert_eq!((&reference["kind"], &reference["source"]), (&"pr".into(), &"api".into()));
    assert_eq!(reference["url"], format!("https://github.com/acme/app/pull/{number}"));
    assert_eq!(answer["data"]["releases"][0]["contributors"][0]["login"], "ada-l");
    assert!(!run.show().contains("secret-of-the-test"));

    // Everything is kept: nobody is asked, not even without a token.
    let again = generate(&repository, &forge, &caches, "").run().expect(0);
    assert_eq!((forge.asked().len(), again.stdout()), (3, run.stdout()));
    let offline = generate(&repository, &forge, &caches, "--offline").run().expect(0);
    assert_eq!((forge.asked().len(), offline.stdout()), (3, run.stdout()));
    // One new commit is one question about one commit.
    repository.commit("feat: newest");
    let _ = generate(&repository, &forge, &caches, "").run().expect(0);
    assert_eq!(forge.asked().last().unwrap().commits.len(), 1);
    assert_eq!(repository.git(&["status", "--porcelain"]), "", "nothing is written into the repository");
}

#[test]
fn two_questions_at_a_time_and_four_for_two_hundred_commits() {
    let repository = Repository::new();
    repository.git(&["remote", "add", "origin", "https://github.com/acme/app.git"]);
    for number in 0..200 {
        let message = format!("feat: number {number}");
        repository.git(&["commit", "--quiet", "--allow-empty", "--message", &message]);
    }
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (open, highest) = (Arc::clone(&now), Arc::clone(&most));
    let forge = Forge::new(numbered, move |_, _| {
        highest.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(std::time::Duration::from_millis(100));
        open.fetch_sub(1, Ordering::SeqCst);
        Said::Known
    });
    let caches = tempfile::tempdir().unwrap();
    let _ = generate(&repository, &forge, &caches, "--require-enrichment").run().expect(0);
    assert_eq!((forge.sizes(), most.load(Ordering::SeqCst)), (vec![50; 4], 2));
}

#[test]
fn what_the_history_tells_is_not_asked() {
    let repository = Repository::new();
    repository.git(&["remote", "add", "origin", "git@github.com:acme/app.git"]);
    repository.git(&[
        "commit",
        "--quiet",
        "--allow-empty",
        "--author=Ada <1+ada@users.noreply.github.com>",
        "--message",
        "feat: one (#12)",
    ]);
    let forge = Forge::new(numbered, well);
    let caches = tempfile::tempdir().unwrap();
    let answer = generate(&repository, &forge, &caches, "").run().expect(0).json();
    assert_eq!(forge.asked().len(), 0);
    assert_eq!(entries(&answer)[0]["references"][0]["id"], "12");
    // An account alone is asked for with one commit, however many there are.
    for number in 0..5 {
        repository.commit(&format!("fix: number {number} (#{})", number + 20));
    }
    let _ = generate(&repository, &forge, &caches, "").run().expect(0);
    assert_eq!(forge.sizes(), [1]);
    // Without the flag nobody is asked.
    let run = kyklos(repository.path())
        .args("notes generate --unreleased --format json")
        .env("GITHUB_GRAPHQL_URL", forge.url())
        .run()
        .expect(0);
    assert_eq!(run.json()["data"]["releases"][0].get("enrichment"), None);
    assert_eq!(forge.asked().len(), 1);
}

#[test]
fn a_server_that_is_not_well_is_asked_for_less() {
    let repository = repository(60);
    for trouble in [
        Said::Other(502, "X: y", "<html>".to_owned()),
        Said::Other(
            200,
            "X: y",
            json!({ "data": null, "errors": [{ "type": "RESOURCE_LIMITS_EXCEEDED", "message": "too much" }] })
                .to_string(),
        ),
    ] {
        let forge = Forge::new(numbered, move |asked, _| {
            if asked.commits.len() > 20 { trouble.clone() } else { Said::Known }
        });
        let caches = tempfile::tempdir().unwrap();
        let answer = generate(&repository, &forge, &caches, "--require-enrichment").run().expect(0).json();
        // 50 becomes 25 and 25, and each of them 12 and 13.
        assert_eq!(forge.sizes(), [50, 25, 25, 13, 13, 12, 12, 10]);
        assert_eq!(answer["data"]["releases"][0]["enrichment"]["state"], "complete");
    }
}

#[test]
fn a_server_that_says_later_is_asked_later() {
    let repository = repository(3);
    let forge = Forge::new(numbered, |_, before| {
        if before == 0 { Said::Other(403, "Retry-After: 0", "{}".to_owned()) } else { Said::Known }
    });
    let caches = tempfile::tempdir().unwrap();
    let answer = generate(&repository, &forge, &caches, "").run().expect(0).json();
    assert_eq!(forge.sizes(), [3, 3]);
    assert_eq!(answer["data"]["releases"][0]["enrichment"]["missing"], 0);
}

#[test]
fn failure_leaves_the_changelog_as_it_is() {
    let repository = repository(3);
    let plain = kyklos(repository.path()).args("notes generate --unreleased").run().expect(0).stdout();
    let refused = Forge::new(numbered, |_, _| Said::Other(401, "X: y", "{}".to_owned()));
    let caches = tempfile::tempdir().unwrap();
    let run = generate(&repository, &refused, &caches, "").run().expect(0);
    assert_eq!(run.json()["data"]["releases"][0]["enrichment"], json!({ "state": "degraded", "missing": 3 }));
    assert!(
        run.stderr().contains("of 3 commits are not known: ") && run.stderr().contains("answers 401"),
        "{}",
        run.show()
    );
    assert_eq!(refused.asked().len(), 1, "what is refused is not asked again");
    let text = kyklos(repository.path())
        .args("notes generate --unreleased --enrich")
        .env("GITHUB_GRAPHQL_URL", refused.url())
        .env("GITHUB_TOKEN", "t")
        .run()
        .expect(0);
    assert_eq!(text.stdout(), plain);
    let run = generate(&repository, &refused, &caches, "--require-enrichment").run().expect(3);
    assert_eq!(run.json()["diagnostics"][0]["code"], "notes-enrichment");

    // Nothing is kept, and nobody may be asked.
    let run = generate(&repository, &refused, &caches, "--offline --require-enrichment").run().expect(3);
    assert!(run.stderr().contains("--offline asks nobody"), "{}", run.show());
    // Nobody listens.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let run = generate(&repository, &refused, &caches, "")
        .env("GITHUB_GRAPHQL_URL", format!("http://{closed}/graphql"))
        .run()
        .expect(0);
    assert!(run.stderr().contains("of 3 commits are not known"), "{}", run.show());
}

#[test]
fn the_token_goes_to_one_host_only() {
    let repository = repository(2);
    let other = Forge::new(numbered, well);
    // A redirect is not followed.
    let location: &'static str = Box::leak(format!("Location: {}", other.url()).into_boxed_str());
    let forge = Forge::new(numbered, move |_, _| Said::Other(307, location, String::new()));
    let caches = tempfile::tempdir().unwrap();
    let run = generate(&repository, &forge, &caches, "").run().expect(0);
    assert_eq!((forge.asked().len(), other.asked().len()), (1, 0), "{}", run.show());
    // Without TLS only this machine is spoken to.
    let run = generate(&repository, &forge, &caches, "")
        .env("GITHUB_GRAPHQL_URL", "http://api.example/graphql")
        .run()
        .expect(2);
    assert_eq!(run.json()["diagnostics"][0]["code"], "enrich-address");
    let run = generate(&repository, &forge, &caches, "").env("GITHUB_REPOSITORY", "acme").run().expect(2);
    assert_eq!(run.json()["diagnostics"][0]["code"], "enrich-repository");
    // No token, no question to anybody but this machine; nothing listens there, and nothing is looked up.
    let run = kyklos(repository.path())
        .args("notes generate --unreleased --format json --enrich")
        .env("GITHUB_GRAPHQL_URL", "https://api.invalid/graphql")
        .run()
        .expect(0);
    assert!(run.stderr().contains("there is no token"), "{}", run.show());
}

#[test]
fn hostile_answers_are_text() {
    let repository = repository(2);
    let forge = Forge::new(
        |commit| {
            let title = "<img src=x> [a](javascript:b) @org/team closes o/r#1\u{202e}\n# x";
            let mut object = object(commit, Some("a](javascript:x)"), 7, title);
            object["associatedPullRequests"]["nodes"][0]["labels"] =
                json!({ "nodes": [{ "name": "\u{1b}[31m<b>" }] });
            object
        },
        well,
    );
    let caches = tempfile::tempdir().unwrap();
    let answer = generate(&repository, &forge, &caches, "").run().expect(0).json();
    let pull = &entries(&answer)[0]["pr"];
    assert_eq!(pull["title"], "<img src=x> [a](javascript:b) @org/team closes o/r#1 # x");
    assert_eq!(pull["labels"], json!(["[31m<b>"]));
    assert_eq!(answer["data"]["releases"][0]["contributors"][0]["login"], Value::Null);
    let text = kyklos(repository.path())
        .args("notes generate --unreleased --enrich --offline")
        .env("GITHUB_GRAPHQL_URL", forge.url())
        .env("XDG_CACHE_HOME", caches.path())
        .run()
        .expect(0)
        .stdout();
    assert!(text.contains("/pull/7)") && !text.contains("<img") && !text.contains("javascript:"), "{text}");

    // Other bytes than an answer has, more of them than are read, and commits that nobody asked for.
    for body in ["not json".to_owned(), format!("{{\"data\":\"{}\"}}", "x".repeat(9 << 20))] {
        let forge = Forge::new(numbered, move |_, _| Said::Other(200, "X: y", body.clone()));
        let caches = tempfile::tempdir().unwrap();
        let answer = generate(&repository, &forge, &caches, "").run().expect(0).json();
        assert_eq!(answer["data"]["releases"][0]["enrichment"], json!({ "state": "degraded", "missing": 2 }));
    }
    let liar = Forge::new(|_| object("0000000000000000000000000000000000000000", Some("eve"), 1, "x"), well);
    let caches = tempfile::tempdir().unwrap();
    let answer = generate(&repository, &liar, &caches, "").run().expect(0).json();
    assert_eq!(answer["data"]["releases"][0]["enrichment"]["missing"], 2);
}

#[test]
fn a_cache_is_never_inside_the_repository_and_damage_is_no_error() {
    let repository = repository(1);
    let forge = Forge::new(numbered, well);
    let inside = |caches: &str| {
        generate(&repository, &forge, &tempfile::tempdir().unwrap(), "")
            .env("XDG_CACHE_HOME", repository.path().join(caches))
            .run()
            .expect(0)
    };
    let _ = inside("caches");
    assert!(!repository.path().join("caches").exists());
    let caches = tempfile::tempdir().unwrap();
    let _ = generate(&repository, &forge, &caches, "").run().expect(0);
    let host = forge.url().split('/').nth(2).unwrap().replace(':', "_");
    let file = caches.path().join(format!("kyklos-release/commits/v1/{host}/acme/app.json"));
    assert!(file.exists());
    std::fs::write(&file, "{\"x\": 1").unwrap();
    let before = forge.asked().len();
    let _ = generate(&repository, &forge, &caches, "").run().expect(0);
    assert_eq!(forge.asked().len(), before + 1);
    // What is old is asked for again, and still counts where nobody answers.
    let text = std::fs::read_to_string(&file).unwrap();
    let at = text.find("\"at\":").unwrap();
    let end = at + text[at..].find(',').unwrap();
    std::fs::write(&file, format!("{}\"at\":1{}", &text[..at], &text[end..])).unwrap();
    let answer = generate(&repository, &forge, &caches, "--offline").run().expect(0).json();
    assert_eq!(answer["data"]["releases"][0]["enrichment"]["state"], "complete");
    let _ = generate(&repository, &forge, &caches, "").run().expect(0);
    assert_eq!(forge.asked().len(), before + 2);
}
