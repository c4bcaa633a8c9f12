//! The notice at the top of the text of a release that was withdrawn.
//!
//! The text under it stays as it was, the marker in its last line included, so that the release is still known by it.

use super::markdown;

/// The first line. A person who edits the text sees what it is for.
const START: &str = "<!-- kyklos-release withdrawn -->\n> **This release is withdrawn.** ";
const END: &str = "\n\n";

/// A notice with its reason, and the text under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdrawn<'a> {
    /// Why, as Markdown on one line.
    pub reason: &'a str,
    /// The text of the release as it was published.
    pub text: &'a str,
}

/// The notice of a text; `None` for a release that stands.
pub fn find(body: &str) -> Option<Withdrawn<'_>> {
    let (reason, text) = body.strip_prefix(START)?.split_once(END)?;
    Some(Withdrawn { reason, text })
}

/// The text of a release under a notice. A notice that is there already is replaced.
pub fn prepend(body: &str, reason: &str) -> String {
    let text = find(body).map_or(body, |withdrawn| withdrawn.text);
    format!("{START}{}{END}{text}", markdown::text(reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_stands_above_a_text_that_stays_as_it_was() {
        let body = "# app 1.0.0\n\ntext\n\n<!-- kyklos-release rid=x op=y -->\n";
        assert_eq!(find(body), None);
        let withdrawn = prepend(body, "it *eats* data\nand <b>more</b>");
        assert_eq!(
            withdrawn,
            format!(
                "<!-- kyklos-release withdrawn -->\n> **This release is withdrawn.** it \\*eats\\* data and \\<b>more\\</b>\n\n{body}"
            )
        );
        assert_eq!(find(&withdrawn).map(|found| found.text), Some(body));
        let again = prepend(&withdrawn, "other");
        assert_eq!(find(&again), Some(Withdrawn { reason: "other", text: body }));
    }
}
