//! Foreign words among ours.

use crate::model::is_steering;

/// Text for a terminal: what foreign words in it would steer there is replaced. Line ends and tabs stay.
pub fn clean(text: &str) -> String {
    let replaced = |c: char| is_steering(c) && c != '\n' && c != '\t';
    text.chars().map(|c| if replaced(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
