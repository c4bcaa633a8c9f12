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

#[test]
fn the_schemas_are_what_the_program_reads() {
    let pretty = |schema: schemars::Schema| format!("{:#}\n", schema.as_value());
    compare(
        "schemas/release.v1.schema.json",
        &pretty(schemars::schema_for!(kyklos_release::config::WrittenConfig)),
    );
    compare(
        "schemas/policy.v1.schema.json",
        &pretty(schemars::schema_for!(kyklos_release::gate::WrittenPolicy)),
    );
}

#[test]
fn every_gate_has_a_page_that_names_its_type() {
    for gate in kyklos_release::gate::ALL {
        let page = gate.page();
        assert!(page.starts_with(&format!("# Gate `{}`\n", gate.kind())), "{}", gate.kind());
        assert!(page.contains("| setting | default | meaning |"), "{}", gate.kind());
        assert!(page.contains(&format!("type: {}", gate.kind())), "{}", gate.kind());
    }
}

#[test]
fn every_setting_of_a_gate_stands_on_its_page() {
    for gate in kyklos_release::gate::ALL {
        // A wrong key is answered with the names of the right ones.
        let error = gate.accept(&serde_json::json!({ "no such setting": 1 })).unwrap_err().to_string();
        let (_, names) = error.split_once("expected").unwrap_or_else(|| panic!("{}: {error}", gate.kind()));
        let names: Vec<&str> = names.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "{error}");
        for name in names {
            assert!(gate.page().contains(&format!("| `{name}` |")), "{}: {name}", gate.kind());
        }
    }
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

/// The words of a command line as a shell splits them; variables stay as they are.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut quote) = (String::new(), None);
    for c in line.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => word.push(c),
            None if c == '"' || c == '\'' => quote = Some(c),
            None if c.is_whitespace() => words.extend((!word.is_empty()).then(|| std::mem::take(&mut word))),
            None => word.push(c),
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

#[test]
fn every_command_line_in_the_documents_is_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut documents = vec![root.join("README.md")];
    documents.extend(std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path()));
    documents.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    let mut seen = 0;
    for path in documents {
        let text = std::fs::read_to_string(&path).unwrap();
        for block in text.split("```sh\n").skip(1) {
            let block = block.split("```").next().unwrap().replace("\\\n", " ");
            for line in block.lines().filter(|line| line.starts_with("kyklos-release ")) {
                let line = line.split([';', '|', '>', '#']).next().unwrap().split("&&").next().unwrap();
                let parsed = kyklos_release::cli::command().try_get_matches_from(words(line));
                assert!(parsed.is_ok(), "{}: {line}\n{}", path.display(), parsed.unwrap_err());
                seen += 1;
            }
        }
    }
    assert!(seen > 10, "only {seen} command lines");
}

/// The words of an example as a shell would split them; what follows `|`, `>` and `&&` is another command.
fn commands(line: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let (mut word, mut quoted, mut redirected) = (String::new(), false, false);
    for c in line.chars().chain([' ']) {
        match c {
            '"' => quoted = !quoted,
            ' ' if !quoted => match std::mem::take(&mut word).as_str() {
                "" => {}
                "|" | "&&" => commands.push(Vec::new()),
                ">" | ">>" => redirected = true,
                _ if redirected => redirected = false,
                word => commands.last_mut().unwrap().push(word.to_owned()),
            },
            c => word.push(c),
        }
    }
    commands
}

#[test]
fn the_examples_of_the_help_are_commands() {
    fn visit(command: &Command, path: &str, seen: &mut usize) {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let lines: Vec<&str> =
            help.lines().map(str::trim).filter(|line| line.contains("kyklos-release ")).collect();
        if command.get_subcommands().all(|below| below.get_name() == "help") {
            assert!(help.starts_with("Example"), "`{path}` has no example");
        }
        for line in lines.into_iter().filter(|line| !line.contains('`') && !line.ends_with('\\')) {
            for words in commands(line)
                .into_iter()
                .filter(|words| words.first().is_some_and(|word| word == "kyklos-release"))
            {
                let parsed = kyklos_release::cli::command().try_get_matches_from(&words);
                assert!(parsed.is_ok(), "`{path}`: {line}\n{}", parsed.unwrap_err());
                *seen += 1;
            }
        }
        for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
            visit(below, &format!("{path} {}", below.get_name()), seen);
        }
    }
    let mut seen = 0;
    visit(&kyklos_release::cli::command(), "kyklos-release", &mut seen);
    assert!(seen > 40, "{seen} examples were read");
}
