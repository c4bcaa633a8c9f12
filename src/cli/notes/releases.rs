//! Which tags are releases: those of `release.yaml`, of a package, or of the command line.

use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};
use semver::Version;

use super::super::context::Context;
use super::super::error::CliError;
use super::super::project::Project;
use super::settings;
use crate::diag::counted;
use crate::model::{TagFacts, TagPattern};
use crate::port::Progress as _;

/// Which releases are meant.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct ReleaseArgs {
    /// Only a package of release.yaml: its tags and its paths
    #[arg(long, value_name = "PACKAGE")]
    pub(super) package: Option<String>,
    /// How release tags look, with {version} for the version [default: that of release.yaml, else v{version}]
    #[arg(long, value_name = "PATTERN", value_parser = pattern)]
    tag_pattern: Option<TagPattern>,
    /// Tags that match are no releases; their commits belong to the next one
    #[arg(long, value_name = "REGEX", value_parser = regex)]
    ignore_tags: Option<Regex>,
}

/// A pattern may compile to this many bytes; it is matched in linear time whatever it says.
const MAX_PROGRAM: usize = 256 << 10;

fn pattern(text: &str) -> Result<TagPattern, String> {
    text.parse().map_err(|_| "expected the name of a tag with {version} in it, such as v{version}".to_owned())
}

pub(super) fn regex(text: &str) -> Result<Regex, String> {
    RegexBuilder::new(text).size_limit(MAX_PROGRAM).build().map_err(|error| {
        error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
    })
}

/// The releases that are meant.
#[derive(Debug, Clone)]
pub(super) struct Releases {
    pub(super) pattern: TagPattern,
    /// Which paths are theirs; all of them when there is none.
    pub(super) paths: Vec<String>,
    pub(super) tags: Vec<TagFacts>,
}

impl ReleaseArgs {
    /// Finds the tags. Where others look like the releases somebody meant, it is said.
    pub(super) fn find(&self, context: &Context, project: &Project) -> Result<Releases, CliError> {
        let (pattern, paths) = match &self.package {
            Some(name) => settings::package(project, name)?,
            None => (project.config.tag.clone(), Vec::new()),
        };
        let pattern = self.tag_pattern.clone().unwrap_or(pattern);
        let (mut tags, others) = project.repository.tags_and_others(&pattern)?;
        if let Some(other) = self.other_form(others, &pattern, tags.last()) {
            context.printer.warn(&other);
        }
        if let Some(ignored) = &self.ignore_tags {
            tags.retain(|tag| !ignored.is_match(tag.tag.as_str()));
        }
        Ok(Releases { pattern, paths, tags })
    }

    /// Tags that are versions in another form, where that is the form of the newest releases, as far as anybody can tell.
    fn other_form(
        &self,
        others: Vec<String>,
        pattern: &TagPattern,
        highest: Option<&TagFacts>,
    ) -> Option<String> {
        if self.package.is_some() || self.tag_pattern.is_some() || *pattern != TagPattern::default() {
            return None;
        }
        let mut forms: BTreeMap<String, (usize, Version, String)> = BTreeMap::new();
        for name in others {
            let Some((start, version)) = form(&name) else { continue };
            let found = forms.entry(start.to_owned()).or_insert_with(|| (0, version.clone(), name.clone()));
            found.0 += 1;
            if version > found.1 {
                (found.1, found.2) = (version, name);
            }
        }
        let above = |version: &Version| highest.is_none_or(|tag| *version > tag.version);
        let best = forms.into_iter().filter(|(start, (_, version, _))| {
            // Beside releases, only the same without the `v` is one as well; other names are of other things.
            above(version) && (highest.is_none() || start.is_empty())
        });
        let (start, (count, _, name)) = best.max_by_key(|(_, (count, ..))| *count)?;
        let tags =
            counted(count, "tag looks like a release and is none", "tags look like releases and are none");
        Some(format!(
            "{tags}, such as {name}; releases are called {pattern}: say `tag: \"{start}{{version}}\"` in \
             release.yaml, or --tag-pattern '{start}{{version}}'"
        ))
    }
}

/// What stands before the version at the end of a name, and the version.
fn form(name: &str) -> Option<(&str, Version)> {
    let digits = name.char_indices().filter(|(at, letter)| {
        letter.is_ascii_digit()
            && !name[..*at].ends_with(|before: char| before.is_ascii_digit() || before == '.')
    });
    digits.take(4).find_map(|(at, _)| Some((&name[..at], Version::parse(&name[at..]).ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_names() {
        for (name, start) in [
            ("1.2.3", Some("")),
            ("v1.2.3-rc.1", Some("v")),
            ("release-1.2.3", Some("release-")),
            ("pkg2@10.0.1", Some("pkg2@")),
            ("2024-01-01", None),
            ("v1.2", None),
            ("nightly", None),
        ] {
            assert_eq!(form(name).map(|(start, _)| start), start, "{name}");
        }
    }
}
