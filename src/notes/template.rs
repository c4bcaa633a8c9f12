//! The template language: handlebars, strict, with Markdown as its escape; and the built-in templates.

use handlebars::Handlebars;

use super::helpers;
use crate::format::markdown;
use crate::model::Origin;

/// The built-in templates and partials by name. `PRESET/NAME` stands in place of `NAME` in that preset.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("kyklos", CHANGELOG),
    ("keep-a-changelog", CHANGELOG),
    ("github", CHANGELOG),
    ("header", include_str!("../../templates/notes/header.md.hbs")),
    ("keep-a-changelog/header", include_str!("../../templates/notes/keep-a-changelog/header.md.hbs")),
    ("github/header", include_str!("../../templates/notes/github/header.md.hbs")),
    ("release", include_str!("../../templates/notes/release.md.hbs")),
    ("keep-a-changelog/release", include_str!("../../templates/notes/keep-a-changelog/release.md.hbs")),
    ("github/release", include_str!("../../templates/notes/github/release.md.hbs")),
    ("section", include_str!("../../templates/notes/section.md.hbs")),
    ("entry", include_str!("../../templates/notes/entry.md.hbs")),
    ("breaking", include_str!("../../templates/notes/breaking.md.hbs")),
    ("new-contributors", include_str!("../../templates/notes/new-contributors.md.hbs")),
    ("contributors", include_str!("../../templates/notes/contributors.md.hbs")),
    ("footer", include_str!("../../templates/notes/footer.md.hbs")),
    ("github/footer", include_str!("../../templates/notes/github/footer.md.hbs")),
    ("links", include_str!("../../templates/notes/links.md.hbs")),
    ("keep-a-changelog/links", include_str!("../../templates/notes/keep-a-changelog/links.md.hbs")),
    ("release-notes", include_str!("../../templates/notes/release-notes.md.hbs")),
    ("release-notes-prerelease", include_str!("../../templates/notes/release-notes-prerelease.md.hbs")),
    ("release-notes-patch", include_str!("../../templates/notes/release-notes-patch.md.hbs")),
    ("release-notes-security", include_str!("../../templates/notes/release-notes-security.md.hbs")),
    ("facts", include_str!("../../templates/notes/facts.md.hbs")),
    ("overview", include_str!("../../templates/notes/overview.md.hbs")),
    ("security", include_str!("../../templates/notes/security.md.hbs")),
    ("breaking-changes", include_str!("../../templates/notes/breaking-changes.md.hbs")),
    ("rest", include_str!("../../templates/notes/rest.md.hbs")),
    ("testing", include_str!("../../templates/notes/testing.md.hbs")),
    ("upgrade", include_str!("../../templates/notes/upgrade.md.hbs")),
    ("known-issues", include_str!("../../templates/notes/known-issues.md.hbs")),
    ("kubernetes", include_str!("../../templates/notes/kubernetes.md.hbs")),
    ("installation", include_str!("../../templates/notes/installation.md.hbs")),
    ("manual", include_str!("../../templates/notes/manual.md.hbs")),
    ("manual-release-notes", include_str!("../../templates/notes/manual-release-notes.md.hbs")),
];

/// A changelog is the same partials in the same order, whatever the preset.
const CHANGELOG: &str = include_str!("../../templates/notes/changelog.md.hbs");

/// An engine with every helper. Addresses are made for the origin.
pub(super) fn engine(origin: Option<&Origin>) -> Handlebars<'static> {
    let mut engine = Handlebars::new();
    engine.set_strict_mode(true);
    engine.register_escape_fn(markdown::text);
    helpers::register(&mut engine, origin);
    engine
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::fault::start;
    use super::super::render::{Preset, Writer};
    use super::super::view::sample;
    use super::*;

    #[test]
    fn every_template_is_built_in_and_works_on_the_sample() {
        let mut files = 0;
        for directory in ["", "github", "keep-a-changelog"] {
            let full = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/notes").join(directory);
            for entry in std::fs::read_dir(full).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                let Some(name) = name.strip_suffix(".md.hbs").filter(|name| *name != "changelog") else {
                    continue;
                };
                let name = format!("{directory}/{name}");
                assert!(BUILT_IN.iter().any(|(known, _)| *known == name.trim_start_matches('/')), "{name}");
                files += 1;
            }
        }
        assert_eq!(files + 3, BUILT_IN.len());
        for preset in [Preset::Kyklos, Preset::KeepAChangelog, Preset::Github] {
            let writer = Writer::new(preset, None).unwrap();
            for (name, _) in BUILT_IN.iter().filter(|(name, _)| !name.starts_with("manual")) {
                assert_eq!(
                    writer.try_out(Some(name)).map(drop).map_err(|error| error.to_string()),
                    Ok(()),
                    "{name}"
                );
            }
        }
        assert!(start("entry", &sample()).get("sha").is_some());
    }
}
