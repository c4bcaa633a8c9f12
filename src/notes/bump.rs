//! Which number of the version a commit moves.

use std::collections::BTreeMap;

use semver::Version;

use super::entry::{Entry, Place, is_quiet, is_unusual};
use crate::config::{BumpLevel, OTHER, UNTYPED};

/// Which part of the version moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bump {
    /// The last number.
    Patch,
    /// The middle number.
    Minor,
    /// The first number.
    Major,
}

/// Which number each type of commit moves. What is not said is as usual: something that breaks moves the first number,
/// before 1.0.0 the middle one; features and deprecations (clause 7 of SemVer 2.0.0) move the middle one; types that
/// users do not notice move none, unless their scope is `deps`; everything else moves the last.
#[derive(Debug, Clone, Default)]
pub struct BumpTable {
    /// By type or `type(scope)` in lower case; `breaking` stands for what breaks users.
    pub any: BTreeMap<String, BumpLevel>,
    /// The same before 1.0.0, where it differs.
    pub initial: BTreeMap<String, BumpLevel>,
}

const BREAKING: &str = "breaking";

impl BumpTable {
    /// What a commit moves in a release after `last`; `None` = it alone is no reason for a release.
    pub(super) fn of(&self, entry: &Entry, last: &Version) -> Option<Bump> {
        let young = last.major == 0;
        if self.any.is_empty() && self.initial.is_empty() {
            return usual(entry).max((!entry.breaking.is_empty()).then_some(usual_break(young)));
        }
        let said = |key: &str| {
            let initial = self.initial.get(key).filter(|_| young);
            initial.or_else(|| self.any.get(key)).copied().map(level)
        };
        let breaking = || said(BREAKING).unwrap_or(Some(usual_break(young)));
        let scoped =
            entry.scopes.iter().find_map(|scope| said(&format!("{}({})", entry.kind, scope.to_lowercase())));
        let noise = entry.kind.is_empty() && entry.place == Place::Hidden;
        let kind = if entry.kind.is_empty() { UNTYPED } else { &entry.kind };
        let other = || said(OTHER).filter(|_| is_unusual(&entry.kind));
        let plain =
            scoped.or_else(|| said(kind).filter(|_| !noise)).or_else(other).unwrap_or_else(|| usual(entry));
        if entry.breaking.is_empty() { plain } else { plain.max(breaking()) }
    }
}

fn level(level: BumpLevel) -> Option<Bump> {
    match level {
        BumpLevel::Major => Some(Bump::Major),
        BumpLevel::Minor => Some(Bump::Minor),
        BumpLevel::Patch => Some(Bump::Patch),
        BumpLevel::None => None,
    }
}

fn usual_break(young: bool) -> Bump {
    if young { Bump::Minor } else { Bump::Major }
}

fn usual(entry: &Entry) -> Option<Bump> {
    match entry.kind.as_str() {
        "" if entry.place == Place::Hidden => None,
        "feat" | "feature" | "deprecate" | "deprecated" => Some(Bump::Minor),
        kind if is_quiet(kind) => {
            entry.scopes.iter().any(|scope| scope.eq_ignore_ascii_case("deps")).then_some(Bump::Patch)
        }
        _ => Some(Bump::Patch),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::CommitId;

    #[test]
    fn the_table() {
        let of = |table: &BumpTable, message: &str, last: &str| {
            let entry = Entry::of_message(CommitId::from_bytes([7; 20]), message).unwrap();
            table.of(&entry, &Version::parse(last).unwrap())
        };
        let usual = BumpTable::default();
        for (message, young, grown) in [
            ("feat!: x", Some(Bump::Minor), Some(Bump::Major)),
            ("docs: x\n\nBREAKING CHANGE: y", Some(Bump::Minor), Some(Bump::Major)),
            ("feat: x", Some(Bump::Minor), Some(Bump::Minor)),
            ("deprecate: x", Some(Bump::Minor), Some(Bump::Minor)),
            ("fix: x", Some(Bump::Patch), Some(Bump::Patch)),
            ("perf: x", Some(Bump::Patch), Some(Bump::Patch)),
            ("revert: x", Some(Bump::Patch), Some(Bump::Patch)),
            ("build(deps): x", Some(Bump::Patch), Some(Bump::Patch)),
            ("deps: x", Some(Bump::Patch), Some(Bump::Patch)),
            ("No type at all", Some(Bump::Patch), Some(Bump::Patch)),
            ("docs: x", None, None),
            ("Release v1.2.3", None, None),
            ("fixup! feat: x", None, None),
            ("chore(release): x", None, None),
        ] {
            assert_eq!(
                (of(&usual, message, "0.3.0"), of(&usual, message, "1.3.0")),
                (young, grown),
                "{message}"
            );
        }
        let own = BumpTable {
            any: [
                ("docs", BumpLevel::Patch),
                ("feat(internal)", BumpLevel::None),
                ("breaking", BumpLevel::Minor),
            ]
            .map(|(kind, level)| (kind.to_owned(), level))
            .into(),
            initial: [("feat", BumpLevel::Patch), ("breaking", BumpLevel::Major)]
                .map(|(kind, level)| (kind.to_owned(), level))
                .into(),
        };
        let quiet = BumpTable { any: [("other".to_owned(), BumpLevel::None)].into(), ..BumpTable::default() };
        assert_eq!(of(&usual, "parser: x", "1.0.0"), Some(Bump::Patch));
        assert_eq!(
            (of(&quiet, "parser: x", "1.0.0"), of(&quiet, "fix: x", "1.0.0")),
            (None, Some(Bump::Patch))
        );
        assert_eq!(of(&own, "docs: x", "1.0.0"), Some(Bump::Patch));
        assert_eq!(of(&own, "feat(Internal): x", "1.0.0"), None);
        assert_eq!(of(&own, "feat: x", "0.1.0"), Some(Bump::Patch));
        assert_eq!(of(&own, "feat: x", "1.0.0"), Some(Bump::Minor));
        assert_eq!(
            (of(&own, "fix!: x", "0.1.0"), of(&own, "fix!: x", "1.0.0")),
            (Some(Bump::Major), Some(Bump::Minor))
        );
    }
}
