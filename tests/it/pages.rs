//! The sessions in `docs/` are real ones.

use crate::support::command::kyklos;
use crate::support::elf;
use crate::support::page::replay;
use crate::support::registry::{Options, TestRegistry};
use crate::support::repository::Repository;

/// The repository of `docs/notes.md`.
fn noted() -> Repository {
    let repository = Repository::new();
    repository.git(&["remote", "add", "origin", "https://github.com/acme/app.git"]);
    repository.commit("feat: scale by a schedule");
    repository.tag("v0.1.0");
    repository.commit("fix(api): count the last day (#7)");
    repository.commit("feat!: replicas are required\n\nBREAKING CHANGE: set defaultReplicas");
    repository.tag("v0.2.0");
    repository
        .write("CHANGELOG.md", "# Changelog\n\nWe write this with care.\n\n## 0.1.0\n\nThe first one!\n");
    repository.write(".kyklos/notes/v0.2.0/overview.md", "This release makes schedules strict.\n");
    repository.write(".kyklos/changes/7.md", "Schedules count their last day\n");
    repository.write(
        "entry.hbs",
        "* {{upper_first description}} {{#if pr}}{{pr_link pr}}{{else}}{{code (short_sha sha)}}{{/if}}\n",
    );
    repository
}

#[test]
fn notes() {
    let repository = noted();
    replay("docs/notes.md", |command| match command.strip_prefix("cat ") {
        Some(file) => std::fs::read_to_string(repository.path().join(file)).unwrap(),
        None => {
            let line = command.strip_prefix("kyklos-release ").unwrap();
            let run = kyklos(repository.path()).args(line).run().expect(0);
            run.stderr() + &run.stdout()
        }
    });
}

/// A host that keeps nothing of another, reached as `registry.example`.
#[test]
fn images() {
    let here = tempfile::tempdir().unwrap();
    std::fs::create_dir(here.path().join("bin")).unwrap();
    for architecture in ["amd64", "arm64"] {
        let program = elf::go(architecture, elf::MODULES);
        std::fs::write(here.path().join(format!("bin/app-{architecture}")), program).unwrap();
    }
    let host = TestRegistry::start(Options::default());
    replay("docs/images.md", |command| {
        let line = command.strip_prefix("kyklos-release ").unwrap();
        let line = line.replace("registry.example", &host.host());
        let run = kyklos(here.path()).args(&line).env("SOURCE_DATE_EPOCH", "1767225600").run();
        assert!([0, 5].contains(&run.code()), "{}", run.show());
        let told = (run.stderr() + &run.stdout()).replace(&host.host(), "registry.example");
        // A probe asks for digests that nobody has.
        if line.starts_with("image probe") { without_digests(&told) } else { told }
    });
}

fn without_digests(text: &str) -> String {
    let mut parts = text.split("sha256:");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + "sha256:…" + &part[64..])
}
