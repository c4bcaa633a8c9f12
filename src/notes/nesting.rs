//! Templates that would never end, or end the program: the stack is not watched by the engine.
//!
//! The engine refuses a template that includes itself by its name. One that comes back to itself by way of another, or by
//! a partial that is written in the template, would go on until the stack is used up, and so would blocks in blocks in
//! blocks. Templates have data without an end nowhere, so a circle is always a mistake.

use std::collections::{BTreeMap, BTreeSet};

use handlebars::Template;
use handlebars::template::{DecoratorTemplate, HelperTemplate, Parameter, TemplateElement};

/// Most blocks in one another, and most brackets.
pub(super) const DEEPEST: usize = 64;

const BY_EXPRESSION: &str = "a partial is named by an expression";
const TOO_LONG: &str = "it includes more than 64 templates in one another";

/// Where a text first goes deeper than [`DEEPEST`].
pub(super) fn too_deep(text: &str) -> Option<usize> {
    let mut blocks = 0_usize;
    let mut at = 0_usize;
    for (position, tag) in text.split("{{").enumerate() {
        let start = at.saturating_sub(2);
        at += tag.len() + 2;
        if position == 0 {
            continue;
        }
        let inside = tag.split("}}").next().unwrap_or_default();
        match inside.trim_start_matches(['{', '~']).chars().next() {
            Some('#' | '^') => blocks += 1,
            Some('/') => blocks = blocks.saturating_sub(1),
            _ => {}
        }
        let mut brackets = 0_usize;
        let deep = inside.bytes().any(|byte| {
            match byte {
                b'(' => brackets += 1,
                b')' => brackets = brackets.saturating_sub(1),
                _ => {}
            }
            brackets > DEEPEST
        });
        if deep || blocks > DEEPEST {
            return Some(start);
        }
    }
    None
}

/// The partials a built-in template names.
pub(super) fn partials(text: &str) -> impl Iterator<Item = &str> {
    text.split("{{").skip(1).filter_map(|tag| {
        let name = tag.trim_start_matches(['~', '#']).strip_prefix('>')?.trim_start();
        Some(&name[..name.find([' ', '}', '~'])?])
    })
}

/// What templates include, by name; partials that are written inside of one count as templates.
#[derive(Default)]
struct Includes<'a> {
    of: BTreeMap<&'a str, Vec<&'a str>>,
    /// Templates that include what an expression names, which nobody can follow.
    by_expression: Vec<&'a str>,
}

/// Why templates would not end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Endless {
    /// The names of a circle, the first again at the end.
    Circle(Vec<String>),
    /// A template, and what in it cannot be followed to an end.
    Refused(String, &'static str),
}

/// Whether templates come back to themselves.
pub(super) fn endless<'a>(templates: impl Iterator<Item = (&'a str, &'a Template)>) -> Option<Endless> {
    let mut includes = Includes::default();
    for (name, template) in templates {
        includes.read(name, template);
    }
    if let Some(name) = includes.by_expression.first() {
        return Some(Endless::Refused((*name).to_owned(), BY_EXPRESSION));
    }
    let mut done = BTreeSet::new();
    includes.of.keys().find_map(|name| includes.circle(name, &mut Vec::new(), &mut done))
}

impl<'a> Includes<'a> {
    fn read(&mut self, name: &'a str, template: &'a Template) {
        self.of.entry(name).or_default();
        for element in &template.elements {
            match element {
                TemplateElement::HelperBlock(block)
                | TemplateElement::Expression(block)
                | TemplateElement::HtmlExpression(block) => self.read_block(name, block),
                TemplateElement::PartialExpression(include) | TemplateElement::PartialBlock(include) => {
                    self.include(name, include);
                }
                TemplateElement::DecoratorExpression(inline) | TemplateElement::DecoratorBlock(inline) => {
                    self.define(name, inline);
                }
                _ => {}
            }
        }
    }

    fn read_block(&mut self, name: &'a str, block: &'a HelperTemplate) {
        for template in block.template.iter().chain(&block.inverse) {
            self.read(name, template);
        }
    }

    fn include(&mut self, name: &'a str, include: &'a DecoratorTemplate) {
        match included(&include.name) {
            Some(other) if other.starts_with('@') => {}
            Some(other) => self.of.entry(name).or_default().push(other),
            None => self.by_expression.push(name),
        }
        // What stands inside is shown where the included one says so.
        if let Some(template) = &include.template {
            self.read(name, template);
        }
    }

    /// `{{#*inline "name"}}`.
    fn define(&mut self, name: &'a str, inline: &'a DecoratorTemplate) {
        let own = match inline.params.first() {
            Some(Parameter::Literal(literal)) => literal.as_str(),
            _ => None,
        };
        if let Some(template) = &inline.template {
            self.read(own.unwrap_or(name), template);
        }
    }

    fn circle(
        &self,
        name: &'a str,
        path: &mut Vec<&'a str>,
        done: &mut BTreeSet<&'a str>,
    ) -> Option<Endless> {
        if let Some(start) = path.iter().position(|one| *one == name) {
            let chain = path[start..].iter().chain([&name]).map(|name| (*name).to_owned());
            return Some(Endless::Circle(chain.collect()));
        }
        if done.contains(name) {
            return None;
        }
        if path.len() > DEEPEST {
            return Some(Endless::Refused(path[0].to_owned(), TOO_LONG));
        }
        path.push(name);
        let found = self.of.get(name).into_iter().flatten().find_map(|other| self.circle(other, path, done));
        path.pop();
        done.insert(name);
        found
    }
}

/// The name of what is included; `None` when an expression makes it.
fn included(name: &Parameter) -> Option<&str> {
    match name {
        Parameter::Literal(literal) => literal.as_str(),
        // An expression has no name.
        _ => name.as_name(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(templates: &[(&str, &str)]) -> Option<Endless> {
        let read: Vec<(&str, Template)> =
            templates.iter().map(|(name, text)| (*name, Template::compile(text).unwrap())).collect();
        endless(read.iter().map(|(name, template)| (*name, template)))
    }

    #[test]
    fn circles_are_found_wherever_they_close() {
        let circle = |names: &str| Some(Endless::Circle(names.split(' ').map(ToOwned::to_owned).collect()));
        assert_eq!(found(&[("a", "{{> b}}{{> c}}"), ("b", "{{#if x}}{{> c}}{{/if}}"), ("c", "x")]), None);
        assert_eq!(found(&[("a", "{{> a}}")]), circle("a a"));
        assert_eq!(
            found(&[("a", "{{#if x}}y{{else}}{{> b}}{{/if}}"), ("b", "{{#each z}}{{> a}}{{/each}}")]),
            circle("a b a")
        );
        assert_eq!(found(&[("a", "{{#*inline \"x\"}}{{> x}}{{/inline}}{{> x}}")]), circle("x x"));
        assert_eq!(found(&[("a", "{{#> b}}{{> a}}{{/b}}"), ("b", "{{> @partial-block}}")]), circle("a a"));
        assert_eq!(found(&[("a", "{{#> b}}text{{/b}}"), ("b", "{{> @partial-block}}")]), None);
        let chain: Vec<(String, String)> =
            (0..99).map(|n| (format!("t{n:02}"), format!("{{{{> t{:02}}}}}", n + 1))).collect();
        let chain: Vec<(&str, &str)> = chain.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        assert_eq!(found(&chain), Some(Endless::Refused("t00".to_owned(), TOO_LONG)));
        assert_eq!(
            found(&[("a", "{{> (lookup x 'y')}}")]),
            Some(Endless::Refused("a".to_owned(), BY_EXPRESSION))
        );
    }

    #[test]
    fn depth_is_counted_by_blocks_and_by_brackets() {
        let blocks = |depth: usize| format!("x{}y{}", "{{#if a}}".repeat(depth), "{{/if}}".repeat(depth));
        assert_eq!(too_deep(&blocks(DEEPEST)), None);
        assert_eq!(too_deep(&blocks(DEEPEST + 1)), Some(1 + 9 * DEEPEST));
        assert_eq!(too_deep(&"{{#if a}}{{/if}}".repeat(1000)), None);
        let brackets = |depth: usize| format!("{{{{md {}a{}}}}}", "(md ".repeat(depth), ")".repeat(depth));
        assert_eq!(too_deep(&brackets(DEEPEST)), None);
        assert_eq!(too_deep(&brackets(DEEPEST + 1)), Some(0));
        assert_eq!(too_deep(&"((".repeat(1000)), None);
    }
}
