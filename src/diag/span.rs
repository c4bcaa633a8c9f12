//! A place in a text file, with the text, so that a message can show it.

/// A range of characters in a text the user wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The file as the user named it.
    pub path: String,
    /// The whole text.
    pub source: String,
    /// Byte offset of the first character.
    pub start: usize,
    /// Byte offset behind the last character.
    pub end: usize,
    /// What stands under the marker.
    pub label: String,
}

impl Span {
    /// 1-based line and column, the column in characters.
    pub fn line_column(&self) -> (u32, u32) {
        let before = self.source.get(..self.start).unwrap_or(&self.source);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |tail| tail.chars().count()) + 1;
        (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
    }
}
