//! Commits and places that notes are not used to.

use crate::support::command::kyklos;
use crate::support::notes::{entries, generate};
use crate::support::repository::Repository;

#[test]
fn a_message_of_ten_megabytes_and_bytes_that_are_no_text() {
    let repository = Repository::new();
    let file =
        repository.write("message", format!("feat: large\n\n{}", "Closes #1, text: more\n".repeat(480_000)));
    let file = file.to_str().unwrap();
    repository.commit("chore: begin");
    repository.tag("v1.0.0");
    repository.git(&["commit", "--quiet", "--allow-empty", "--file", file]);
    std::fs::write(file, b"fix: caf\xe9 undeclared\n\nbody \xff\n").unwrap();
    repository.git(&["commit", "--quiet", "--allow-empty", "--file", file]);
    std::fs::write(file, b"fix: caf\xe9 declared\n").unwrap();
    repository.git(&[
        "-c",
        "i18n.commitEncoding=ISO-8859-1",
        "commit",
        "--quiet",
        "--allow-empty",
        "--file",
        file,
    ]);
    std::fs::write(file, b"\xff\xfe\x01\x02\n").unwrap();
    repository.git(&["commit", "--quiet", "--allow-empty", "--file", file]);
    let release = &generate(&repository, "--unreleased")[0];
    let told: Vec<String> =
        entries(release).iter().map(|entry| entry["description"].as_str().unwrap().to_owned()).collect();
    // git takes bytes that are no UTF-8 for Latin-1 when it commits, unless an encoding is declared.
    for line in ["large", "caf\u{e9} undeclared", "caf\u{e9} declared"] {
        assert!(told.iter().any(|told| told == line), "{line}: {told:?}");
    }
    assert_eq!(kyklos(repository.path()).args("notes next").run().expect(0).stdout(), "1.1.0\n");
    assert_eq!(kyklos(repository.path()).args("notes generate").run().code(), 0);
}

#[test]
fn an_output_that_cannot_be_written_leaves_nothing() {
    let repository = Repository::new();
    repository.commit("feat: one");
    repository.write("file", "not a directory\n");
    for line in ["", "--format json"] {
        let run = kyklos(repository.path()).args("notes generate -o file/out").args(line).run();
        assert!(run.code() != 0 && run.stderr().contains("file"), "{}", run.show());
        assert_eq!(std::fs::read_to_string(repository.path().join("file")).unwrap(), "not a directory\n");
    }
    // A directory is no file, whatever it is called.
    std::fs::create_dir(repository.path().join("directory")).unwrap();
    for name in [".", "directory", "directory/", "directory/.."] {
        let run = kyklos(repository.path()).args("notes generate -o").arg(name).run().expect(2);
        assert!(run.stderr().contains("is a directory"), "{}", run.show());
    }
    // Where a file is, it is replaced whole; nothing lies beside it afterwards.
    repository.write("out", "old\n");
    assert_eq!(kyklos(repository.path()).args("notes generate --format json -o out").run().code(), 0);
    let text = std::fs::read_to_string(repository.path().join("out")).unwrap();
    assert!(text.starts_with("{\"schema\"") && text.ends_with("}\n"), "{text}");
    let left: Vec<String> = std::fs::read_dir(repository.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with(".kyklos"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
