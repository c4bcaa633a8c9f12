//! Documents that cannot drift from the program.

use std::fmt::Write as _;
use std::path::Path;

use clap::Command;

/// Compares a document with what it should be; `UPDATE_DOCS=1` writes it.
fn compare(path: &str, expected: &str) {
    let full = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&full, expected).unwrap();
    }
    let found = std::fs::read_to_string(&full).unwrap_or_default();
    assert!(found == expected, "{path} is out of date; run UPDATE_DOCS=1 cargo test docs");
}

#[test]
fn the_cli_reference_is_what_the_program_says() {
    let mut text = String::from(
        "# Command line reference\n\nMade from the program's own help by a test. `kyklos-release COMMAND --help` says the same.\n",
    );
    chapter(&kyklos_release::cli::command(), &mut text);
    compare("docs/cli-reference.md", &text);
}

fn chapter(command: &Command, into: &mut String) {
    if command.is_hide_set() || command.get_name() == "help" {
        return;
    }
    let mut command = command.clone().term_width(100);
    let name = command.get_bin_name().unwrap_or(command.get_name()).to_owned();
    let help = command.render_long_help().to_string();
    let help: Vec<&str> = help.lines().map(str::trim_end).collect();
    // Global options are told once, with the program itself.
    let global = help.iter().position(|line| *line == "Global options:").filter(|_| name.contains(' '));
    let rest = global.and_then(|at| help[at..].iter().position(|line| line.is_empty()).map(|end| at + end));
    let shown: Vec<&str> = match global {
        Some(at) => help[..at].iter().chain(rest.map_or(&[][..], |rest| &help[rest..])).copied().collect(),
        None => help,
    };
    let shown = shown.join("\n");
    let _ = write!(into, "\n## `{name}`\n\n```text\n{}\n```\n", shown.trim());
    for sub in command.get_subcommands() {
        chapter(sub, into);
    }
}
