//! What is wrong with a template: where, and which names are known there.

use std::collections::BTreeSet;

use handlebars::{RenderErrorReason, TemplateErrorReason};
use serde_json::Value;

use super::helpers;
use super::view::sample;
use crate::diag::{Hint, Kind, Span, did_you_mean};

/// Why notes could not be written.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The template cannot be read.
    #[error("the template `{name}` cannot be read: {reason}")]
    Syntax {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
        /// Where.
        span: Box<Span>,
    },
    /// The template asks for something that is not there.
    #[error("the template `{name}` failed: {reason}")]
    Running {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
        /// Where.
        span: Box<Span>,
        /// A name that was probably meant.
        near: Option<String>,
        /// The names that are known there.
        known: Vec<String>,
    },
    /// Templates that include one another would never end.
    #[error("the template `{}` includes itself: {}", chain.first().map_or("", String::as_str), chain.join(" > "))]
    Circle {
        /// The names of the circle, the first again at the end.
        chain: Vec<String>,
    },
    /// There is no such partial.
    #[error("there is no partial `{name}`")]
    NoPartial {
        /// The name.
        name: String,
        /// A name that was probably meant.
        near: Option<String>,
    },
    /// Nothing more can be left out.
    #[error("the notes have {found} bytes with every line left out, and {limit} are allowed")]
    TooLong {
        /// Bytes.
        limit: usize,
        /// Bytes.
        found: usize,
    },
}

/// A template as it was given: the name it goes by, the file or what stands for it, and the text.
#[derive(Debug, Clone, Default)]
pub(super) struct Source {
    pub name: String,
    pub path: String,
    pub text: String,
}

impl Source {
    /// The byte at a 1-based line and column in characters.
    fn offset(&self, line: usize, column: usize) -> usize {
        let start: usize = self.text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
        let rest = self.text.get(start..).unwrap_or_default();
        let line = rest.split('\n').next().unwrap_or_default();
        let inside = line.char_indices().nth(column.saturating_sub(1)).map_or(line.len(), |(at, _)| at);
        start + inside
    }

    fn span(&self, start: usize, length: usize, label: &str) -> Box<Span> {
        let start = start.min(self.text.len());
        let end = (start + length).min(self.text.len());
        Box::new(Span {
            path: self.path.clone(),
            source: self.text.clone(),
            start,
            end,
            label: label.to_owned(),
        })
    }
}

impl RenderError {
    pub(super) fn syntax(source: &Source, error: &handlebars::TemplateError) -> Self {
        let (line, column) = error.pos().unwrap_or((1, 1));
        // The parser lists the names of its rules; what it means is that a tag is open or misspelt.
        let reason = match error.reason() {
            TemplateErrorReason::InvalidSyntax(_) => "a `{{` or a block is not closed".to_owned(),
            TemplateErrorReason::MismatchingClosedHelper(open, close) => {
                format!("`{{{{#{open}}}}}` is open where `{{{{/{close}}}}}` closes")
            }
            other => other.to_string(),
        };
        let span = source.span(source.offset(line, column), 0, "here");
        Self::Syntax { name: source.name.clone(), reason, span }
    }

    /// A template that is not taken, though it could be read.
    pub(super) fn refused(source: &Source, at: usize, reason: &str) -> Self {
        Self::Syntax {
            name: source.name.clone(),
            reason: reason.to_owned(),
            span: source.span(at, 0, "here"),
        }
    }

    pub(super) fn running(source: &Source, templates: &[&str], error: &handlebars::RenderError) -> Self {
        let start = source.offset(error.line_no.unwrap_or(1), error.column_no.unwrap_or(1));
        let known = names_at(&source.name, &source.text[..start.min(source.text.len())]);
        let nearest = |word: &str, more: &[&str]| {
            let word = word.rsplit(['.', '/']).next().unwrap_or(word);
            let here = did_you_mean(word, known.iter().map(String::as_str).chain(more.iter().copied()));
            let anywhere = || every_name().into_iter().collect::<Vec<_>>();
            here.map(str::to_owned)
                .or_else(|| did_you_mean(word, anywhere().iter().map(String::as_str)).map(str::to_owned))
        };
        let (reason, near, word) = match error.reason() {
            RenderErrorReason::MissingVariable(path) => {
                let path = path.clone().unwrap_or_else(|| source.argument(start, 0));
                (format!("there is no `{path}` here"), nearest(&path, &[]), path)
            }
            RenderErrorReason::ParamNotFoundForIndex(_, at) => {
                let path = source.argument(start, at + 1);
                (format!("there is no `{path}` here"), nearest(&path, &[]), path)
            }
            RenderErrorReason::HelperNotFound(name) => {
                (format!("there is no helper `{name}`"), nearest(name, &helpers::NAMES), name.clone())
            }
            RenderErrorReason::PartialNotFound(name) => {
                let near = did_you_mean(name, templates.iter().copied()).map(str::to_owned);
                (format!("there is no partial `{name}`"), near, name.clone())
            }
            RenderErrorReason::CannotIncludeSelf => {
                ("it includes itself".to_owned(), None, source.argument(start, 1))
            }
            other => (other.to_string(), None, String::new()),
        };
        let rest = &source.text[start.min(source.text.len())..];
        let inside = if word.is_empty() { None } else { rest.find(&word) };
        let span = source.span(start + inside.unwrap_or(0), inside.map_or(0, |_| word.len()), "here");
        // What could stand there: a helper, a partial, or a name.
        let known = match error.reason() {
            RenderErrorReason::HelperNotFound(_) => helpers::NAMES.map(str::to_owned).to_vec(),
            RenderErrorReason::PartialNotFound(_) => {
                templates.iter().filter(|name| !name.contains('/')).map(|name| (*name).to_owned()).collect()
            }
            _ => known,
        };
        Self::Running { name: source.name.clone(), reason, span, near, known }
    }
}

impl Source {
    /// The word number `at` of the tag that begins at an offset.
    fn argument(&self, start: usize, at: usize) -> String {
        let rest = self.text.get(start..).unwrap_or_default();
        let tag = rest.split("}}").next().unwrap_or_default();
        let words = tag.split(|c: char| c.is_whitespace() || "{}#>()~".contains(c));
        words.filter(|word| !word.is_empty()).nth(at).unwrap_or_default().to_owned()
    }
}

impl Hint for RenderError {
    fn code(&self) -> &'static str {
        match self {
            Self::Syntax { .. } | Self::Running { .. } | Self::Circle { .. } => "notes-template",
            Self::NoPartial { .. } => "notes-no-template",
            Self::TooLong { .. } => "notes-too-long",
        }
    }

    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Running { known, .. } if !known.is_empty() => vec![("known here", known.join(", "))],
            Self::Syntax { .. }
            | Self::Running { .. }
            | Self::Circle { .. }
            | Self::NoPartial { .. }
            | Self::TooLong { .. } => Vec::new(),
        }
    }

    fn hints(&self) -> Vec<String> {
        let near = |near: &Option<String>| near.as_ref().map(|near| format!("did you mean `{near}`?"));
        match self {
            Self::Syntax { .. } | Self::Circle { .. } => vec![SHOW.to_owned()],
            Self::Running { near: word, .. } => near(word).into_iter().chain([SHOW.to_owned()]).collect(),
            Self::NoPartial { near: word, .. } => near(word).into_iter().chain([LIST.to_owned()]).collect(),
            Self::TooLong { .. } => vec!["shorten the texts that are written by hand".to_owned()],
        }
    }

    fn span(&self) -> Option<Span> {
        match self {
            Self::Syntax { span, .. } | Self::Running { span, .. } => Some((**span).clone()),
            Self::Circle { .. } | Self::NoPartial { .. } | Self::TooLong { .. } => None,
        }
    }
}

const SHOW: &str = "`kyklos-release notes template show kyklos` prints a template that works";
const LIST: &str = "`kyklos-release notes template list` names them";

/// Every name of the sample, wherever it is.
fn every_name() -> BTreeSet<String> {
    fn collect(value: &Value, into: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    into.insert(name.clone());
                    collect(value, into);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, into)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut names = BTreeSet::new();
    collect(&sample(), &mut names);
    names
}

/// The names that are known behind a text, in the order of the alphabet: the blocks it opens are followed through the
/// sample.
fn names_at(template: &str, before: &str) -> Vec<String> {
    let sample = sample();
    let mut stack: Vec<Value> = vec![start(template, &sample)];
    for tag in before.split("{{").skip(1) {
        let Some((tag, _)) = tag.split_once("}}") else { continue };
        let tag = tag.trim_matches(['{', '}', '~']);
        let mut words =
            tag.split(|c: char| c.is_whitespace() || "()".contains(c)).filter(|word| !word.is_empty());
        let Some(first) = words.next() else { continue };
        if first.starts_with('/') {
            if stack.len() > 1 {
                stack.pop();
            }
        } else if let Some(block) = first.strip_prefix('#') {
            let moved = ["each", "with"].contains(&block);
            let mut step = || {
                // Of `each (sort_by entries "x")` the list is what counts.
                words.find_map(|word| follow(&stack, &sample, word)).map(|value| match value {
                    Value::Array(items) if block == "each" => items.into_iter().next().unwrap_or_default(),
                    value => value,
                })
            };
            let next = if moved { step() } else { stack.last().cloned() };
            stack.push(next.unwrap_or_default());
        }
    }
    let here = stack.last().and_then(Value::as_object);
    let mut names: Vec<String> = here.map(|fields| fields.keys().cloned().collect()).unwrap_or_default();
    names.sort();
    names
}

/// What a template or partial begins with.
pub(super) fn start(template: &str, sample: &Value) -> Value {
    let release = &sample["releases"][0];
    match template.rsplit('/').next().unwrap_or(template) {
        "entry" => release["sections"][0]["entries"][0].clone(),
        "section" => release["sections"][0].clone(),
        "release" | "footer" | "breaking" | "new-contributors" => release.clone(),
        _ => sample.clone(),
    }
}

fn follow(stack: &[Value], sample: &Value, path: &str) -> Option<Value> {
    let mut depth = stack.len().checked_sub(1)?;
    let mut path = path;
    while let Some(rest) = path.strip_prefix("../") {
        depth = depth.checked_sub(1)?;
        path = rest;
    }
    let (mut value, path) = match path.strip_prefix("@root.") {
        Some(rest) => (sample, rest),
        None => (&stack[depth], path),
    };
    for name in path.split('.').filter(|name| *name != "this") {
        value = value.get(name)?;
    }
    Some(value.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_tell_which_names_are_known() {
        let has = |template: &str, before: &str, name: &str| {
            names_at(template, before).iter().any(|known| known == name)
        };
        assert!(has("template", "{{title}} ", "releases"));
        assert!(has("template", "{{#each releases}}", "heading"));
        assert!(has("template", "{{#each releases}}{{#if date}}{{#each sections}}", "entries"));
        assert!(has("template", "{{#each releases}}{{#each sections}}{{/each}}", "heading"));
        assert!(has(
            "template",
            "{{#each releases}}{{#each (sort_by sections \"title\")}}{{#each entries}}",
            "description"
        ));
        assert!(has("entry", "", "description") && has("kyklos/section", "", "entries"));
        assert!(!has("template", "{{#each releases}}", "releases"));
        assert!(names_at("template", "{{#each nothing}}").is_empty());
    }
}
