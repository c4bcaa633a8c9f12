//! `notes import`.

use crate::support::command::kyklos;
use crate::support::repository::Repository;

const CLIFF: &str = "[changelog]\nbody = \"{{ x }}\"\n\n[git]\ncommit_parsers = [\n  { message = \"^feat\", group = \"<!-- 0 -->New things\" },\n  { message = \"^docs:\", group = \"<!-- 1 -->Documentation\" },\n  { message = \"^fix\", skip = true },\n]\n";

#[test]
fn what_is_carried_over_works_here() {
    let repository = Repository::new();
    repository.write("cliff.toml", CLIFF);
    let run = kyklos(repository.path()).args("notes import").run().expect(0);
    insta::assert_snapshot!(run.show(), @r#"
    exit 0
    --- stdout
    notes:
      sections:
        - "New things"
        - "Documentation"
      types:
        "docs": "Documentation"
        "feat": "New things"
        "feature": "New things"
        "fix": "hidden"
    --- stderr
    warning: cliff.toml:2: `changelog.body` was not carried over; templates are handlebars here: `kyklos-release notes template show NAME`, then notes.template or notes.partials
    "#);
    repository.write("release.yaml", format!("name: app\n{}", run.stdout()));
    repository.commit("docs: told");
    repository.commit("fix: not told");
    repository.commit("feat: one");
    let notes = kyklos(repository.path()).args("notes generate --unreleased").run().expect(0).stdout();
    let (new, documentation) = (notes.find("### New things"), notes.find("### Documentation"));
    assert!(new.is_some() && new < documentation && !notes.contains("not told"), "{notes}");
}

#[test]
fn findings_stand_in_the_answer() {
    let here = tempfile::tempdir().unwrap();
    std::fs::write(here.path().join("c.toml"), CLIFF).unwrap();
    let answer = kyklos(here.path()).args("notes import c.toml --format json").run().expect(0).json();
    assert_eq!(answer["schema"], "kyklos-release/notes-import/v1");
    assert_eq!((&answer["data"]["lost"], &answer["data"]["other"]), (&1.into(), &0.into()));
    let finding = &answer["diagnostics"][0];
    assert_eq!(
        (&finding["code"], &finding["path"], &finding["line"]),
        (&"import-setting".into(), &"c.toml".into(), &2.into())
    );
    assert!(answer["data"]["yaml"].as_str().unwrap().starts_with("notes:\n"));
}

#[test]
fn a_file_that_cannot_be_read_is_shown() {
    let here = tempfile::tempdir().unwrap();
    std::fs::write(here.path().join("cliff.toml"), "[git]\ncommit_parsers = 7\n").unwrap();
    let run = kyklos(here.path()).args("notes import").run().expect(2);
    assert!(
        run.stdout().is_empty() && run.stderr().contains("error[cliff]: expected a list, found integer"),
        "{}",
        run.show()
    );
    assert!(run.stderr().contains("cliff.toml:2:18"), "{}", run.show());
    assert!(
        kyklos(here.path())
            .args("notes import missing.toml")
            .run()
            .expect(2)
            .stderr()
            .contains("missing.toml")
    );
}
