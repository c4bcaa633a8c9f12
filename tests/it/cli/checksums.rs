//! `checksums`, `verify file`, `trust`.

use crate::support::command::kyklos;

#[test]
fn create_and_verify_report_every_line() {
    let here = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(here.path().join(name), text).unwrap();
    write("a.txt", "a");
    write("b.txt", "b");
    let _ = kyklos(here.path()).args("checksums create b.txt a.txt -o checksums.txt").run().expect(0);
    let list = std::fs::read_to_string(here.path().join("checksums.txt")).unwrap();
    assert_eq!(
        list.lines().next().unwrap(),
        "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb  a.txt"
    );
    let ok = kyklos(here.path()).args("checksums verify checksums.txt --closed").run().expect(0);
    assert_eq!(ok.stdout(), "a.txt: OK\nb.txt: OK\n");
    write("a.txt", "A");
    std::fs::remove_file(here.path().join("b.txt")).unwrap();
    write("c.txt", "c");
    let bad = kyklos(here.path()).args("checksums verify checksums.txt --closed").run().expect(1);
    assert_eq!(bad.stdout(), "a.txt: FAILED\nb.txt: MISSING\nc.txt: NOT LISTED\n");
    let codes = kyklos(here.path())
        .args("checksums verify checksums.txt --closed --format json")
        .run()
        .expect(1)
        .json();
    assert_eq!(codes["ok"], false);
    assert_eq!(codes["data"]["mismatched"][0], "a.txt");
    assert_eq!(codes["diagnostics"].as_array().unwrap().len(), 3);
}

#[test]
fn a_list_that_is_none_decides_nothing() {
    let here = tempfile::tempdir().unwrap();
    for text in ["", "garbage\n", "0000  x\n"] {
        std::fs::write(here.path().join("checksums.txt"), text).unwrap();
        let run = kyklos(here.path()).args("checksums verify checksums.txt").run();
        assert_eq!(run.code(), 3, "{text}\n{}", run.show());
    }
    std::fs::write(here.path().join("checksums.txt"), format!("{}  gone\n", "0".repeat(64))).unwrap();
    let run = kyklos(here.path()).args("checksums verify checksums.txt --ignore-missing").run();
    assert_eq!(run.code(), 1, "nothing was looked at");
}

#[test]
fn bsd_lines_are_written_and_read() {
    let here = tempfile::tempdir().unwrap();
    std::fs::write(here.path().join("a"), "a").unwrap();
    let list = kyklos(here.path()).args("checksums create a --tag").run().expect(0).stdout();
    assert!(list.starts_with("SHA256 (a) = ca978112"), "{list}");
    std::fs::write(here.path().join("sums"), &list).unwrap();
    let _ = kyklos(here.path()).args("checksums verify sums").run().expect(0);
}

#[test]
fn a_file_without_a_bundle_is_not_signed() {
    let here = tempfile::tempdir().unwrap();
    std::fs::write(here.path().join("a"), "a").unwrap();
    let _ = kyklos(here.path()).args("trust create root --identity https://example.com/me").run().expect(0);
    let line = "verify file a --trusted-root root/trusted_root.json --identity https://example.com/me --issuer https://kyklos-release.invalid/local --format json";
    let answer = kyklos(here.path()).args(line).run().expect(1).json();
    assert_eq!(
        (&answer["data"]["verdict"], &answer["data"]["reason"]),
        (&"refused".into(), &"not-signed".into())
    );
    std::fs::write(here.path().join("a.sigstore.json"), "{}").unwrap();
    let answer = kyklos(here.path()).args(line).run().expect(1).json();
    assert_eq!(answer["data"]["reason"], "tampered");
    std::fs::write(here.path().join("root/trusted_root.json"), "{}").unwrap();
    let _ = kyklos(here.path()).args(line).run().expect(2);
}

#[test]
fn longer_sums_are_written_and_known_by_their_length() {
    let here = tempfile::tempdir().unwrap();
    for name in ["a", "b"] {
        std::fs::write(here.path().join(name), name).unwrap();
    }
    let run = |line: &str| kyklos(here.path()).args(line).run();
    for (algorithm, digits, start) in [
        ("sha256", 64, "ca978112ca1bbdca"),
        ("sha384", 96, "54a59b9f22b0b808"),
        ("sha512", 128, "1f40fc92da241694"),
    ] {
        let line = format!("checksums create a b --algorithm {algorithm}");
        let list = run(&format!("{line} -o sums")).expect(0);
        assert_eq!(list.stdout(), "");
        let text = std::fs::read_to_string(here.path().join("sums")).unwrap();
        assert!(text.starts_with(start) && text.lines().all(|line| line.len() == digits + 3), "{text}");
        assert_eq!(run("checksums verify sums").expect(0).stdout(), "a: OK\nb: OK\n");
        let listed = run(&format!("{line} --format json")).expect(0).json();
        assert!(listed["data"][0]["digest"].as_str().unwrap().starts_with(&format!("{algorithm}:{start}")));
        let tagged = run(&format!("{line} --tag")).expect(0).stdout();
        assert!(tagged.starts_with(&format!("{} (a) = {start}", algorithm.to_uppercase())), "{tagged}");
        std::fs::write(here.path().join("sums"), tagged).unwrap();
        assert_eq!(run("checksums verify sums").expect(0).stdout(), "a: OK\nb: OK\n");
        std::fs::write(here.path().join("b"), "B").unwrap();
        assert_eq!(run("checksums verify sums").expect(1).stdout(), "a: OK\nb: FAILED\n");
        std::fs::write(here.path().join("b"), "b").unwrap();
    }
    let refused = run("checksums create a --algorithm md5").expect(2);
    assert!(refused.stderr().contains("`md5` is none of sha256, sha384 and sha512"), "{}", refused.show());
}

#[test]
fn every_line_is_reported_whatever_lies_under_its_name() {
    let here = tempfile::tempdir().unwrap();
    let run = |line: &str| kyklos(here.path()).args(line).run();
    for name in ["a", "b", "c"] {
        std::fs::write(here.path().join(name), name).unwrap();
    }
    let _ = run("checksums create a b c -o list").expect(0);
    std::fs::remove_file(here.path().join("a")).unwrap();
    std::os::unix::fs::symlink("b", here.path().join("a")).unwrap();
    assert_eq!(run("checksums verify list").expect(1).stdout(), "a: NOT A FILE\nb: OK\nc: OK\n");
    std::fs::create_dir(here.path().join("more")).unwrap();
    std::os::unix::fs::symlink("b", here.path().join("d")).unwrap();
    std::fs::write(here.path().join("e\u{1b}[2J"), "").unwrap();
    assert_eq!(
        run("checksums verify list --closed").expect(1).stdout(),
        "a: NOT A FILE\nb: OK\nc: OK\nd: NOT LISTED\ne\u{fffd}[2J: NOT LISTED\nmore: NOT LISTED\n"
    );
}

#[test]
fn nothing_checked_is_said_and_a_bad_list_has_a_name() {
    let here = tempfile::tempdir().unwrap();
    let run = |line: &str| kyklos(here.path()).args(line).run();
    std::fs::write(here.path().join("a"), "a").unwrap();
    let _ = run("checksums create a -o list").expect(0);
    std::fs::remove_file(here.path().join("a")).unwrap();
    let none = "none of the listed files is there: nothing was checked";
    assert_eq!(run("checksums verify list --ignore-missing").expect(1).stdout(), format!("{none}\n"));
    let json = run("checksums verify list --ignore-missing --format json").expect(1).json();
    assert_eq!(json["diagnostics"][0]["code"], "checksums-nothing");
    assert!(run("checksums verify list --dir gone").expect(2).stderr().contains("gone does not exist"));
    std::fs::write(here.path().join("odd"), "x\n").unwrap();
    assert!(run("checksums verify odd").expect(3).stderr().contains("\n  file  odd\n"));
    let directory = run("checksums verify .").expect(2).stderr();
    assert!(directory.contains("  expected  a regular file\n  found     a directory\n"), "{directory}");
}
