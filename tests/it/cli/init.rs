//! `init`: what it writes can be used as it is.

use crate::support::command::kyklos;
use crate::support::repository::Repository;

#[test]
fn what_it_writes_is_read_by_the_other_commands() {
    let repository = Repository::new();
    repository.git(&["remote", "add", "origin", "https://github.com/Acme/App.git"]);
    repository.write("go.mod", "module example.com/app\n");
    repository.commit("feat: start");
    let written = kyklos(repository.path()).args("init").run().expect(0);
    assert_eq!(written.stdout(), "release.yaml\npolicies/release.yaml\n");
    let config = std::fs::read_to_string(repository.path().join("release.yaml")).unwrap();
    assert!(config.contains("name: App\n") && config.contains("repository: ghcr.io/acme/app\n"), "{config}");
    let gates =
        kyklos(repository.path()).args("gate list --policy policies/release.yaml").run().expect(0).stdout();
    assert_eq!(gates, "approval  approvals\nchangelog\nchecksums\nimage\nsbom\nsignatures\ntests\n");
    repository.commit("chore: releases");
    let _ = kyklos(repository.path()).args("rehearse").run().expect(0);
}

#[test]
fn it_overwrites_only_when_told() {
    let repository = Repository::new();
    repository.write("release.yaml", "name: mine\n");
    repository.commit("feat: start");
    let run = kyklos(repository.path()).args("init").run().expect(5);
    assert!(run.stderr().contains("error[init-exists]: release.yaml exists already"), "{}", run.show());
    assert!(!repository.path().join("policies").exists());
    let _ = kyklos(repository.path()).args("init --force").run().expect(0);
    assert!(std::fs::read_to_string(repository.path().join("release.yaml")).unwrap().starts_with('#'));
}
