//! The configuration of git-cliff as the `notes:` part of a `release.yaml`. What cannot be carried over is told, with its
//! line and with what does the same here.

mod pattern;

use std::collections::BTreeMap;

use super::tracker::Tracker;
use crate::config::{OTHER, ReferenceName, TrackerSettings, UNTYPED};
use crate::diag::{Diagnostic, Severity};
use crate::format::cliff::{At, Cliff, CommitParser};
use crate::model::CommitId;

use pattern::{Matched, Message};

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// Lines for `release.yaml`.
    pub yaml: String,
    /// What was not carried over (`warning`), and what works in another way (`note`), by line.
    pub findings: Vec<Diagnostic>,
}

/// The longest heading of `release.yaml`.
const MAX_TITLE: usize = 80;

/// Carries a configuration over; `path` is the name the user knows it by.
pub fn import(cliff: &Cliff, path: &str) -> Imported {
    let mut import = Import { path, ..Import::default() };
    for parser in &cliff.commit_parsers {
        import.parser(parser);
    }
    let unconventional = cliff.others.iter().find(|other| other.value.0 == "git.filter_unconventional");
    match unconventional.map(|other| other.value.1.as_str()) {
        Some("true") => {
            import.types.insert(UNTYPED.to_owned(), None);
        }
        Some("false") => {
            if let Some(title) = import.everything.clone() {
                import.types.insert(UNTYPED.to_owned(), title);
            }
        }
        Some(_) | None => {}
    }
    if cliff.filter_commits {
        for kind in pattern::TOLD.iter().chain(&[OTHER]) {
            import.types.entry((*kind).to_owned()).or_insert(None);
        }
    }
    let tag = cliff.tag_pattern.as_ref().and_then(|pattern| import.tag(pattern));
    for link in &cliff.link_parsers {
        import.link(link.line, &link.value.pattern, &link.value.href);
    }
    for pattern in &cliff.replacements {
        let text = format!("the replacement of `{}` was not carried over", short(&pattern.value));
        let hint = "numbers become links by themselves; other words for one commit: .kyklos/changes/SHA.md";
        import.tell(Severity::Warning, "import-replacement", pattern.line, text, Some(hint));
    }
    for At { line, value: (key, value) } in &cliff.others {
        import.other(*line, key, value);
    }
    import.findings.sort_by_key(|finding| finding.line);
    Imported { yaml: import.yaml(tag.as_deref()), findings: import.findings }
}

#[derive(Default)]
struct Import<'a> {
    path: &'a str,
    /// The heading of a type or of `type(scope)`; `None` = hidden.
    types: BTreeMap<String, Option<String>>,
    /// The heading of what no parser before takes, where one takes everything.
    everything: Option<Option<String>>,
    /// Headings by the name git-cliff sorts them by.
    groups: BTreeMap<String, String>,
    ignore: Vec<String>,
    skip: Option<String>,
    /// Numbers of the version before 1.0.0, by what moves them.
    initial: BTreeMap<&'static str, &'static str>,
    /// Patterns of other trackers, and their pages.
    links: Vec<(String, String)>,
    findings: Vec<Diagnostic>,
}

impl Import<'_> {
    fn tell(&mut self, severity: Severity, code: &str, line: u32, message: String, hint: Option<&str>) {
        let mut finding = Diagnostic::new(severity, code, message).at(self.path);
        finding.line = Some(line);
        finding.hint = hint.map(str::to_owned);
        self.findings.push(finding);
    }

    fn parser(&mut self, At { line, value: parser }: &At<CommitParser>) {
        let lost = |import: &mut Self, message: String, hint: &str| {
            import.tell(Severity::Warning, "import-parser", *line, message, Some(hint));
        };
        for other in &parser.others {
            let message = format!("`{other}` of a commit parser was not carried over");
            lost(self, message, "scopes are told as they stand in the message");
        }
        let [(what, pattern)] = parser.conditions.as_slice() else {
            let message =
                format!("a commit parser with {} conditions was not carried over", parser.conditions.len());
            lost(self, message, "types stand in notes.types, as `type` or `type(scope)`");
            return;
        };
        match what.as_str() {
            "message" => self.message(*line, pattern, parser),
            "sha" if parser.skip => {
                let digits = pattern.trim_start_matches('^').to_ascii_lowercase();
                if CommitId::is_named_by(&digits) {
                    self.ignore.push(digits);
                } else {
                    let message = format!("`{}` is no commit id of 7 to 40 digits", short(pattern));
                    lost(self, message, "name commits that are not told in notes.ignore");
                }
            }
            "footer" if parser.skip => match pattern::footer(pattern) {
                Some(footer) if self.skip.as_ref().is_none_or(|known| *known == footer) => {
                    self.skip = Some(footer);
                }
                _ => {
                    let message = format!("commits with the footer `{}` are told", short(pattern));
                    lost(self, message, "one footer can be named in notes.skip, as `TOKEN: VALUE`");
                }
            },
            "body" if pattern.to_ascii_lowercase().contains("security") => {
                let message = "commits with `security` in their body are told by their type".to_owned();
                lost(
                    self,
                    message,
                    "the type `security`, and a CVE or GHSA number, put a commit under Security",
                );
            }
            other => {
                let message = format!("a commit parser for `{}` was not carried over", short(other));
                lost(
                    self,
                    message,
                    "packages and --include-path choose by path, notes.types by type and scope",
                );
            }
        }
    }

    fn message(&mut self, line: u32, text: &str, parser: &CommitParser) {
        let title = if parser.skip { None } else { parser.group.as_deref().map(heading) };
        let title = match (title, parser.skip) {
            (Some(Some(title)), _) => {
                let group = parser.group.clone().unwrap_or_default();
                self.groups.insert(group, title.clone());
                Some(title)
            }
            (_, true) => None,
            _ => {
                let message = format!("the parser of `{}` has no heading that can be used", short(text));
                self.tell(Severity::Warning, "import-group", line, message, Some("name one in notes.types"));
                return;
            }
        };
        match pattern::message(text) {
            Message::Types(matched) => {
                if matched.iter().any(|matched| !matched.exact) {
                    let message = format!("`{}` looks at more than type and scope", short(text));
                    let hint =
                        "notes.types decides by type and scope alone; check the lines that were written";
                    self.tell(Severity::Note, "import-wider", line, message, Some(hint));
                }
                for Matched { key, .. } in matched {
                    self.types.entry(key).or_insert_with(|| title.clone());
                }
            }
            Message::Everything => {
                self.everything.get_or_insert_with(|| title.clone());
                for kind in pattern::USUAL.iter().chain(&[OTHER]) {
                    self.types.entry((*kind).to_owned()).or_insert_with(|| title.clone());
                }
                let message =
                    format!("`{}` stands for the types that no parser before it takes", short(text));
                let hint = "name those in notes.types that have a place of their own";
                self.tell(Severity::Note, "import-everything", line, message, Some(hint));
            }
            Message::Breaking => {
                let message = "breaking changes have a heading of their own".to_owned();
                self.tell(Severity::Note, "import-breaking", line, message, None);
            }
            Message::Unknown => {
                let message = format!("the pattern `{}` cannot be told by type and scope", short(text));
                let hint = "types stand in notes.types, as `type` or `type(scope)`";
                self.tell(Severity::Warning, "import-pattern", line, message, Some(hint));
            }
        }
    }

    /// The form of release tags.
    fn tag(&mut self, At { line, value }: &At<String>) -> Option<String> {
        let found = pattern::tag(value);
        if found.is_none() {
            let message = format!("the tag pattern `{}` was not carried over", short(value));
            let hint =
                "say how release tags look: `tag: v{version}`, or for a part of the repository `packages:`";
            self.tell(Severity::Warning, "import-tag", *line, message, Some(hint));
        }
        found
    }

    fn link(&mut self, line: u32, pattern: &str, href: &str) {
        if pattern::is_number(pattern) {
            let message = format!("`{}` is a link by itself, to the repository of `origin`", short(pattern));
            self.tell(Severity::Note, "import-link", line, message, None);
            return;
        }
        match pattern::page(href).filter(|page| is_tracker(pattern, page)) {
            Some(page) => self.links.push((pattern.to_owned(), page)),
            None => {
                let message =
                    format!("links of `{}` to {} were not carried over", short(pattern), short(href));
                let hint = "notes.references has a pattern and a page with `{id}` for its first group";
                self.tell(Severity::Warning, "import-link", line, message, Some(hint));
            }
        }
    }

    fn other(&mut self, line: u32, key: &str, value: &str) {
        let (severity, hint) = match (key, value) {
            // What is as it is here, or changes nothing.
            (
                "git.conventional_commits"
                | "git.filter_unconventional"
                | "changelog.trim"
                | "changelog.render_always"
                | "git.protect_breaking_commits",
                "true",
            )
            | (
                "git.require_conventional"
                | "git.split_commits"
                | "git.topo_order"
                | "git.topo_order_commits"
                | "git.use_branch_tags"
                | "git.fail_on_unmatched_commit"
                | "git.filter_unconventional"
                | "git.protect_breaking_commits"
                | "git.recurse_submodules",
                "false",
            )
            | (
                "changelog.header" | "changelog.footer" | "git.ignore_tags" | "git.skip_tags"
                | "git.count_tags",
                "",
            ) => {
                return;
            }
            ("changelog.header" | "changelog.body" | "changelog.footer", _) => (
                Severity::Warning,
                "templates are handlebars here: `kyklos-release notes template show NAME`, then notes.template or notes.partials",
            ),
            ("git.skip_tags" | "git.use_branch_tags" | "git.topo_order" | "git.topo_order_commits", _) => (
                Severity::Note,
                "ancestry decides what belongs to a release, and stable notes reach back to the last stable release: see --since",
            ),
            ("git.require_conventional" | "git.fail_on_unmatched_commit", _) => {
                (Severity::Note, "`kyklos-release notes lint` refuses such messages")
            }
            ("git.split_commits", _) => {
                (Severity::Note, "--squash all tells the bullets of a squashed commit")
            }
            ("git.include_paths" | "git.exclude_paths", _) => {
                (Severity::Warning, "--include-path and --exclude-path, or paths of `packages:`")
            }
            ("git.sort_commits", "newest") => return,
            ("git.sort_commits", "oldest") => (Severity::Note, "--sort oldest"),
            ("git.ignore_tags", _) => (Severity::Note, "--ignore-tags REGEX"),
            ("git.conventional_commits", _) => {
                (Severity::Note, "commits without a type stand under Changed, and are counted")
            }
            ("changelog.output", _) => (Severity::Note, "-o FILE, or --prepend FILE"),
            ("bump.features_always_bump_minor", "false") => {
                self.initial.insert("feat", "patch");
                return;
            }
            ("bump.breaking_always_bump_major", "true") => {
                self.initial.insert("breaking", "major");
                return;
            }
            ("bump.features_always_bump_minor" | "bump.breaking_always_bump_major", _) => return,
            (key, _) if key.starts_with("bump.") => {
                (Severity::Note, "`kyklos-release notes next --explain` tells the next version and why")
            }
            (key, _) if key.starts_with("remote.") => {
                (Severity::Note, "owner and repository are those of the remote `origin`")
            }
            _ => (Severity::Warning, "there is nothing that does the same"),
        };
        let message = format!("`{}` was not carried over", short(key));
        self.tell(severity, "import-setting", line, message, Some(hint));
    }

    fn yaml(&self, tag: Option<&str>) -> String {
        let mut out = String::new();
        if let Some(tag) = tag {
            out.push_str(&format!("tag: {}\n", quoted(tag)));
        }
        let mut notes = String::new();
        if !self.groups.is_empty() {
            notes.push_str("  sections:\n");
            let mut told: Vec<&str> = Vec::new();
            for title in
                self.groups.values().filter(|title| self.types.values().flatten().any(|used| used == *title))
            {
                if !told.contains(&title.as_str()) {
                    told.push(title);
                    notes.push_str(&format!("    - {}\n", quoted(title)));
                }
            }
            if told.is_empty() {
                notes.clear();
            }
        }
        if !self.types.is_empty() {
            notes.push_str("  types:\n");
            for (kind, title) in &self.types {
                notes.push_str(&format!(
                    "    {}: {}\n",
                    quoted(kind),
                    quoted(title.as_deref().unwrap_or("hidden"))
                ));
            }
        }
        if !self.ignore.is_empty() {
            notes.push_str("  ignore:\n");
            for digits in &self.ignore {
                notes.push_str(&format!("    - {}\n", quoted(digits)));
            }
        }
        if let Some(footer) = &self.skip {
            notes.push_str(&format!("  skip: {}\n", quoted(footer)));
        }
        if !self.initial.is_empty() {
            notes.push_str("  initial_bump:\n");
            for (what, level) in &self.initial {
                notes.push_str(&format!("    {what}: {level}\n"));
            }
        }
        if !self.links.is_empty() {
            notes.push_str("  references:\n");
            for (pattern, url) in &self.links {
                notes.push_str(&format!("    - pattern: {}\n      url: {}\n", quoted(pattern), quoted(url)));
            }
        }
        if notes.is_empty() {
            out.push_str("notes: {}\n");
        } else {
            out.push_str("notes:\n");
            out.push_str(&notes);
        }
        out
    }
}

/// Whether our own reader takes a pattern and a page.
fn is_tracker(pattern: &str, url: &str) -> bool {
    let settings =
        TrackerSettings { pattern: pattern.to_owned(), url: url.to_owned(), kind: ReferenceName::Issue };
    !url.contains(char::is_whitespace) && Tracker::new(&settings).is_ok()
}

/// A heading without the comment that orders it; `None` when nothing is left, or more than a heading is.
fn heading(group: &str) -> Option<String> {
    let mut text = group.to_owned();
    while let Some(start) = text.find("<!--") {
        let end = text[start..].find("-->").map_or(text.len(), |end| start + end + 3);
        text.replace_range(start..end, "");
    }
    let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let usable = !text.is_empty()
        && text.len() <= MAX_TITLE
        && text != "hidden"
        && !text.chars().any(char::is_control);
    usable.then_some(text)
}

/// A string of JSON is one of YAML.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn short(text: &str) -> String {
    let clean: String = text.chars().filter(|c| !c.is_control()).take(80).collect();
    if text.chars().count() > 80 { format!("{clean}…") } else { clean }
}

#[cfg(test)]
mod tests;
