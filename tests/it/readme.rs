//! The session in the README is a real one.

use crate::support::command::kyklos;
use crate::support::elf;
use crate::support::repository::Repository;

/// The repository of the session.
fn repository() -> Repository {
    let repository = Repository::new();
    repository.write(".gitignore", "bin/\nrehearsal/\n");
    repository.write("release.yaml", "name: app\nimage:\n  repository: registry.example/acme/app\n");
    repository.commit("feat: pause and resume");
    repository.commit("fix: count the last day");
    for architecture in ["amd64", "arm64"] {
        repository.write(&format!("bin/app-{architecture}"), elf::go(architecture, elf::MODULES));
    }
    repository
}

/// What differs from run to run, in one spelling.
fn plain(text: &str, place: &str) -> String {
    let text = text.replace(place, "/home/ada/app");
    let mut out = String::new();
    for line in text.lines() {
        match line.split_once(", rid ") {
            Some((before, _)) => out.push_str(&format!("{before}, rid 4f1c9a04e7b2\n")),
            None => out.push_str(&format!("{line}\n")),
        }
    }
    out
}

#[test]
fn the_session_is_what_the_program_says() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once("```console\n").unwrap();
    let (session, after) = rest.split_once("```\n").unwrap();
    let command = session.lines().next().unwrap().strip_prefix("$ kyklos-release ").unwrap();
    let repository = repository();
    let run = kyklos(repository.path()).args(command).run().expect(0);
    let place = repository.path().canonicalize().unwrap().display().to_string();
    let told = format!("$ kyklos-release {command}\n{}", plain(&(run.stderr() + &run.stdout()), &place));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, format!("{before}```console\n{told}```\n{after}")).unwrap();
        return;
    }
    assert_eq!(session, told, "run UPDATE_DOCS=1 cargo test readme");
}
