//! The floors of `docs/architecture.md`, read off the sources.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Who may import whom. A module always may import itself.
const FLOORS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("diag", &["model"]),
    ("format", &["model", "diag"]),
    ("config", &["model", "diag", "format"]),
    ("port", &["model", "diag", "format"]),
    ("notes", &["model", "diag", "format", "config", "port"]),
    ("sbom", &["model", "diag", "format", "config", "port"]),
    ("image", &["model", "diag", "format", "config", "port"]),
    ("attest", &["model", "diag", "format", "config", "port"]),
    ("plan", &["model", "diag", "format", "config", "port", "notes", "sbom", "image", "attest"]),
    ("evidence", &["model", "diag", "format", "config", "port", "notes", "sbom", "image", "attest", "plan"]),
    (
        "gate",
        &[
            "model", "diag", "format", "config", "port", "notes", "sbom", "image", "attest", "plan",
            "evidence",
        ],
    ),
    (
        "publish",
        &[
            "model", "diag", "format", "config", "port", "notes", "sbom", "image", "attest", "plan",
            "evidence", "gate",
        ],
    ),
    ("verify", &["model", "diag", "format", "config", "port", "notes", "sbom", "image", "attest"]),
    ("adapter", &["model", "diag", "format", "config", "port"]),
    (
        "render",
        &[
            "model", "diag", "format", "config", "port", "notes", "sbom", "image", "attest", "plan",
            "evidence", "gate", "publish", "verify",
        ],
    ),
    ("ui", &["diag", "port"]),
    (
        "cli",
        &[
            "model", "diag", "format", "config", "port", "notes", "sbom", "image", "attest", "plan",
            "evidence", "gate", "publish", "verify", "adapter", "render", "ui",
        ],
    ),
];

/// Rooms in which nothing waits for the world.
const SYNCHRONOUS: &[&str] = &["model", "diag", "format", "config", "gate", "render"];
const LONGEST_FILE: usize = 600;
const LONGEST_FUNCTION: usize = 120;

/// One source file: its path below `src/` and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// Module path: `a/b.rs` is `[a, b]`, `a/mod.rs` is `[a]`.
    fn module(&self) -> Vec<&str> {
        let mut parts: Vec<&str> = self.path.trim_end_matches(".rs").split('/').collect();
        if parts.last() == Some(&"mod") {
            parts.pop();
        }
        parts
    }

    /// The text without comments, strings and what follows `#[cfg(test)]`, lines kept.
    fn code(&self) -> String {
        let code = blank(&self.text);
        match code.find("#[cfg(test)]\nmod ") {
            Some(at) => code[..at].to_owned(),
            None => code,
        }
    }
}

/// Everything that breaks a rule, as `path:line: what`.
fn violations(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    let mut edges: BTreeMap<(String, String), String> = BTreeMap::new();
    for source in sources {
        let module = source.module();
        let Some(home) = module.first().copied().filter(|home| !["lib", "main"].contains(home)) else {
            continue;
        };
        let code = source.code();
        let Some((_, allowed)) = FLOORS.iter().find(|(name, _)| *name == home) else {
            found.push(format!("{}:1: module `{home}` stands on no floor", source.path));
            continue;
        };
        for (line, target) in imports(&code, &module) {
            if target == home || !FLOORS.iter().any(|(name, _)| *name == target) {
                continue;
            }
            let place = format!("{}:{line}", source.path);
            if !allowed.contains(&target.as_str()) {
                found.push(format!("{place}: `{home}` imports `{target}`"));
            }
            edges.entry((home.to_owned(), target)).or_insert(place);
        }
        if SYNCHRONOUS.contains(&home) {
            for (index, line) in
                code.lines().enumerate().filter(|(_, line)| words(line).any(|word| word == "async"))
            {
                found.push(format!("{}:{}: async in `{home}`: {}", source.path, index + 1, line.trim()));
            }
        }
        let lines = source.text.lines().count();
        if lines > LONGEST_FILE {
            found.push(format!("{}:{lines}: the file is longer than {LONGEST_FILE} lines", source.path));
        }
        for (line, name, length) in functions(&code) {
            if length > LONGEST_FUNCTION {
                found.push(format!(
                    "{}:{line}: `{name}` has {length} lines, at most {LONGEST_FUNCTION}",
                    source.path
                ));
            }
        }
    }
    for ((from, to), place) in &edges {
        if from < to
            && let Some(back) = edges.get(&(to.clone(), from.clone()))
        {
            found.push(format!("{place}: `{from}` and `{to}` import each other, see {back}"));
        }
    }
    found.extend(circles(sources));
    found.extend(unregistered_gates(sources));
    found
}

/// Files that import each other in a loop. What a `mod.rs` hands on does not count: it stands for its folder.
fn circles(sources: &[Source]) -> Vec<String> {
    let modules: BTreeMap<String, &str> = sources
        .iter()
        .filter(|source| !source.path.ends_with("mod.rs"))
        .map(|source| (source.module().join("::"), source.path.as_str()))
        .collect();
    let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for source in sources.iter().filter(|source| !source.path.ends_with("mod.rs")) {
        for path in named_paths(&source.code(), &source.module()) {
            let longest = (1..=path.len()).rev().find_map(|length| modules.get(&path[..length].join("::")));
            if let Some(target) = longest.filter(|target| **target != source.path) {
                edges.entry(&source.path).or_default().insert(target);
            }
        }
    }
    let reach = |from: &str| -> BTreeSet<&str> {
        let mut seen = BTreeSet::new();
        let mut next: Vec<&str> = edges.get(from).into_iter().flatten().copied().collect();
        while let Some(file) = next.pop() {
            if seen.insert(file) {
                next.extend(edges.get(file).into_iter().flatten());
            }
        }
        seen
    };
    let reached: BTreeMap<&str, BTreeSet<&str>> = edges.keys().map(|file| (*file, reach(file))).collect();
    let mut loops = BTreeSet::new();
    for (file, from) in reached.iter().filter(|(file, from)| from.contains(*file)) {
        let mut members: Vec<&str> = from
            .iter()
            .filter(|other| reached.get(*other).is_some_and(|back| back.contains(file)))
            .copied()
            .collect();
        members.sort_unstable();
        loops.insert(members);
    }
    loops
        .iter()
        .map(|members| format!("{}:1: imports run in a circle: {}", members[0], members.join(", ")))
        .collect()
}

/// Every path that begins with `crate::` or `super::`, from the top of the crate, groups taken apart.
fn named_paths(code: &str, module: &[&str]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (at, word) in code.match_indices("crate::") {
        if !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$') {
            spread(&code[at + word.len()..], &[], &mut found);
        }
    }
    let mut at = 0;
    while let Some(next) = code[at..].find("super::") {
        let mut end = at + next;
        let mut base = module;
        while code[end..].starts_with("super::") {
            base = base.split_last().map_or(base, |(_, above)| above);
            end += "super::".len();
        }
        let base: Vec<String> = base.iter().map(|part| (*part).to_owned()).collect();
        spread(&code[end..], &base, &mut found);
        at = end;
    }
    found
}

/// Adds the paths a tail stands for: `a::{b, c::D}` are two. Returns what follows them.
fn spread<'a>(tail: &'a str, base: &[String], into: &mut Vec<Vec<String>>) -> &'a str {
    let mut tail = tail.trim_start();
    if let Some(group) = tail.strip_prefix('{') {
        tail = group;
        loop {
            tail = spread(tail, base, into).trim_start();
            match tail.strip_prefix(',') {
                Some(rest) if !rest.trim_start().starts_with('}') => tail = rest,
                Some(rest) => return rest.trim_start().trim_start_matches('}'),
                None => return tail.strip_prefix('}').unwrap_or(tail),
            }
        }
    }
    let end = tail.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(tail.len());
    let mut path = base.to_vec();
    if end > 0 && &tail[..end] != "self" {
        path.push(tail[..end].to_owned());
    }
    match tail[end..].strip_prefix("::") {
        Some(rest) => spread(rest, &path, into),
        None => {
            into.push(path);
            let rest = tail[end..].trim_start();
            // `a as b`
            rest.strip_prefix("as ").map_or(&tail[end..], |name| {
                name.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_')
            })
        }
    }
}

/// `impl Gate for X` in `src/gate/` without an `X` in `ALL`.
fn unregistered_gates(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    let registry =
        sources.iter().find(|source| source.path == "gate/mod.rs").map(Source::code).unwrap_or_default();
    let all = registry
        .find("ALL: &[")
        .and_then(|at| registry[at..].split(';').next().map(str::to_owned))
        .unwrap_or_default();
    let registered: BTreeSet<&str> = words(&all).collect();
    for source in sources.iter().filter(|source| source.path.starts_with("gate/")) {
        let code = source.code();
        for (index, line) in code.lines().enumerate() {
            let Some(name) = line.trim_start().strip_prefix("impl Gate for ") else { continue };
            let name = words(name).next().unwrap_or_default();
            let module = source.module().last().copied().unwrap_or_default();
            if !registered.contains(name) && !registered.contains(module) {
                found.push(format!("{}:{}: gate `{name}` is not in gate::ALL", source.path, index + 1));
            }
        }
    }
    found
}

/// Words of a line: identifiers and numbers.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// Comments, strings and character literals turned into blanks.
fn blank(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    let keep = |c: char| if c == '\n' { '\n' } else { ' ' };
    while at < chars.len() {
        let rest = &chars[at..];
        let end = match rest {
            ['/', '/', ..] => rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()),
            ['/', '*', ..] => {
                rest.windows(2).position(|pair| pair == ['*', '/']).map_or(rest.len(), |end| end + 2)
            }
            ['r', '"', ..] | ['r', '#', ..]
                if at == 0 || !(chars[at - 1].is_alphanumeric() || chars[at - 1] == '_') =>
            {
                let hashes = rest[1..].iter().take_while(|c| **c == '#').count();
                let close: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
                let body = 2 + hashes;
                if rest.get(1 + hashes) == Some(&'"') {
                    rest[body..]
                        .windows(close.len())
                        .position(|tail| tail == close)
                        .map_or(rest.len(), |end| body + end + close.len())
                } else {
                    0
                }
            }
            ['"', ..] => {
                let mut end = 1;
                while end < rest.len() && rest[end] != '"' {
                    end += if rest[end] == '\\' { 2 } else { 1 };
                }
                (end + 1).min(rest.len())
            }
            ['\'', '\\', ..] => rest[2..].iter().position(|c| *c == '\'').map_or(rest.len(), |end| end + 3),
            ['\'', _, '\'', ..] => 3,
            _ => 0,
        };
        if end == 0 {
            out.push(chars[at]);
            at += 1;
        } else {
            out.extend(rest[..end].iter().map(|c| keep(*c)));
            at += end;
        }
    }
    out
}

/// Top-level modules named by `crate::` and `super::` paths, with their lines.
fn imports(code: &str, module: &[&str]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut add = |at: usize, tail: &str| {
        let line = code[..at].matches('\n').count() + 1;
        found.extend(heads(tail).into_iter().map(|head| (line, head)));
    };
    for (at, word) in code.match_indices("crate::") {
        if !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$') {
            add(at, &code[at + word.len()..]);
        }
    }
    let mut at = 0;
    while let Some(next) = code[at..].find("super::") {
        let start = at + next;
        let mut end = start;
        let mut ups = 0;
        while code[end..].starts_with("super::") {
            ups += 1;
            end += "super::".len();
        }
        if ups == module.len() {
            add(start, &code[end..]);
        }
        at = end;
    }
    found
}

/// The first names of a path or of every path in a group.
fn heads(tail: &str) -> Vec<String> {
    let Some(group) = tail.strip_prefix('{') else {
        return words(tail).next().map(str::to_owned).into_iter().collect();
    };
    let mut names = Vec::new();
    let mut depth = 0;
    let mut fresh = true;
    for (index, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => fresh = true,
            c if fresh && depth == 0 && (c.is_alphabetic() || c == '_') => {
                names.extend(words(&group[index..]).next().map(str::to_owned));
                fresh = false;
            }
            _ => {}
        }
    }
    names
}

/// Functions in the shape rustfmt gives them: line, name, length.
fn functions(code: &str) -> Vec<(usize, String, usize)> {
    let lines: Vec<&str> = code.lines().collect();
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let Some(position) = words(line).position(|word| word == "fn") else { continue };
        let qualifiers = ["pub", "crate", "super", "in", "const", "async", "extern"];
        if !words(line).take(position).all(|word| qualifiers.contains(&word)) {
            continue;
        }
        let name = words(line).nth(position + 1).unwrap_or_default().to_owned();
        let close = format!("{}}}", " ".repeat(indent));
        let length = lines[index..].iter().position(|line| *line == close).map_or(1, |end| end + 1);
        let signature_end = lines[index..].iter().find(|line| line.ends_with([';', '{', '}']));
        let has_body = signature_end.is_some_and(|line| line.ends_with('{'));
        found.push((index + 1, name, if has_body { length } else { 1 }));
    }
    found
}

fn read_tree(root: &Path, directory: &Path, into: &mut Vec<Source>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_tree(root, &path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            into.push(Source {
                path: path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/"),
                text,
            });
        }
    }
}

#[test]
fn the_sources_keep_to_the_floors() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    read_tree(&root, &root, &mut sources);
    assert!(sources.len() > 50, "the sources were not found");
    let mut found = violations(&sources);
    found.sort();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

/// The violations of a small tree.
fn judge(files: &[(&str, &str)]) -> Vec<String> {
    let sources: Vec<Source> = files
        .iter()
        .map(|(path, text)| Source { path: (*path).to_owned(), text: (*text).to_owned() })
        .collect();
    violations(&sources)
}

#[test]
fn a_lower_floor_that_looks_up_is_found() {
    assert_eq!(
        judge(&[("model/tag.rs", "use crate::diag::Hint;\n")]),
        ["model/tag.rs:1: `model` imports `diag`"]
    );
    assert_eq!(
        judge(&[("verify/mod.rs", "\nuse crate::publish::Job;\n")]),
        ["verify/mod.rs:2: `verify` imports `publish`"]
    );
    assert_eq!(
        judge(&[("gate/a/b.rs", "fn f() { super::super::super::cli::run() }\n")]),
        ["gate/a/b.rs:1: `gate` imports `cli`"]
    );
    assert_eq!(
        judge(&[("notes/mod.rs", "use crate::{model::Tag, sbom::{self, x}, port};\n")]),
        ["notes/mod.rs:1: `notes` imports `sbom`"]
    );
    assert_eq!(judge(&[("tools/mod.rs", "\n")]), ["tools/mod.rs:1: module `tools` stands on no floor"]);
}

#[test]
fn modules_that_import_each_other_are_found() {
    let found =
        judge(&[("diag/mod.rs", "use crate::port::Files;\n"), ("port/mod.rs", "use crate::diag::Hint;\n")]);
    assert_eq!(
        found,
        [
            "diag/mod.rs:1: `diag` imports `port`",
            "diag/mod.rs:1: `diag` and `port` import each other, see port/mod.rs:1"
        ]
    );
}

#[test]
fn files_that_import_each_other_are_found() {
    let found = judge(&[
        ("ui/mod.rs", "mod a;\nmod b;\nmod c;\npub use a::A;\n"),
        ("ui/a.rs", "use super::{\n    b::{self, B},\n    d,\n};\n"),
        ("ui/b.rs", "use std::fmt;\nfn f() { crate::ui::c::run() }\n"),
        ("ui/c.rs", "use super::a::{A as First, Other};\n"),
        ("ui/d.rs", "use super::A;\n"),
    ]);
    assert_eq!(found, ["ui/a.rs:1: imports run in a circle: ui/a.rs, ui/b.rs, ui/c.rs"]);
}

#[test]
fn waiting_in_a_pure_room_is_found() {
    let found =
        judge(&[("gate/mod.rs", "// async is fine here\nconst S: &str = \"async\";\nasync fn f() {}\n")]);
    assert_eq!(found, ["gate/mod.rs:3: async in `gate`: async fn f() {}"]);
}

#[test]
fn long_files_and_functions_are_found() {
    let long = format!("fn f() {{\n{}}}\n", "    g();\n".repeat(119));
    assert_eq!(judge(&[("ui/a.rs", &long)]), ["ui/a.rs:1: `f` has 121 lines, at most 120"]);
    assert_eq!(judge(&[("ui/a.rs", &"\n".repeat(601))]), ["ui/a.rs:601: the file is longer than 600 lines"]);
    assert!(judge(&[("ui/a.rs", &long.replacen("    g();\n", "", 1))]).is_empty());
}

#[test]
fn a_gate_that_is_not_registered_is_found() {
    let registry = ("gate/mod.rs", "pub const ALL: &[&dyn Gate] = &[&tests::Tests];\n");
    let found = judge(&[registry, ("gate/size.rs", "pub struct Size;\nimpl Gate for Size {\n}\n")]);
    assert_eq!(found, ["gate/size.rs:2: gate `Size` is not in gate::ALL"]);
    assert!(judge(&[registry, ("gate/tests.rs", "impl Gate for Tests {\n}\n")]).is_empty());
}

#[test]
fn tests_comments_and_strings_do_not_count() {
    let text = "//! crate::cli\nconst A: &str = r#\"crate::cli\"#;\nconst B: char = '\"';\n#[cfg(test)]\nmod tests {\n    use crate::cli;\n}\n";
    assert!(judge(&[("model/a.rs", text)]).is_empty());
}
