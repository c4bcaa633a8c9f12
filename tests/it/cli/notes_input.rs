//! Commits and places that notes are not used to.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::notes_text::hostile_beside;
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

/// Adds commits without files, one second apart.
fn import(repository: &Repository, first: usize, messages: &[String]) {
    let mut import = Command::new("git")
        .args(["fast-import", "--quiet", "--force"])
        .current_dir(repository.path())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = import.stdin.take().unwrap();
    for (at, message) in messages.iter().enumerate() {
        let time = 1_767_300_000 + first + at;
        writeln!(stdin, "commit refs/heads/main\ncommitter Ada <ada@example.com> {time} +0000").unwrap();
        writeln!(stdin, "data {}\n{message}", message.len()).unwrap();
        if at == 0 && first > 0 {
            writeln!(stdin, "from refs/heads/main^0").unwrap();
        }
    }
    drop(stdin);
    assert!(import.wait().unwrap().success());
}

#[test]
fn what_messages_bring_is_text_on_every_page() {
    let repository = Repository::new();
    repository.git(&["remote", "add", "origin", "https://github.com/acme/app.git"]);
    let subjects = [
        "<img src=x onerror=alert(1)> and <b>bold</b>",
        "end --> of a comment",
        "</details> of a fold",
        "see [x](javascript:alert(1)) and ![y](https://evil/y.png)",
        "[x]: https://evil.example",
        "``two and `one",
        "===",
        "thank @org/team and @ada",
        "closes org/repo#1 and fixes #2",
        "turn \u{202e}around\u{2069} and \u{200b}hide",
        "| a | b |",
    ];
    let mut messages: Vec<String> = Vec::new();
    for subject in subjects {
        messages.push(format!(
            "feat: {subject}\n\n{subject}\n{subject}\n\nBREAKING CHANGE: {subject}\n===\n{subject}"
        ));
        messages.push(subject.to_owned());
    }
    import(&repository, 0, &messages);
    let sections =
        ["Unreleased", "Changelog", "What's Changed", "New Contributors", "Contributors", "Added", "Changed"];
    let others =
        ["Fixed", "Breaking Changes", "Overview", "What's New", "Improvements", "Bug Fixes", "Known Issues"];
    let more = ["Upgrade Instructions", "Security", "Testing", "Installation", "app Unreleased"];
    let is_title = |title: &str| {
        let known = sections.iter().chain(&others).chain(&more).any(|known| *known == title);
        known || title.ends_with(" Unreleased") || title == "[Unreleased]"
    };
    let links = [
        "https://github.com/acme/app/",
        "https://github.com/ada",
        "https://keepachangelog.com/",
        "https://semver.org/",
        "#",
    ];
    let page = |line: &str| {
        let text = kyklos(repository.path()).args("notes generate").args(line).run().expect(0).stdout();
        assert_eq!(hostile_beside(&text, &links, &is_title), Vec::<String>::new(), "{line}");
        text
    };
    for line in [
        "--all",
        "--unreleased --preset github",
        "--unreleased --preset keep-a-changelog",
        "--unreleased --release-notes",
    ] {
        let text = page(line);
        assert!(text.contains("`@org/team`"), "{line}");
        assert_eq!(page(line), text, "twice the same bytes: {line}");
    }
    // A first line of a megabyte.
    import(&repository, 100, &[format!("fix: {}", "<a> ".repeat(262_144))]);
    let text = page("--unreleased --preset github");
    assert!(text.len() < 20_000 && text.contains('…'), "{}", text.len());
}

#[test]
fn a_page_of_exactly_as_many_bytes_as_it_holds() {
    const PAGE: usize = 125_000;
    let repository = Repository::new();
    repository.git(&["remote", "add", "origin", "https://github.com/acme/app.git"]);
    let page = |limit: usize| {
        let line = format!("notes generate --unreleased --release-notes --max-chars {limit} --format json");
        let run = kyklos(repository.path()).args(&line).run().expect(0);
        let answer = run.json();
        let text = answer["data"]["body"]["text"].as_str().unwrap().to_owned();
        (text, answer["diagnostics"].as_array().unwrap().len(), run.stderr())
    };
    // Letters of two and three bytes, and one commit that fills the rest.
    let line = |at: usize| format!("fix: größer und schöner, 更好更快 {at:05} {}", "ü".repeat(60));
    let two: Vec<String> = (0..2).map(line).collect();
    import(&repository, 0, &two[..1]);
    let first = page(1 << 20).0.len();
    import(&repository, 1, &two[1..]);
    let each = page(1 << 20).0.len() - first;
    let count = (PAGE - first) / each - 2;
    let lines: Vec<String> = (2..2 + count).map(line).collect();
    import(&repository, 2, &lines);
    let mut count = count + 2;
    // Numbers of lines differ by some bytes.
    while PAGE - page(1 << 20).0.len() > each + 150 {
        import(&repository, count, &[line(count)]);
        count += 1;
    }
    import(&repository, 9000, &["fix: p".to_owned()]);
    let missing = PAGE - page(1 << 20).0.len();
    assert!((1..350).contains(&missing), "{missing}");
    let fill = |letters: usize| {
        repository.git(&["update-ref", "refs/heads/main", "refs/heads/main~1"]);
        import(&repository, 9000, &[format!("fix: p{}", "q".repeat(letters))]);
    };
    fill(missing);
    let (whole, diagnostics, said) = page(PAGE);
    assert_eq!((whole.len(), diagnostics, said.as_str()), (PAGE, 0, ""));
    fill(missing + 1);
    let (short, diagnostics, said) = page(PAGE);
    assert!(short.len() <= PAGE && diagnostics == 1, "{} {diagnostics}", short.len());
    assert_eq!(said, "warning: contributors were left out to stay within 125000 bytes\n");
    assert_eq!(short.matches("- größer").count(), count, "no line is cut");
}
