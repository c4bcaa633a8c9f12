//! What every command shares.

use crate::support::command::kyklos;

#[test]
fn an_unknown_command_is_a_usage_error() {
    let here = tempfile::tempdir().unwrap();
    let run = kyklos(here.path()).args("frobnicate").run().expect(2);
    assert!(run.stderr().contains("unrecognized subcommand 'frobnicate'"), "{}", run.show());
    assert_eq!(run.stdout(), "");
}

#[test]
fn a_usage_error_is_json_when_json_was_asked_for() {
    let here = tempfile::tempdir().unwrap();
    let answer = kyklos(here.path()).args("frobnicate --format json").run().expect(2).json();
    assert_eq!(answer["schema"], "kyklos-release/error/v1");
    assert_eq!(answer["ok"], false);
    assert_eq!(answer["data"], serde_json::Value::Null);
    assert_eq!(answer["diagnostics"][0]["code"], "usage");
}

#[test]
fn a_format_a_command_does_not_have_is_refused() {
    let here = tempfile::tempdir().unwrap();
    insta::assert_snapshot!(kyklos(here.path()).args("schema --format sarif").run().show(), @r"
    exit 2
    --- stdout
    --- stderr
    error[format]: this command does not answer in sarif
      expected  text, json
      found     sarif
    ");
}

const BUG: &str = "KYKLOS_RELEASE_TEST_BUG";

/// Not a test of its own: the process that the next one starts.
#[test]
fn buggy() {
    if std::env::var_os(BUG).is_some() {
        kyklos_release::cli::install_panic_hook();
        panic!("the invariant does not hold");
    }
}

#[test]
fn a_bug_exits_with_70_and_says_what_to_report() {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "cli::frame::buggy", "--nocapture"])
        .env(BUG, "1")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(70));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("error[bug]"), "{text}");
    assert!(text.contains("the invariant does not hold"), "{text}");
    assert!(text.contains("/issues"), "{text}");
}

#[test]
fn a_closed_pipe_is_no_error() {
    use std::io::Read as _;
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_kyklos-release"))
        .args(["completions", "bash"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!((child.wait().unwrap().code(), stderr.as_str()), (Some(0), ""));
}

#[test]
fn colours_obey_the_flag_and_the_environment() {
    let here = tempfile::tempdir().unwrap();
    let refused = |line: &str| kyklos(here.path()).args("schema nothing").args(line);
    assert!(!refused("").run().expect(2).stderr().contains('\u{1b}'));
    assert!(refused("--color always").run().expect(2).stderr().contains('\u{1b}'));
    assert!(refused("").env("FORCE_COLOR", "1").run().expect(2).stderr().contains('\u{1b}'));
    assert!(
        !refused("").env("FORCE_COLOR", "1").env("NO_COLOR", "1").run().expect(2).stderr().contains('\u{1b}')
    );
    assert!(!refused("--color never").env("FORCE_COLOR", "1").run().expect(2).stderr().contains('\u{1b}'));
}

#[test]
fn an_unreadable_directory_is_told_with_its_name() {
    let here = tempfile::tempdir().unwrap();
    let run = kyklos(here.path()).args("-C nowhere schema").run().expect(2);
    assert!(
        run.stderr().contains("error[file-missing]") && run.stderr().contains("nowhere does not exist"),
        "{}",
        run.show()
    );
}

#[test]
fn manual_pages_are_written_for_every_command() {
    let here = tempfile::tempdir().unwrap();
    let names = kyklos(here.path()).args("man pages").run().expect(0).stdout();
    assert!(names.lines().any(|name| name == "kyklos-release-publish.1"), "{names}");
    for name in names.lines() {
        let page = std::fs::read_to_string(here.path().join("pages").join(name)).unwrap();
        assert!(page.contains(".TH"), "{name}");
    }
}

#[test]
fn every_schema_is_listed_and_printed() {
    let here = tempfile::tempdir().unwrap();
    let names = kyklos(here.path()).args("schema").run().expect(0).stdout();
    assert!(names.lines().count() >= 5, "{names}");
    let mut sorted: Vec<_> = names.lines().collect();
    sorted.sort_unstable();
    assert_eq!(names.lines().collect::<Vec<_>>(), sorted);
    for name in names.lines() {
        let schema = kyklos(here.path()).args("schema").arg(name).run().expect(0).json();
        assert_eq!(schema["properties"]["ok"]["type"], "boolean", "{name}");
    }
}

#[test]
fn a_bad_epoch_is_refused_by_everything_that_asks_for_it() {
    let here = tempfile::tempdir().unwrap();
    std::fs::write(here.path().join("app"), crate::support::elf::go("amd64", crate::support::elf::MODULES))
        .unwrap();
    for line in ["sbom generate file:app", "image assemble --binary linux/amd64=app -o oci:layout:v1"] {
        for epoch in ["soon", "1e9", "99999999999999999999", "-99999999999999"] {
            let run = kyklos(here.path()).args(line).env("SOURCE_DATE_EPOCH", epoch).run();
            assert_eq!(
                run.show(),
                format!(
                    "exit 2\n--- stdout\n--- stderr\nerror[source-date-epoch]: SOURCE_DATE_EPOCH is not a time\n  expected  seconds since 1970\n  found     {epoch}\n"
                ),
                "{line}"
            );
            assert!(!here.path().join("layout").exists(), "{line}");
        }
        // Empty is unset, as for every variable.
        let _ = kyklos(here.path()).args(line).env("SOURCE_DATE_EPOCH", "").run().expect(0);
        std::fs::remove_dir_all(here.path().join("layout")).unwrap_or_default();
    }
}

#[test]
fn every_answer_for_programs_has_a_schema() {
    fn collect(directory: &std::path::Path, into: &mut std::collections::BTreeSet<String>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, into);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let names = text.split("\"kyklos-release/").skip(1).filter_map(|rest| rest.split_once("/v1\""));
            into.extend(names.map(|(name, _)| name.to_owned()));
        }
    }
    let mut answers = std::collections::BTreeSet::new();
    collect(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli"), &mut answers);
    // These answer in words only.
    for name in ["completions", "man"] {
        assert!(answers.remove(name), "{name}");
    }
    let here = tempfile::tempdir().unwrap();
    let listed = kyklos(here.path()).args("schema").run().expect(0).stdout();
    assert_eq!(answers.into_iter().collect::<Vec<_>>(), listed.lines().collect::<Vec<_>>());
    for line in ["completions bash", "man pages"] {
        let refused = kyklos(here.path()).args(line).args("--format json").run().expect(2).json();
        assert_eq!(refused["diagnostics"][0]["code"], "format", "{line}");
    }
}

#[test]
fn a_trust_root_is_made_once_and_for_a_uri() {
    let here = tempfile::tempdir().unwrap();
    for (identity, code) in [("me", 2), ("https://example.com/m e", 2), ("https://example.com/me", 0)] {
        let run = kyklos(here.path()).args("trust create root --identity").arg(identity).run();
        assert_eq!(run.code(), code, "{}", run.show());
    }
    let before = std::fs::read(here.path().join("root/trusted_root.json")).unwrap();
    insta::assert_snapshot!(kyklos(here.path()).args("trust create root --identity https://example.com/you").run().show(), @r"
    exit 5
    --- stdout
    --- stderr
    error[trust-exists]: root holds a trust root already
    help: name another directory; what was signed with the old keys is checked with the old root
    ");
    assert_eq!(std::fs::read(here.path().join("root/trusted_root.json")).unwrap(), before);
    // What is not there is no release that was tampered with.
    let line = "verify release dir:nowhere --trusted-root root/trusted_root.json --identity x --issuer y";
    let run = kyklos(here.path()).args(line).run().expect(2);
    assert!(
        run.stderr().contains("error[file-missing]") && run.stderr().contains("nowhere"),
        "{}",
        run.show()
    );
}

#[test]
fn every_exit_code_is_reached() {
    let here = crate::support::repository::Repository::new();
    here.write("a", "a");
    here.write("sums", format!("{}  a\n", "0".repeat(64)));
    here.write("policies/release.yaml", include_str!("../../../policies/rehearse.yaml"));
    here.commit("feat: one");
    let root = "trust create root --identity https://example.com/me";
    for (line, code) in [
        (root, 0),
        ("checksums verify sums", 1),
        ("schema nothing", 2),
        ("gate run --profile rehearse", 3),
        ("schema plan -o /sys/kyklos-release", 4),
        (root, 5),
    ] {
        let run = kyklos(here.path()).args(line).run();
        assert_eq!(run.code(), code, "{line}\n{}", run.show());
    }
    #[cfg(target_os = "linux")]
    {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_kyklos-release"));
        let output = command.args(["schema", "plan"]).stdout(full).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(6), "{told}");
        assert!(told.contains("free some space and run the same command again"), "{told}");
    }
    // 70 is reached by a bug only: see the test above that plants one.
    let help = kyklos(here.path()).args("--help").run().expect(0).stdout();
    let listed: Vec<&str> = help.split("Exit codes:\n").nth(1).unwrap().lines().collect();
    let codes: Vec<&str> = listed.iter().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(codes, ["0", "1", "2", "3", "4", "5", "6", "70"]);
}

#[test]
fn a_dash_is_standard_output() {
    let repository = crate::support::repository::Repository::new();
    repository.write("release.yaml", "name: app\n");
    repository.commit("feat: one");
    repository.tag("v0.1.0");
    let run = |line: &str| kyklos(repository.path()).args(line).run();
    let told = run("archive v0.1.0").expect(0).stdout();
    let file = std::fs::read(repository.path().join("app-v0.1.0.tar.gz")).unwrap();
    assert!(told.ends_with("  app-v0.1.0.tar.gz\n"), "{told}");
    std::fs::remove_file(repository.path().join("app-v0.1.0.tar.gz")).unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_kyklos-release"));
    let piped =
        command.args(["archive", "v0.1.0", "-o", "-"]).current_dir(repository.path()).output().unwrap();
    assert!(piped.status.success() && piped.stdout == file, "the archive itself");
    assert!(!repository.path().join("app-v0.1.0.tar.gz").exists());
    assert_eq!(run("archive v0.1.0 -o - --format json").code(), 2);
    assert!(run("rehearse -o -").expect(2).stderr().contains("error[rehearse-output]"));
    assert!(!repository.path().join("rehearsal").exists());
    assert_eq!(run("schema -o -").expect(0).stdout(), run("schema").expect(0).stdout());
}

#[test]
fn places_that_cannot_be_meant_are_wrong_usage() {
    let here = crate::support::repository::Repository::new();
    here.write("release.yaml", "name: app\n");
    here.write("policies/release.yaml", "x");
    here.commit("feat: one");
    here.tag("v0.1.0");
    here.write("file", "a file");
    for (line, told) in [
        ("-C file schema", "file is not a directory"),
        ("-C nowhere schema", "nowhere does not exist"),
        ("evidence list --evidence file", "Not a directory"),
        ("plan v0.1.0 --dist file", "Not a directory"),
        ("plan v0.1.0 --dist nowhere", "nowhere does not exist"),
        ("status v0.1.0 --forge dir:file", "Not a directory"),
        ("trust create file --identity https://example.com/me", "File exists"),
        ("man file", "File exists"),
        ("image inspect oci:file", "Not a directory"),
        ("archive v0.1.0 -o file/x", "File exists"),
        ("init", "release.yaml and policies/release.yaml exist already"),
    ] {
        let run = kyklos(here.path()).args(line).run();
        let code = if line == "init" { 5 } else { 2 };
        assert_eq!(run.code(), code, "{line}\n{}", run.show());
        assert!(run.stderr().contains(told), "{line}\n{}", run.show());
        assert!(!run.stderr().replace("/.tmp", "").contains("/. "), "{line}\n{}", run.show());
    }
}
