//! The five parts of an error: first line, facts, place, causes, help.

use std::fmt::Write as _;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::style::{ERROR, HELP};
use crate::diag::{Span, clean};

/// An error as it is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Stable name in kebab case.
    pub code: &'static str,
    /// One line, lower case, no period.
    pub message: String,
    /// Labelled values, expected before found.
    pub facts: Vec<(&'static str, String)>,
    /// What lies behind it, nearest first.
    pub causes: Vec<String>,
    /// The place in a file the user wrote.
    pub span: Option<Span>,
    /// Commands to paste, or what to change.
    pub hints: Vec<String>,
}

/// Draws a problem with colours; the printer takes them out where they do not belong.
pub fn draw(problem: &Problem) -> String {
    let mut out = String::new();
    let Problem { code, message, facts, causes, span, hints } = problem;
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{ERROR}error[{code}]{ERROR:#}: {}", clean(message));
    if let Some(span) = span {
        out.push_str(&excerpt(span));
    }
    let width = facts.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
    for (label, value) in facts {
        let _ = writeln!(out, "  {label:width$}  {}", clean(value));
    }
    for cause in causes {
        let _ = writeln!(out, "caused by: {}", clean(cause));
    }
    for hint in hints {
        let _ = writeln!(out, "{HELP}help{HELP:#}: {}", clean(hint));
    }
    out
}

fn excerpt(span: &Span) -> String {
    let end = span.end.clamp(span.start, span.source.len());
    if !span.source.is_char_boundary(span.start) || !span.source.is_char_boundary(end) {
        return String::new();
    }
    let group = Level::ERROR.primary_title("").element(
        Snippet::source(span.source.as_str())
            .path(span.path.as_str())
            .annotation(AnnotationKind::Primary.span(span.start..end).label(span.label.as_str())),
    );
    let drawn = Renderer::plain().render(&[group]);
    drawn.lines().skip(1).flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_parts() {
        let problem = Problem {
            code: "policy-key",
            message: "unknown key `minimm`\u{1b}[2J".to_owned(),
            facts: vec![("expected", "minimum".to_owned()), ("found", "minimm".to_owned())],
            causes: vec!["the policy cannot be read".to_owned()],
            span: Some(Span {
                path: "policies/release.yaml".to_owned(),
                source: "gates:\n  minimm: 80\n".to_owned(),
                start: 9,
                end: 15,
                label: "here".to_owned(),
            }),
            hints: vec!["write `minimum`".to_owned()],
        };
        let plain = anstream::adapter::strip_str(&draw(&problem)).to_string();
        insta::assert_snapshot!(plain, @r"
        error[policy-key]: unknown key `minimm`�[2J
         --> policies/release.yaml:2:3
          |
        2 |   minimm: 80
          |   ^^^^^^ here
          expected  minimum
          found     minimm
        caused by: the policy cannot be read
        help: write `minimum`
        ");
    }
}
