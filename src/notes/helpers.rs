//! The helpers of templates.
//!
//! A helper that returns a value is escaped like any text. One that writes Markdown escapes what it is given by itself,
//! and what it wrote is not escaped again when another helper takes it.

use std::collections::BTreeMap;

use handlebars::{
    Context, Handlebars, Helper, HelperDef, HelperResult, Output, RenderContext, RenderError,
    RenderErrorReason, ScopedJson,
};
use jiff::civil::Date;
use serde_json::{Value, json};

use super::entry::advisory_page;
use crate::format::markdown;
use crate::model::Origin;

/// Every helper by name: those of handlebars, then ours.
pub(super) const NAMES: [&str; 42] = [
    "if",
    "unless",
    "each",
    "with",
    "lookup",
    "log",
    "eq",
    "ne",
    "gt",
    "gte",
    "lt",
    "lte",
    "and",
    "or",
    "not",
    "len",
    "md",
    "code",
    "link",
    "commit_link",
    "pr_link",
    "issue_link",
    "advisory_link",
    "compare_link",
    "author",
    "short_sha",
    "date",
    "upper_first",
    "trim_prefix",
    "truncate",
    "indent",
    "wrap",
    "plural",
    "default",
    "group_by",
    "where",
    "sort_by",
    "unique_by",
    "join",
    "anchor",
    "sha256",
    "image_ref",
];

/// The key under which Markdown travels from one helper to another. No text of a commit becomes an object.
const MARKDOWN: &str = "markdown";
/// The widest line and the deepest indentation that can be asked for.
const MAX_WIDTH: usize = 4096;

/// What a helper is given.
struct Given<'a, 'rc> {
    helper: &'a Helper<'rc>,
    context: &'a Context,
    here: &'a dyn Fn(&str) -> Option<Value>,
}

/// What a helper answers.
type Answer<T> = Result<T, RenderErrorReason>;

impl Given<'_, '_> {
    fn value(&self, at: usize) -> Answer<&Value> {
        match self.helper.param(at) {
            Some(value) if value.is_value_missing() => {
                Err(RenderErrorReason::MissingVariable(value.relative_path().cloned()))
            }
            Some(value) => Ok(value.value()),
            None => Err(self.wrong(&format!("needs a value number {}", at + 1))),
        }
    }

    /// Plain text. Numbers and truth are spelled out, nothing is empty text.
    fn text(&self, at: usize) -> Answer<String> {
        match self.value(at)? {
            Value::String(text) => Ok(text.clone()),
            Value::Null => Ok(String::new()),
            value @ (Value::Number(_) | Value::Bool(_)) => Ok(value.to_string()),
            Value::Array(_) | Value::Object(_) => {
                Err(self.wrong(&format!("takes text as value number {}", at + 1)))
            }
        }
    }

    /// Text as Markdown; what a helper wrote stays as it is.
    fn markdown(&self, at: usize) -> Answer<String> {
        match self.value(at)?.get(MARKDOWN).and_then(Value::as_str) {
            Some(written) => Ok(written.to_owned()),
            None => Ok(markdown::text(&self.text(at)?)),
        }
    }

    fn number(&self, at: usize) -> Answer<usize> {
        let value = self.value(at)?;
        let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
        let number = number.and_then(|number| usize::try_from(number).ok());
        number.ok_or_else(|| self.wrong(&format!("takes a number as value number {}", at + 1)))
    }

    fn list(&self, at: usize) -> Answer<&Vec<Value>> {
        match self.value(at)? {
            Value::Array(list) => Ok(list),
            _ => Err(self.wrong(&format!("takes a list as value number {}", at + 1))),
        }
    }

    fn has(&self, at: usize) -> bool {
        self.helper.param(at).is_some()
    }

    /// A field of what the template stands in.
    fn here(&self, name: &str) -> Option<Value> {
        (self.here)(name).filter(|value| !value.is_null())
    }

    /// A field of the whole data.
    fn whole(&self, name: &str) -> &Value {
        self.context.data().get(name).unwrap_or(&Value::Null)
    }

    fn wrong(&self, what: &str) -> RenderErrorReason {
        RenderErrorReason::Other(format!("`{}` {what}", self.helper.name()))
    }
}

/// A helper that returns a value.
struct Values<F>(F);
/// A helper that writes Markdown.
struct Writes<F>(F);

fn ask<T>(
    make: &dyn Fn(&Given<'_, '_>) -> Answer<T>,
    helper: &Helper<'_>,
    context: &Context,
    state: &RenderContext<'_, '_>,
) -> Result<T, RenderError> {
    let here = |name: &str| {
        let here = state.evaluate(context, "this").ok()?;
        here.as_json().get(name).cloned()
    };
    make(&Given { helper, context, here: &here }).map_err(RenderError::from)
}

impl<F: Fn(&Given<'_, '_>) -> Answer<Value>> HelperDef for Values<F> {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        context: &'rc Context,
        state: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        ask(&self.0, helper, context, state).map(ScopedJson::Derived)
    }
}

impl<F: Fn(&Given<'_, '_>) -> Answer<String>> HelperDef for Writes<F> {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        context: &'rc Context,
        state: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        Ok(ScopedJson::Derived(json!({ MARKDOWN: ask(&self.0, helper, context, state)? })))
    }

    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        context: &'rc Context,
        state: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        out.write(&ask(&self.0, helper, context, state)?)?;
        Ok(())
    }
}

fn values(
    engine: &mut Handlebars<'static>,
    name: &str,
    make: impl Fn(&Given<'_, '_>) -> Answer<Value> + Send + Sync + 'static,
) {
    engine.register_helper(name, Box::new(Values(make)));
}

fn writes(
    engine: &mut Handlebars<'static>,
    name: &str,
    make: impl Fn(&Given<'_, '_>) -> Answer<String> + Send + Sync + 'static,
) {
    engine.register_helper(name, Box::new(Writes(make)));
}

/// Registers every helper. Addresses are made for the origin.
pub(super) fn register(engine: &mut Handlebars<'static>, origin: Option<&Origin>) {
    of_text(engine);
    of_lists(engine);
    of_files(engine);
    writes(engine, "md", |given| given.markdown(0));
    writes(engine, "code", |given| Ok(markdown::code(&given.text(0)?)));
    writes(engine, "link", |given| {
        // `link text url` as people know it; with one value the address is its own text.
        let text = given.text(0)?;
        let url = if given.has(1) { given.text(1)? } else { text.clone() };
        Ok(markdown::link(&text, &url))
    });
    writes(engine, "indent", |given| {
        let pad = " ".repeat(given.number(1)?.min(MAX_WIDTH));
        let text = given.markdown(0)?;
        let lines =
            text.split('\n').map(|line| if line.is_empty() { String::new() } else { format!("{pad}{line}") });
        Ok(lines.collect::<Vec<_>>().join("\n"))
    });
    writes(engine, "wrap", |given| Ok(wrap(&given.markdown(0)?, given.number(1)?.clamp(1, MAX_WIDTH))));
    links(engine, origin);
}

fn links(engine: &mut Handlebars<'static>, origin: Option<&Origin>) {
    let links = origin.cloned();
    writes(engine, "commit_link", move |given| Ok(commit_link(&given.text(0)?, links.as_ref())));
    let links = origin.cloned();
    writes(engine, "pr_link", move |given| Ok(pull_request_link(&given.text(0)?, links.as_ref())));
    let links = origin.cloned();
    writes(engine, "issue_link", move |given| {
        let id = given.text(0)?;
        Ok(number(&id, links.as_ref().map(|links| links.issue(&id))))
    });
    writes(engine, "advisory_link", |given| Ok(advisory_link(&given.text(0)?)));
    let links = origin.cloned();
    writes(engine, "compare_link", move |given| {
        let (from, to) = (given.text(0)?, given.text(1)?);
        let text = format!("{from}...{to}");
        Ok(match &links {
            Some(links) => markdown::link(&text, &links.compare(&from, &to)),
            None => markdown::text(&text),
        })
    });
    let links = origin.cloned();
    writes(engine, "author", move |given| {
        let of = |name: &str| {
            let value = if given.has(0) { given.value(0)?.get(name).cloned() } else { given.here(name) };
            Ok::<_, RenderErrorReason>(value.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned())
        };
        let (name, login) = (of("name")?, of("login")?);
        let page = links.as_ref().filter(|_| !login.is_empty() && !login.ends_with("[bot]"));
        Ok(match page {
            Some(links) => {
                let link = markdown::link(&login, &format!("https://{}/{login}", links.host));
                if name == login { link } else { format!("{} ({link})", markdown::text(&name)) }
            }
            None => markdown::text(&name),
        })
    });
}

fn of_text(engine: &mut Handlebars<'static>) {
    values(engine, "short_sha", |given| Ok(json!(short(&given.text(0)?))));
    values(engine, "upper_first", |given| {
        let text = given.text(0)?;
        let mut rest = text.chars();
        let upper = rest.next().map(|first| first.to_uppercase().chain(rest).collect::<String>());
        Ok(json!(upper.unwrap_or_default()))
    });
    values(engine, "trim_prefix", |given| {
        let (text, prefix) = (given.text(0)?, given.text(1)?);
        Ok(json!(text.strip_prefix(&prefix).unwrap_or(&text)))
    });
    values(engine, "truncate", |given| {
        let (text, length) = (given.text(0)?, given.number(1)?);
        if text.chars().count() <= length {
            return Ok(json!(text));
        }
        Ok(json!(text.chars().take(length.saturating_sub(1)).chain(['…']).collect::<String>()))
    });
    values(engine, "plural", |given| {
        Ok(json!(if given.number(0)? == 1 { given.text(1)? } else { given.text(2)? }))
    });
    values(engine, "default", |given| {
        let first = given.helper.param(0).map(handlebars::PathAndJson::value).unwrap_or(&Value::Null);
        if first.is_null() || first == "" { given.value(1).cloned() } else { Ok(first.clone()) }
    });
    values(engine, "anchor", |given| {
        let text = given.text(0)?;
        let kept = text.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        Ok(json!(kept.flat_map(|c| if c == ' ' { '-' } else { c }.to_lowercase()).collect::<String>()))
    });
    values(engine, "date", |given| {
        // `date`, `date FORMAT` and `date DAY FORMAT`.
        let (day, format) = match (given.has(0), given.has(1)) {
            (false, _) => (given.here("date"), None),
            (true, false) => {
                let only = given.text(0)?;
                if only.contains('%') { (given.here("date"), Some(only)) } else { (Some(json!(only)), None) }
            }
            (true, true) => (Some(given.value(0)?.clone()), Some(given.text(1)?)),
        };
        let Some(day) = day.as_ref().and_then(Value::as_str) else { return Ok(Value::Null) };
        let Some(format) = format else { return Ok(json!(day)) };
        let parsed: Date = day.parse().map_err(|_| given.wrong(&format!("takes a day, not `{day}`")))?;
        let written = jiff::fmt::strtime::format(&format, parsed);
        written
            .map(|text| json!(text))
            .map_err(|error| given.wrong(&format!("cannot write `{format}`: {error}")))
    });
}

fn of_lists(engine: &mut Handlebars<'static>) {
    values(engine, "join", |given| {
        let separator = if given.has(1) { given.text(1)? } else { ", ".to_owned() };
        let words = given.list(0)?.iter().map(plain);
        Ok(json!(words.collect::<Vec<_>>().join(&separator)))
    });
    values(engine, "where", |given| {
        let (field, wanted) = (given.text(1)?, given.value(2)?);
        let kept = given.list(0)?.iter().filter(|item| item.get(&field).unwrap_or(&Value::Null) == wanted);
        Ok(kept.cloned().collect())
    });
    values(engine, "sort_by", |given| {
        let field = given.text(1)?;
        let mut items = given.list(0)?.clone();
        items.sort_by_cached_key(|item| item.get(&field).map(plain).unwrap_or_default());
        Ok(Value::Array(items))
    });
    values(engine, "unique_by", |given| {
        let field = given.text(1)?;
        let mut seen = std::collections::BTreeSet::new();
        let items = given.list(0)?.iter();
        Ok(items
            .filter(|item| seen.insert(item.get(&field).map(plain).unwrap_or_default()))
            .cloned()
            .collect())
    });
    values(engine, "group_by", |given| {
        let field = given.text(1)?;
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        let mut groups: Vec<(String, Vec<Value>)> = Vec::new();
        for item in given.list(0)? {
            let key = item.get(&field).map(plain).unwrap_or_default();
            let at = *places.entry(key.clone()).or_insert_with(|| {
                groups.push((key, Vec::new()));
                groups.len() - 1
            });
            groups[at].1.push(item.clone());
        }
        Ok(groups.into_iter().map(|(key, items)| json!({ "key": key, "items": items })).collect())
    });
}

fn of_files(engine: &mut Handlebars<'static>) {
    writes(engine, "sha256", |given| {
        let name = given.text(0)?;
        let files = given.whole("files").as_array().map(Vec::as_slice).unwrap_or_default();
        let named = |file: &&Value| file.get("name").and_then(Value::as_str) == Some(&name);
        let found = files.iter().find(named).and_then(|file| file.get("sha256")?.as_str());
        found.map(str::to_owned).ok_or_else(|| {
            let known: Vec<&str> = files.iter().filter_map(|file| file.get("name")?.as_str()).collect();
            let known =
                if known.is_empty() { "none; --dist tells them".to_owned() } else { known.join(", ") };
            given.wrong(&format!("knows no file `{name}`; the files of the release are: {known}"))
        })
    });
    writes(engine, "image_ref", |given| match given.whole("image").as_str() {
        Some(image) => Ok(image.to_owned()),
        None => Err(given.wrong("knows no image: the release has none, or --dist does not tell it")),
    });
}

/// A value as text to compare, sort and join by.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

/// The first digits of a commit id.
pub(super) fn short(id: &str) -> &str {
    id.get(..7).unwrap_or(id)
}

/// A commit as Markdown, by its first digits.
pub(super) fn commit_link(id: &str, origin: Option<&Origin>) -> String {
    match origin {
        Some(origin) => markdown::link(short(id), &origin.commit(id)),
        None => markdown::text(short(id)),
    }
}

/// A pull or merge request as Markdown, by its number.
pub(super) fn pull_request_link(id: &str, origin: Option<&Origin>) -> String {
    number(id, origin.map(|origin| origin.pull_request(id)))
}

/// An advisory as Markdown.
pub(super) fn advisory_link(id: &str) -> String {
    markdown::link(id, &advisory_page(id))
}

fn number(id: &str, url: Option<String>) -> String {
    let digits = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    match url {
        Some(url) if digits => format!("[#{id}]({url})"),
        None if digits => format!("#{id}"),
        _ => markdown::text(&format!("#{id}")),
    }
}

/// Markdown in lines of at most `width` characters where words allow it. No line begins with what would open a block.
fn wrap(text: &str, width: usize) -> String {
    let mut out = String::with_capacity(text.len());
    let mut column = 0;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let length = word.chars().count();
        let harmless = word.starts_with(|c: char| c.is_alphabetic() || c == '[' || c == '(')
            || (word.starts_with('`') && !word.starts_with("```"));
        if column == 0 {
            column = length;
        } else if column + 1 + length > width && harmless {
            out.push('\n');
            column = length;
        } else {
            out.push(' ');
            column += 1 + length;
        }
        out.push_str(word);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(template: &str) -> Result<String, String> {
        let mut engine = Handlebars::new();
        engine.set_strict_mode(true);
        engine.register_escape_fn(markdown::text);
        register(&mut engine, Origin::from_url("https://github.com/acme/app").as_ref());
        let data = json!({
            "date": "2026-01-31", "word": "a *b* @c", "none": null, "list": ["x", "@y"], "image": "ghcr.io/a/b:v1@sha256:00",
            "sha": "0123456789abcdef0123456789abcdef01234567", "n": 2,
            "files": [{ "name": "install.yaml", "sha256": "abc" }],
            "people": [{ "name": "Ada", "login": "ada" }],
            "nicknames": [{ "name": "ada", "login": "ada" }],
            "entries": [
                { "type": "fix", "d": "b" }, { "type": "feat", "d": "a" }, { "type": "fix", "d": "c" },
            ],
        });
        engine.render_template(template, &data).map_err(|error| error.reason().to_string())
    }

    #[test]
    fn every_helper_does_what_it_says() {
        for (template, expected) in [
            ("{{md word}} {{word}}", "a \\*b\\* `@c` a \\*b\\* `@c`"),
            ("{{code word}}", "`a *b* @c`"),
            (
                "{{link word \"https://x.example\"}} {{link \"x\" \"javascript:1\"}}",
                "[a \\*b\\* `@c`](https://x.example) x",
            ),
            (
                "{{commit_link sha}}",
                "[0123456](https://github.com/acme/app/commit/0123456789abcdef0123456789abcdef01234567)",
            ),
            (
                "{{pr_link 7}} {{issue_link \"8\"}}",
                "[#7](https://github.com/acme/app/pull/7) [#8](https://github.com/acme/app/issues/8)",
            ),
            ("{{advisory_link \"CVE-2026-1\"}}", "[CVE-2026-1](https://www.cve.org/CVERecord?id=CVE-2026-1)"),
            ("{{compare_link \"v1\" \"v2\"}}", "[v1...v2](https://github.com/acme/app/compare/v1...v2)"),
            (
                "{{#each people}}{{author}}{{/each}} {{author (lookup people 0)}}",
                "Ada ([ada](https://github.com/ada)) Ada ([ada](https://github.com/ada))",
            ),
            ("{{#each (unique_by nicknames \"name\")}}{{author}}{{/each}}", "[ada](https://github.com/ada)"),
            ("{{short_sha sha}} {{upper_first \"élan\"}} {{trim_prefix \"v1\" \"v\"}}", "0123456 Élan 1"),
            (
                "{{date}} {{date \"%d %B %Y\"}} {{date \"2026-02-01\" \"%Y\"}}",
                "2026-01-31 31 January 2026 2026",
            ),
            ("{{truncate \"abcdef\" 4}}|{{truncate \"ab\" 4}}", "abc…|ab"),
            ("{{indent (wrap \"one two three @four\" 9) 2}}", "  one two\n  three\n  `@four`"),
            ("{{wrap \"see the - 1. # list\" 5}}", "see\nthe - 1. #\nlist"),
            ("{{plural n \"line\" \"lines\"}} {{plural 1 \"line\" \"lines\"}}", "lines line"),
            ("{{default none \"x\"}} {{default missing \"y\"}} {{default n 3}}", "x y 2"),
            (
                "{{#each (group_by entries \"type\")}}{{key}}:{{#each items}}{{d}}{{/each}} {{/each}}",
                "fix:bc feat:a ",
            ),
            ("{{#each (where entries \"type\" \"fix\")}}{{d}}{{/each}}", "bc"),
            ("{{#each (sort_by entries \"d\")}}{{d}}{{/each}} {{len (unique_by entries \"type\")}}", "abc 2"),
            ("{{join list \" + \"}} {{join list}}", "x + `@y` x, `@y`"),
            ("{{anchor \"Bug Fixes: ä!\"}}", "bug-fixes-ä"),
            ("{{sha256 \"install.yaml\"}} {{image_ref}}", "abc ghcr.io/a/b:v1@sha256:00"),
            ("{{#if (and (eq n 2) (not none))}}y{{/if}}{{#if (or none (ne n 2))}}n{{/if}}", "y"),
        ] {
            assert_eq!(render(template).as_deref(), Ok(expected), "{template}");
        }
    }

    #[test]
    fn wrong_use_is_refused() {
        for (template, expected) in [
            ("{{md missing}}", "Failed to access variable in strict mode Some(\"missing\")"),
            ("{{join word}}", "`join` takes a list as value number 1"),
            ("{{truncate word \"x\"}}", "`truncate` takes a number as value number 2"),
            ("{{code}}", "`code` needs a value number 1"),
            ("{{date \"yesterday\" \"%Y\"}}", "`date` takes a day, not `yesterday`"),
            ("{{sha256 \"b\"}}", "`sha256` knows no file `b`; the files of the release are: install.yaml"),
            ("{{truncate (md word) 3}}", "`truncate` takes text as value number 1"),
        ] {
            assert_eq!(render(template), Err(expected.to_owned()), "{template}");
        }
    }

    #[test]
    fn the_list_of_helpers_is_whole() {
        let mut engine = Handlebars::new();
        register(&mut engine, None);
        for name in NAMES {
            let known = engine.render_template(&format!("{{{{#if ({name} 1 1 1)}}}}{{{{/if}}}}"), &json!({}));
            let unknown =
                known.is_err_and(|error| matches!(error.reason(), RenderErrorReason::HelperNotFound(_)));
            assert!(!unknown, "{name}");
        }
    }
}
