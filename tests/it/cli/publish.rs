//! `plan`, `publish`, `status`, `manual`, `abort` on a directory forge.

use crate::support::command::{Run, kyklos};
use crate::support::repository::Repository;

/// A tagged repository with a directory of files.
fn repository() -> Repository {
    let repository = Repository::new();
    repository.write("release.yaml", "name: app\n");
    repository.write(".gitignore", "out/\ndist/\n");
    repository.commit("feat: one");
    repository.tag("v1.0.0");
    repository.write("dist/app.txt", "app");
    repository.write("dist/RELEASE-NOTES-v1.0.0.md", "# app 1.0.0\n");
    repository
}

fn run(repository: &Repository, line: &str) -> Run {
    kyklos(repository.path()).args(line).run()
}

#[test]
fn from_files_to_a_release_and_back_again() {
    let repository = repository();
    let rid = run(&repository, "plan v1.0.0").expect(0).stdout();
    assert!(rid.starts_with("sha256:"), "{rid}");
    assert_eq!(
        run(&repository, "plan v1.0.0").expect(0).stdout(),
        rid,
        "the same files give the same identity"
    );
    let absent = run(&repository, "status v1.0.0 --forge dir:out/forge --format json").expect(0).json();
    assert_eq!(absent["data"]["state"], "absent");
    let dry = run(&repository, "publish v1.0.0 --dist dist --forge dir:out/forge --dry-run").expect(0);
    assert!(dry.stdout().ends_with("publish v1.0.0\nmake v1.0.0 the latest release\n"), "{}", dry.show());
    assert!(!repository.path().join("out").exists());
    let done = run(&repository, "publish v1.0.0 --dist dist --forge dir:out/forge").expect(0);
    assert!(done.stderr().contains("warning: no gates: commit"), "{}", done.show());
    assert_eq!(done.stdout(), "v1.0.0 is published\n");
    let again = run(&repository, "publish v1.0.0 --forge dir:out/forge").expect(0);
    assert_eq!(again.stdout(), "v1.0.0 was published before; nothing changed\n");
    let status = run(&repository, "status v1.0.0 --forge dir:out/forge").expect(0).stdout();
    assert!(status.starts_with("v1.0.0 is published\n"), "{status}");
    let manual = run(&repository, "manual v1.0.0 --forge dir:out/forge").expect(0).stdout();
    assert!(manual.contains("Nothing is left to do"), "{manual}");
    assert_eq!(run(&repository, "abort v1.0.0 --forge dir:out/forge").code(), 5);
    assert_eq!(run(&repository, "abort v2.0.0 --forge dir:out/forge").code(), 0);
}

#[test]
fn nothing_is_staged_without_bytes() {
    let repository = repository();
    let run = run(&repository, "publish v1.0.0 --forge dir:out/forge").expect(3);
    let archive = kyklos(repository.path()).args("archive v1.0.0 -o out/a.tar.gz").run().expect(0).stdout();
    let digest = archive.split(' ').next().unwrap();
    assert_eq!(
        run.show(),
        format!(
            "exit 3\n--- stdout\n--- stderr\nerror[publish-no-manifest]: nothing of v1.0.0 is staged\n  missing  app-v1.0.0.tar.gz sha256:{digest}\nhelp: run `kyklos-release publish v1.0.0 --dist DIR` with the planned files\n"
        )
    );
    assert!(
        self::run(&repository, "publish v2.0.0 --forge dir:out/forge")
            .expect(2)
            .stderr()
            .contains("no tag `v2.0.0`")
    );
}

#[test]
fn what_was_not_planned_is_planned_from_the_repository_at_the_tag() {
    let repository = repository();
    let done =
        run(&repository, "publish v1.0.0 --dist dist --forge dir:out/forge --format json").expect(0).json();
    assert!(
        !repository.path().join("dist/release-manifest.json").exists(),
        "publish changes nothing in dist"
    );
    let rid = run(&repository, "plan v1.0.0").expect(0).stdout();
    assert_eq!(done["data"]["rid"].as_str(), Some(rid.trim()));
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::create_dir(elsewhere.path().join("dist")).unwrap();
    std::fs::write(elsewhere.path().join("dist/app.txt"), "app").unwrap();
    let lost =
        kyklos(elsewhere.path()).args("publish v1.0.0 --dist dist --forge dir:out/forge").run().expect(2);
    assert!(lost.stderr().contains("kyklos-release plan v1.0.0 --dist"), "{}", lost.show());
}

#[test]
fn a_tag_is_released_as_its_commit_says_whatever_came_after() {
    let repository = repository();
    let rid = run(&repository, "plan v1.0.0").expect(0).stdout();
    repository.write("release.yaml", "name: other\ntag: \"release-{version}\"\n");
    repository.commit("feat: another name");
    assert_eq!(run(&repository, "plan v1.0.0").expect(0).stdout(), rid);
    let written = std::fs::read_to_string(repository.path().join("dist/release-manifest.json")).unwrap();
    assert!(written.contains("\"name\":\"app\""), "{written}");
    let archived = run(&repository, "archive v1.0.0").expect(0).stdout();
    assert!(archived.ends_with("  app-v1.0.0.tar.gz\n"), "{archived}");
    let other = run(&repository, "archive v1.0.0 --config release.yaml").expect(2);
    assert!(other.stderr().contains("does not have the form `release-{version}`"), "{}", other.show());
}

#[test]
fn a_policy_out_of_reach_is_no_reason_to_go_without() {
    let repository = repository();
    let _ = run(&repository, "plan v1.0.0").expect(0);
    let dist = repository.path().join("dist").display().to_string();
    let line = format!("publish v1.0.0 --dist {dist} --forge dir:out/forge");
    let stranger = Repository::new();
    stranger.commit("feat: something else");
    let unknown = run(&stranger, &line).expect(3);
    assert!(
        unknown.stderr().starts_with("error[publish-no-policy]: the repository here does not hold commit ")
    );
    assert!(!stranger.path().join("out").exists());
    repository.write("release.yaml", "nmae: app\n");
    repository.commit("fix: a name");
    repository.tag("v1.0.1");
    let broken = run(&repository, "publish v1.0.1 --dist dist --forge dir:out/forge").expect(5);
    assert!(broken.stderr().contains("error[publish-other-tag]"), "{}", broken.show());
    std::fs::remove_file(repository.path().join("dist/release-manifest.json")).unwrap();
    let broken = run(&repository, "publish v1.0.1 --dist dist --forge dir:out/forge").expect(2);
    assert!(broken.stderr().contains("v1.0.1:release.yaml:1:1"), "{}", broken.show());
    assert!(!repository.path().join("out").exists());
}

#[test]
fn files_no_forge_keeps_are_refused_by_the_plan() {
    let repository = repository();
    for name in ["a b.txt", ".hidden", "con.txt"] {
        repository.write(&format!("dist/{name}"), "x");
        let run = run(&repository, "plan v1.0.0").expect(2);
        assert!(run.stderr().contains("cannot be an asset"), "{}", run.show());
        assert!(!repository.path().join("dist/release-manifest.json").exists());
        std::fs::remove_file(repository.path().join("dist").join(name)).unwrap();
    }
    repository.write("dist/sub/file", "x");
    assert!(run(&repository, "plan v1.0.0").expect(2).stderr().contains("dist is flat"));
}

#[test]
fn a_changed_dist_is_another_release() {
    let repository = repository();
    let _ = run(&repository, "plan v1.0.0").expect(0);
    repository.write("dist/app.txt", "other");
    let drift = run(&repository, "plan v1.0.0").expect(5);
    assert!(drift.stderr().contains("error[plan-drift]"), "{}", drift.show());
    let changed = run(&repository, "publish v1.0.0 --dist dist --forge dir:out/forge").expect(5);
    assert!(changed.stderr().contains("error[publish-changed]"), "{}", changed.show());
    assert!(!repository.path().join("out/forge/releases").exists());
}

#[test]
fn the_policy_of_the_tag_decides_before_anything_is_sent() {
    let repository = Repository::new();
    let policy = "apiVersion: kyklos.release/v1\nkind: ReleasePolicy\nmetadata: { name: app }\nprofiles: { pre-release: { gates: [unit] } }\ngates: { unit: { type: tests, minTests: 1 } }\n";
    repository.write("policies/release.yaml", policy);
    repository.write(".gitignore", "out/\ndist/\nevidence/\nunit.json\n");
    repository.commit("feat: one");
    repository.tag("v1.0.0");
    repository.write("dist/app.txt", "app");
    let _ = run(&repository, "plan v1.0.0").expect(0);
    let blocked = run(&repository, "publish v1.0.0 --dist dist --forge dir:out/forge").expect(3);
    assert!(blocked.stdout().ends_with("nothing was sent\n"), "{}", blocked.show());
    assert!(!repository.path().join("out").exists());
    let report = |action: &str| {
        format!(
            "{{\"Action\":\"start\",\"Package\":\"p\"}}\n{{\"Action\":\"{action}\",\"Package\":\"p\",\"Test\":\"A\"}}\n{{\"Action\":\"{action}\",\"Package\":\"p\"}}\n"
        )
    };
    repository.write("unit.json", report("fail"));
    let _ = run(&repository, "evidence add unit.json --kind gotest").expect(0);
    let _ =
        run(&repository, "publish v1.0.0 --dist dist --forge dir:out/forge --evidence evidence").expect(1);
    repository.write("unit.json", report("pass"));
    let _ = run(&repository, "evidence add unit.json --kind gotest").expect(0);
    let _ =
        run(&repository, "publish v1.0.0 --dist dist --forge dir:out/forge --evidence evidence").expect(0);
}

#[test]
fn a_withdrawn_release_is_told_by_every_command() {
    let repository = repository();
    let _ = run(&repository, "publish v1.0.0 --dist dist --forge dir:out/forge").expect(0);
    let unsaid = kyklos(repository.path())
        .args("yank v1.0.0 --forge dir:out/forge --reason")
        .arg("two\nlines")
        .run()
        .expect(2);
    assert!(unsaid.stderr().contains("expected one line of 1 to 200 bytes"), "{}", unsaid.show());
    let yank =
        || kyklos(repository.path()).args("yank v1.0.0 --forge dir:out/forge --reason").arg("it eats data");
    let yanked = yank().run().expect(0);
    assert_eq!(yanked.stdout(), "v1.0.0 is withdrawn; its files and images stay for whoever pinned them\n");
    assert_eq!(yank().run().expect(0).stdout(), "v1.0.0 was withdrawn before; nothing changed\n");
    let status = run(&repository, "status v1.0.0 --forge dir:out/forge --format json").expect(0).json();
    assert_eq!(status["data"]["state"], "withdrawn");
    assert_eq!(status["data"]["next"], "v1.0.0 is withdrawn: it eats data");
    let again = run(&repository, "publish v1.0.0 --dist dist --forge dir:out/forge").expect(5);
    assert!(
        again.stderr().contains("error[publish-withdrawn]: v1.0.0 is withdrawn: it eats data"),
        "{}",
        again.show()
    );
    assert_eq!(run(&repository, "abort v1.0.0 --forge dir:out/forge").code(), 5);
}

#[test]
fn what_is_not_what_was_published_is_not_said_to_be() {
    let repository = repository();
    let publish = |more: &str| run(&repository, &format!("publish v1.0.0 --forge dir:out/forge {more}"));
    let _ = publish("--dist dist").expect(0);
    repository.write("other/app.txt", "another app");
    let other = publish("--dist other").expect(5);
    insta::assert_snapshot!(other.stderr(), @r"
    error[publish-other-dist]: app.txt in dist is not what the v1.0.0 on the forge holds; nothing was sent
      expected  sha256:a172cedcae47474b615c54d510a5d84a8dea3032e958587430b413538be3f333
      found     sha256:341b43ed6848dbcef811e5d4ba021381fa319d38271f511d3cdf59318b680838
    help: without --dist, `kyklos-release publish v1.0.0` goes on with what is on the forge
    help: `kyklos-release abort v1.0.0` gives a draft up; published bytes never change
    ");
    repository.write("more/app.txt", "app");
    assert_eq!(publish("--dist more").expect(0).stdout(), "v1.0.0 was published before; nothing changed\n");
    repository.write("more/new.txt", "new");
    assert!(publish("--dist more").expect(5).stderr().contains("expected  no such file"));
    // Nobody is told that a commit was published because another one was.
    repository.commit("fix: two");
    repository.git(&["tag", "--force", "v1.0.0"]);
    let moved = publish("").expect(5);
    assert!(
        moved.stderr().contains("error[publish-tag-moved]: the tag v1.0.0 is at another commit"),
        "{}",
        moved.show()
    );
    repository.git(&["tag", "--delete", "v1.0.0"]);
    let _ = publish("").expect(0);
}

#[test]
fn a_tag_that_moved_after_the_plan_is_not_published() {
    let repository = repository();
    let _ = run(&repository, "plan v1.0.0").expect(0);
    repository.commit("fix: two");
    repository.git(&["tag", "--force", "v1.0.0"]);
    let moved = run(&repository, "publish v1.0.0 --dist dist --forge dir:out/forge").expect(5);
    assert!(moved.stderr().contains("error[publish-tag-moved]"), "{}", moved.show());
    assert!(!repository.path().join("out").exists());
}

#[test]
fn what_is_published_is_not_given_up() {
    let repository = repository();
    let _ = run(&repository, "publish v1.0.0 --dist dist --forge dir:out/forge").expect(0);
    insta::assert_snapshot!(run(&repository, "abort v1.0.0 --forge dir:out/forge").show(), @r"
    exit 5
    --- stdout
    --- stderr
    error[forge-published]: v1.0.0 is published and cannot be given up; nothing was changed
    help: `kyklos-release yank v1.0.0 --forge FORGE --reason REASON` withdraws what is published
    ");
}

#[test]
fn a_registry_that_is_damaged_is_no_verdict() {
    let repository = Repository::new();
    repository.write("release.yaml", "name: app\n");
    repository.write(".gitignore", "bin/\nout/\n");
    repository.commit("feat: one");
    repository.tag("v1.0.0");
    repository.write("bin/app", crate::support::elf::elf("amd64", &[]));
    let _ = run(&repository, "rehearse -o out --binary linux/amd64=bin/app").code();
    let index = repository.path().join("out/registry/index.json");
    assert!(index.exists());
    let _ = run(&repository, "plan v1.0.0 --dist out/dist").code();
    std::fs::write(&index, "{").unwrap();
    let told = run(&repository, "publish v1.0.0 --dist out/dist --forge dir:out/new").expect(5).stderr();
    assert!(told.contains("error[registry-invalid]: the registry of localhost/app"), "{told}");
}

#[test]
fn two_files_that_are_one_elsewhere_are_refused_by_the_plan() {
    let repository = repository();
    repository.write("dist/App.txt", "another");
    let told = run(&repository, "plan v1.0.0").expect(2).stderr();
    assert!(told.contains("error[plan-name]: `App.txt` and `app.txt` in dist are one file"), "{told}");
}
