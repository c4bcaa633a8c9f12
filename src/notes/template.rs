//! The template language: handlebars, strict, with Markdown as its escape.
//!
//! A helper that returns a value is escaped like any text; one that writes Markdown escapes what it is given by itself.

use handlebars::{Context, Handlebars, Helper, HelperResult, Output, RenderContext, handlebars_helper};
use serde_json::Value;

use crate::format::markdown;
use crate::model::Origin;

/// The built-in templates and partials by name.
pub const BUILT_IN: [(&str, &str); 10] = [
    ("kyklos", include_str!("../../templates/notes/kyklos.md.hbs")),
    ("keep-a-changelog", include_str!("../../templates/notes/keep-a-changelog.md.hbs")),
    ("github", include_str!("../../templates/notes/github.md.hbs")),
    ("release-notes", include_str!("../../templates/notes/release-notes.md.hbs")),
    ("entry", include_str!("../../templates/notes/entry.md.hbs")),
    ("manual", include_str!("../../templates/notes/manual.md.hbs")),
    ("overview-stable", include_str!("../../templates/notes/overview-stable.md.hbs")),
    ("overview-prerelease", include_str!("../../templates/notes/overview-prerelease.md.hbs")),
    ("overview-patch", include_str!("../../templates/notes/overview-patch.md.hbs")),
    ("overview-security", include_str!("../../templates/notes/overview-security.md.hbs")),
];

handlebars_helper!(join: |list: Json, separator: str| {
    let words = list.as_array().into_iter().flatten().filter_map(Value::as_str);
    words.collect::<Vec<_>>().join(separator)
});
handlebars_helper!(plural: |count: u64, one: str, many: str| if count == 1 { one } else { many }.to_owned());
handlebars_helper!(upper_first: |text: str| {
    let mut rest = text.chars();
    rest.next().map(|first| first.to_uppercase().chain(rest).collect::<String>()).unwrap_or_default()
});
handlebars_helper!(trim_prefix: |text: str, prefix: str| text.strip_prefix(prefix).unwrap_or(text).to_owned());
handlebars_helper!(truncate: |text: str, length: usize| {
    if text.chars().count() <= length {
        text.to_owned()
    } else {
        text.chars().take(length.saturating_sub(1)).chain(['…']).collect()
    }
});
handlebars_helper!(or_else: |value: Json, other: Json| {
    if value.is_null() || value == "" { other.clone() } else { value.clone() }
});
handlebars_helper!(short_sha: |sha: str| sha.get(..7).unwrap_or(sha).to_owned());
handlebars_helper!(anchor: |text: str| {
    let kept = text.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect::<String>()
});

/// An engine with every helper. Addresses are made for the origin.
pub(super) fn engine(origin: Option<&Origin>) -> Handlebars<'static> {
    let mut engine = Handlebars::new();
    engine.set_strict_mode(true);
    engine.register_escape_fn(markdown::text);
    engine.register_helper("join", Box::new(join));
    engine.register_helper("plural", Box::new(plural));
    engine.register_helper("upper_first", Box::new(upper_first));
    engine.register_helper("trim_prefix", Box::new(trim_prefix));
    engine.register_helper("truncate", Box::new(truncate));
    engine.register_helper("default", Box::new(or_else));
    engine.register_helper("short_sha", Box::new(short_sha));
    engine.register_helper("anchor", Box::new(anchor));
    write(&mut engine, "md", |values| markdown::text(values[0]));
    write(&mut engine, "code", |values| markdown::code(values[0]));
    write(&mut engine, "link", |values| markdown::link(values[0], values[1]));
    let links = origin.cloned();
    write(&mut engine, "commit_link", move |values| {
        let short = values[0].get(..7).unwrap_or(values[0]);
        links
            .as_ref()
            .map_or_else(|| short.to_owned(), |links| format!("[{short}]({})", links.commit(values[0])))
    });
    let links = origin.cloned();
    write(&mut engine, "pr_link", move |values| {
        number(values[0], links.as_ref().map(|l| l.pull_request(values[0])))
    });
    let links = origin.cloned();
    write(&mut engine, "issue_link", move |values| {
        number(values[0], links.as_ref().map(|l| l.issue(values[0])))
    });
    let links = origin.cloned();
    engine.register_helper(
        "author",
        Box::new(
            move |_: &Helper<'_>,
                  _: &Handlebars<'_>,
                  context: &Context,
                  state: &mut RenderContext<'_, '_>,
                  out: &mut dyn Output|
                  -> HelperResult {
                let here = state.evaluate(context, "this")?;
                let here = here.as_json();
                let text = |name: &str| here.get(name).and_then(Value::as_str).unwrap_or_default();
                let (name, login) = (text("name"), text("login"));
                let page = links.as_ref().filter(|_| !login.is_empty() && !login.ends_with("[bot]"));
                match page {
                    Some(links) => {
                        let link = markdown::link(login, &format!("https://{}/{login}", links.host));
                        out.write(&format!("{} ({link})", markdown::text(name)))?;
                    }
                    None => out.write(&markdown::text(name))?,
                }
                Ok(())
            },
        ),
    );
    engine
}

fn number(id: &str, url: Option<String>) -> String {
    let digits = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    match url {
        Some(url) if digits => format!("[#{id}]({url})"),
        _ => format!("#{}", markdown::text(id)),
    }
}

/// Registers a helper that writes Markdown. Arguments that are missing are empty.
fn write(
    engine: &mut Handlebars<'static>,
    name: &'static str,
    make: impl Fn(&[&str; 2]) -> String + Send + Sync + 'static,
) {
    engine.register_helper(
        name,
        Box::new(
            move |helper: &Helper<'_>,
                  _: &Handlebars<'_>,
                  _: &Context,
                  _: &mut RenderContext<'_, '_>,
                  out: &mut dyn Output|
                  -> HelperResult {
                let value =
                    |at: usize| helper.param(at).and_then(|value| value.value().as_str()).unwrap_or_default();
                out.write(&make(&[value(0), value(1)]))?;
                Ok(())
            },
        ),
    );
}
