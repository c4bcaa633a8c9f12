//! Sessions in documents: blocks of `console` that hold commands and what they print.

use std::path::Path;

/// Runs the sessions of a document, given by its path from the top of the repository. `run` gets what stands behind
/// `$ ` and gives what is printed. With `UPDATE_DOCS` the document is written anew; without it, it must be as it is.
pub(crate) fn replay(path: &str, run: impl Fn(&str) -> String) {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let page = std::fs::read_to_string(&place).unwrap();
    let mut told = String::new();
    let mut sessions = 0;
    let mut rest = page.as_str();
    while let Some((before, after)) = rest.split_once("```console\n") {
        let (session, behind) = after.split_once("```\n").unwrap();
        told.push_str(&format!("{before}```console\n"));
        for command in session.lines().filter_map(|line| line.strip_prefix("$ ")) {
            told.push_str(&format!("$ {command}\n{}", run(command)));
        }
        told.push_str("```\n");
        sessions += 1;
        rest = behind;
    }
    told.push_str(rest);
    assert!(sessions >= 4, "{sessions}");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&place, &told).unwrap();
        return;
    }
    assert!(told == page, "run UPDATE_DOCS=1 cargo test --test it pages; {path} should be\n{told}");
}
