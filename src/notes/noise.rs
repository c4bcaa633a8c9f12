//! First lines that git and release tools write, and that tell users nothing.

use semver::Version;

/// Whether a first line without a type is one of them: a version and words around it that say no more than that it was
/// released, a merge of branches, or a commit that was meant to become a part of another one.
pub(super) fn is_noise(line: &str) -> bool {
    const PARTS: [&str; 3] = ["fixup! ", "squash! ", "amend! "];
    const MERGES: [&str; 4] =
        ["Merge branch ", "Merge branches ", "Merge remote-tracking branch ", "Merge tag "];
    PARTS.iter().chain(&MERGES).any(|start| line.starts_with(start)) || is_version(line)
}

fn is_version(line: &str) -> bool {
    const WORDS: [&str; 13] = [
        "a", "bump", "cut", "for", "new", "prepare", "publish", "release", "released", "tag", "the", "to",
        "version",
    ];
    let mut versions = 0;
    for word in line.split_whitespace() {
        let plain = word.trim_matches([':', '.', ',', ';', '"', '\'', '`', '(', ')', '[', ']']);
        let number =
            plain.strip_prefix('#').is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        if Version::parse(plain.strip_prefix(['v', 'V']).unwrap_or(plain)).is_ok() {
            versions += 1;
        } else if !number && !plain.is_empty() && !WORDS.contains(&plain.to_lowercase().as_str()) {
            return false;
        }
    }
    versions == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tells_users_nothing() {
        for line in [
            "v1.2.3",
            "1.2.3-rc.1",
            "Release v1.2.3",
            "Release: 1.2.3 (#12)",
            "Bump version to 1.2.3",
            "Prepare for release 1.2.3.",
            "Merge branch 'main' into work",
            "Merge remote-tracking branch 'origin/main'",
            "fixup! feat: x",
        ] {
            assert!(is_noise(line), "{line}");
        }
        for line in [
            "Bump serde to 1.2.3",
            "Support 1.2.3",
            "Bump version",
            "Release the hounds",
            "Update from 1.2.3 to 1.2.4",
            "Merge two lists",
            "1.2",
            "",
        ] {
            assert!(!is_noise(line), "{line}");
        }
    }
}
