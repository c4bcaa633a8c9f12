//! `notes import`.

use crate::support::command::kyklos;
use crate::support::repository::Repository;

const CLIFF: &str = "[changelog]\nbody = \"{{ x }}\"\n\n[git]\ncommit_parsers = [\n  { message = \"^feat\", group = \"<!-- 0 -->New things\" },\n  { message = \"^docs:\", group = \"<!-- 1 -->Documentation\" },\n  { message = \"^fix\", skip = true },\n]\n";

#[test]
fn what_is_carried_over_works_here() {
    let repository = Repository::new();
    repository.git(&["remote", "add", "origin", "https://github.com/acme/app.git"]);
    repository.write("cliff.toml", CLIFF);
    let run = kyklos(repository.path()).args("notes import").run().expect(0);
    insta::assert_snapshot!(run.show(), @r#"
    exit 0
    --- stdout
    name: app
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
    // The shell makes the file before the command runs.
    repository.write("release.yaml", "");
    let again = kyklos(repository.path()).args("notes import").run().expect(0).stdout();
    assert_eq!(again, run.stdout());
    repository.write("release.yaml", again);
    let beside = kyklos(repository.path()).args("notes import").run().expect(0).stdout();
    assert_eq!(format!("name: app\n{beside}"), run.stdout());
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

#[test]
fn what_git_cliff_leaves_out_is_left_out() {
    let repository = Repository::new();
    repository.git(&["remote", "add", "origin", "https://github.com/acme/app.git"]);
    repository.write("cliff.toml", "[git]\nfilter_unconventional = true\n");
    repository.commit("feat: begin");
    repository.tag("v1.0.0");
    repository.commit("Words without a type");
    assert_eq!(kyklos(repository.path()).args("notes next").run().expect(0).stdout(), "1.0.1\n");
    let yaml = kyklos(repository.path()).args("notes import").run().expect(0).stdout();
    assert_eq!(yaml, "name: app\nnotes:\n  types:\n    \"untyped\": \"hidden\"\n");
    repository.write("release.yaml", yaml);
    let run =
        kyklos(repository.path()).args("notes generate --unreleased --format json").run().expect(0).json();
    let release = &run["data"]["releases"][0];
    assert_eq!((&release["stats"]["entries"], &release["unconventional_count"]), (&0.into(), &1.into()));
    // Nor is it a reason for a release, unless somebody says so; and it can have a heading of its own.
    let nothing = kyklos(repository.path()).args("notes next").run().expect(1);
    assert!(nothing.stderr().contains("nothing to release"), "{}", nothing.show());
    let settings = "name: app\nnotes:\n  types: { untyped: Other }\n  bump: { untyped: minor }\n";
    repository.write("release.yaml", settings);
    assert_eq!(kyklos(repository.path()).args("notes next").run().expect(0).stdout(), "1.1.0\n");
    let text = kyklos(repository.path()).args("notes generate --unreleased").run().expect(0).stdout();
    assert!(text.contains("### Other\n\n- Words without a type ("), "{text}");
}
