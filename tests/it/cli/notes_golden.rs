//! One history with everything in it, as each preset tells it.

use std::path::Path;

use crate::support::command::kyklos;
use crate::support::repository::Repository;

/// Two releases and what follows: a merge, a squash, reverts, a copy, an advisory, something that breaks, words without a
/// type, two people and a program.
fn rich() -> Repository {
    let repository = Repository::new();
    repository.git(&["remote", "add", "origin", "git@github.com:acme/app.git"]);
    repository.commit("Initial commit");
    repository.write("a", "1");
    repository.commit("feat: scale by a schedule");
    repository.commit("chore: set the build up");
    repository.tag("v0.1.0");
    repository.git(&["checkout", "--quiet", "-b", "work"]);
    repository.write("b", "1");
    repository.commit("feat(api): pause and resume");
    repository.write("b", "2");
    let picked = repository.commit("fix(controller): count the last day\n\nCloses #3, #4");
    repository.git(&["checkout", "--quiet", "main"]);
    repository.write("c", "1");
    repository.commit("perf: read the table once (#5)");
    repository.git(&["cherry-pick", "-x", &picked]);
    let message = "Merge pull request #7 from ada/work\n\nfeat(api): pause and resume";
    repository.git(&["merge", "--quiet", "--no-ff", "--message", message, "work"]);
    repository.write("d", "1");
    let wrong = repository.commit("feat: something hasty");
    repository.write("d", "2");
    repository.commit(&format!("Revert \"feat: something hasty\"\n\nThis reverts commit {wrong}."));
    repository.tag("v0.2.0-rc.1");
    repository.write("e", "1");
    repository.commit("fix(deps): update the parser\n\nRefs: CVE-2026-12345");
    repository.write("f", "1");
    repository.commit("feat(api,cli)!: replicas are required (#9)\n\nBREAKING CHANGE: set `defaultReplicas`, @all who left it out\n\nCo-authored-by: Grace <1+grace@users.noreply.github.com>");
    repository.write("g", "1");
    repository.commit("deprecate: the field `lastUpdateTime`\n\nCo-authored-by: robot[bot] <2+robot[bot]@users.noreply.github.com>");
    repository.commit("docs: tell of it");
    repository.tag("v0.2.0");
    repository.write("h", "1");
    repository.commit("Tidy <up> the [tables] (#11)");
    repository.commit("fix: <img src=x onerror=alert(1)> in names, fixes #12");
    repository
}

/// Compares a text with a file; `UPDATE_DOCS=1` writes it.
fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/notes").join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        text, expected,
        "{name}: run UPDATE_DOCS=1 cargo test --test it golden and look at the difference"
    );
}

#[test]
fn every_preset_tells_the_same_history() {
    let repository = rich();
    let again = rich();
    for (name, line) in [
        ("kyklos.md", "--all"),
        ("keep-a-changelog.md", "--all --preset keep-a-changelog"),
        ("github.md", "--tag v0.2.0 --preset github"),
        ("release-notes.md", "--tag v0.2.0 --release-notes"),
        ("release-notes-prerelease.md", "--tag v0.2.0-rc.1 --release-notes"),
    ] {
        let make = |repository: &Repository| {
            kyklos(repository.path()).args("notes generate").args(line).run().expect(0)
        };
        let text = make(&repository).stdout();
        // The directory is not told, and neither is the time.
        let name_of =
            |repository: &Repository| repository.path().file_name().unwrap().to_string_lossy().into_owned();
        assert_eq!(make(&again).stdout().replace(&name_of(&again), &name_of(&repository)), text, "{name}");
        golden(name, &text);
    }
}
