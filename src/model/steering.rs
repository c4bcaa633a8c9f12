//! Characters that are not read but obeyed.

/// Whether a character steers what shows it: control characters, line ends, characters without width, and those that change
/// the direction of text (UAX #9; CVE-2021-42574).
pub fn is_steering(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{061c}')
}
