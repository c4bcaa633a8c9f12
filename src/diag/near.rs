//! The name that was probably meant.

use strsim::levenshtein;

/// The name in a list that a word was probably meant to be: at most three edits away, and more alike than not.
pub fn did_you_mean<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let (edits, name) =
        names.into_iter().map(|name| (levenshtein(word, name), name)).min_by_key(|(edits, _)| *edits)?;
    let longer = word.chars().count().max(name.chars().count());
    (edits <= 3 && 2 * edits <= longer + 1).then_some(name)
}

/// The same as words behind an error: `, did you mean …?`, or nothing.
pub fn perhaps<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    did_you_mean(word, names).map(|name| format!(", did you mean `{name}`?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_the_nearest_names_or_none() {
        let names = ["minimum", "maximum", "strict"];
        assert_eq!(did_you_mean("minimun", names), Some("minimum"));
        assert_eq!(did_you_mean("ximum", names), Some("maximum"));
        assert_eq!(did_you_mean("min", names), None, "four edits");
        assert_eq!(did_you_mean("ab", ["ac", "cb"]), Some("ac"));
        assert_eq!(did_you_mean("ab", ["xyz"]), None, "less alike than not");
        assert_eq!(did_you_mean("x", []), None);
        assert_eq!(perhaps("stric", names), ", did you mean `strict`?");
        assert_eq!(perhaps("other", names), "");
    }
}
