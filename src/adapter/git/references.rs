//! Where tags point, read from the files of references (gitrepository-layout(5)): `packed-refs`, and the files below
//! `refs/tags`, which count more. The library reads every reference to tell those of tags.
#![expect(clippy::disallowed_methods, reason = "this is where files are read")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::adapter::fs::read;
use crate::model::CommitId;

/// References of a few million tags.
const MAX_PACKED: u64 = 256 << 20;
/// A file of one reference.
const MAX_LOOSE: u64 = 4096;
/// Names have no more parts.
const MAX_DEPTH: usize = 32;
const TAGS: &str = "refs/tags/";
const REPLACE: &str = "refs/replace/";

/// Where a tag points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target {
    /// The object of the tag, or what is tagged.
    pub(super) object: CommitId,
    /// What the object of a tag comes to in the end, where the file says so.
    pub(super) peeled: Option<CommitId>,
}

/// The tags by name, without `refs/tags/`. Names that are no UTF-8 and references to references are left out. `None`
/// when something is not as it should be; then the library tells what.
pub(super) fn tags(common: &Path) -> Option<BTreeMap<String, Target>> {
    let mut tags = BTreeMap::new();
    let path = common.join("packed-refs");
    if path.exists() {
        packed(&read(&path, MAX_PACKED).ok()?, &mut tags)?;
    }
    let directory = common.join(TAGS);
    if directory.exists() {
        loose(&directory, "", 0, &mut tags)?;
    }
    Some(tags)
}

/// The objects that have another one in their place (git-replace(1)), unless that is `ignored`, and the commits with
/// other parents (gitrepository-layout(5), `info/grafts`). What cannot be read replaces nothing, as in git itself.
pub(super) fn replaced(common: &Path, ignored: bool) -> Vec<CommitId> {
    let mut replaced = Vec::new();
    let file = |path: &str| read(&common.join(path), MAX_PACKED).unwrap_or_default();
    if !ignored {
        let names = fs::read_dir(common.join(REPLACE)).into_iter().flatten().flatten();
        let names = names.filter_map(|entry| entry.file_name().into_string().ok());
        replaced.extend(names.filter_map(|name| id_of(name.as_bytes())));
        let packed = file("packed-refs");
        replaced.extend(
            memchr::memmem::find_iter(&packed, REPLACE.as_bytes())
                .filter_map(|at| id_of(packed.get(at + REPLACE.len()..at + REPLACE.len() + 40)?)),
        );
    }
    let grafts = file("info/grafts");
    replaced.extend(grafts.split(|byte| *byte == b'\n').filter_map(|line| id_of(line.get(..40)?)));
    replaced.sort_unstable();
    replaced.dedup();
    replaced
}

fn packed(bytes: &[u8], tags: &mut BTreeMap<String, Target>) -> Option<()> {
    let mut last: Option<String> = None;
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        match line {
            [b'#', ..] => {}
            [b'^', id @ ..] => {
                let peeled = id_of(id)?;
                if let Some(tag) = last.take().and_then(|name| tags.get_mut(&name)) {
                    tag.peeled = Some(peeled);
                }
            }
            _ => {
                let (id, name) = line.split_at_checked(41)?;
                last = None;
                let Some(name) = name.strip_prefix(TAGS.as_bytes()) else { continue };
                let object = id_of(id.strip_suffix(b" ")?)?;
                let Ok(name) = std::str::from_utf8(name) else { continue };
                tags.insert(name.to_owned(), Target { object, peeled: None });
                last = Some(name.to_owned());
            }
        }
    }
    Some(())
}

fn loose(directory: &Path, prefix: &str, depth: usize, tags: &mut BTreeMap<String, Target>) -> Option<()> {
    (depth < MAX_DEPTH).then_some(())?;
    for entry in fs::read_dir(directory).ok()? {
        let entry = entry.ok()?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let (path, name) = (entry.path(), format!("{prefix}{name}"));
        if path.is_dir() {
            loose(&path, &format!("{name}/"), depth + 1, tags)?;
        } else if !name.ends_with(".lock") {
            let bytes = read(&path, MAX_LOOSE).ok()?;
            if bytes.starts_with(b"ref:") {
                tags.remove(&name);
                continue;
            }
            tags.insert(name, Target { object: id_of(bytes.trim_ascii())?, peeled: None });
        }
    }
    Some(())
}

fn id_of(digits: &[u8]) -> Option<CommitId> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_tags_count_more_than_the_packed_ones() {
        let directory = tempfile::tempdir().unwrap();
        let (one, two, three) = ("1".repeat(40), "2".repeat(40), "3".repeat(40));
        let packed = format!(
            "# pack-refs with: peeled fully-peeled sorted \n{one} refs/heads/main\n{one} refs/tags/a\n\
             {two} refs/tags/p/v1\n^{three}\n{two} refs/tags/v2\n^{three}\n"
        );
        std::fs::write(directory.path().join("packed-refs"), packed).unwrap();
        std::fs::create_dir_all(directory.path().join("refs/tags/q")).unwrap();
        let write = |name: &str, text: &str| {
            std::fs::write(directory.path().join("refs/tags").join(name), text).unwrap();
        };
        write("v2", &format!("{one}\n"));
        write("q/v3", &format!("{three}\n"));
        write("other", "ref: refs/tags/v2\n");
        write("v4.lock", "");
        let id = |digits: &str| digits.parse::<CommitId>().unwrap();
        let found = tags(directory.path()).unwrap();
        let target =
            |object: &str, peeled: Option<&str>| Target { object: id(object), peeled: peeled.map(id) };
        assert_eq!(
            found.into_iter().collect::<Vec<_>>(),
            [
                ("a".to_owned(), target(&one, None)),
                ("p/v1".to_owned(), target(&two, Some(&three))),
                ("q/v3".to_owned(), target(&three, None)),
                ("v2".to_owned(), target(&one, None)),
            ]
        );
        write("v5", "no id");
        assert_eq!(tags(directory.path()), None);
        assert_eq!(tags(&directory.path().join("nowhere")), Some(BTreeMap::new()));
    }

    #[test]
    fn commits_with_another_one_in_their_place() {
        let directory = tempfile::tempdir().unwrap();
        let [one, two, three, four] = ["1", "2", "3", "4"].map(|digit| digit.repeat(40));
        assert_eq!(replaced(directory.path(), false), []);
        let packed =
            format!("{one} refs/heads/main\n{one} refs/replace/{two}\n{one} refs/tags/refs/replace/x\n");
        std::fs::write(directory.path().join("packed-refs"), packed).unwrap();
        std::fs::create_dir_all(directory.path().join(REPLACE)).unwrap();
        std::fs::write(directory.path().join(REPLACE).join(&three), format!("{one}\n")).unwrap();
        std::fs::write(directory.path().join(REPLACE).join("other"), "x").unwrap();
        std::fs::create_dir(directory.path().join("info")).unwrap();
        std::fs::write(directory.path().join("info/grafts"), format!("# x\n{four} {one}\n{three}\n"))
            .unwrap();
        let ids =
            |digits: &[&String]| digits.iter().map(|one| one.parse().unwrap()).collect::<Vec<CommitId>>();
        assert_eq!(replaced(directory.path(), false), ids(&[&two, &three, &four]));
        assert_eq!(replaced(directory.path(), true), ids(&[&three, &four]));
    }

    #[test]
    fn broken_lines_are_left_to_the_library() {
        let mut found = BTreeMap::new();
        for text in ["12 refs/tags/a\n", "^12\n", &format!("{} refs/tags/a\n", "g".repeat(40))] {
            assert_eq!(packed(text.as_bytes(), &mut found), None, "{text}");
        }
    }
}
