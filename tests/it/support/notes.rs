//! What `notes generate` tells, in few words for snapshots.

use serde_json::Value;

use super::command::kyklos;
use super::repository::Repository;

/// The releases of `notes generate LINE`.
pub(crate) fn generate(repository: &Repository, line: &str) -> Vec<Value> {
    let line = format!("notes generate {line} --format json");
    let answer = kyklos(repository.path()).args(&line).run().expect(0).json();
    answer["data"]["releases"].as_array().expect("releases").clone()
}

/// The entries of a release, in the order of its sections, without those repeated as breaking.
pub(crate) fn entries(release: &Value) -> Vec<Value> {
    let sections = release["sections"].as_array().expect("sections").iter();
    let sections = sections.filter(|section| section["title"] != "Breaking Changes");
    sections.flat_map(|section| section["entries"].as_array().expect("entries").clone()).collect()
}

/// One line per release: its tag, the release before, how many commits it owns, and its descriptions oldest first.
pub(crate) fn told(repository: &Repository, line: &str) -> String {
    let mut text = String::new();
    for release in generate(repository, line) {
        let name = |key: &str| release[key].as_str().unwrap_or("-").to_owned();
        let owned: Vec<&str> =
            release["commits"].as_array().expect("commits").iter().filter_map(Value::as_str).collect();
        let mut lines = entries(&release);
        lines.sort_by_key(|entry| owned.iter().rposition(|sha| entry["sha"] == *sha));
        lines.reverse();
        let lines: Vec<&str> = lines.iter().filter_map(|entry| entry["description"].as_str()).collect();
        text += &format!(
            "{} after {}, {}: {}\n",
            name("tag"),
            name("previous_tag"),
            owned.len(),
            lines.join(", ")
        );
    }
    text
}
