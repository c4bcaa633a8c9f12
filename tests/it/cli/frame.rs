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
