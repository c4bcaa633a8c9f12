//! Numbers of things, in words.

use std::fmt::Display;

/// A number and what is counted: `1 file`, `2 files`.
pub fn counted<N: Display + PartialEq + From<u8>>(count: N, one: &str, many: &str) -> String {
    let word = if count == N::from(1) { one } else { many };
    format!("{count} {word}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_and_many() {
        let told = [0u64, 1, 2].map(|count| counted(count, "entry", "entries"));
        assert_eq!(told, ["0 entries", "1 entry", "2 entries"]);
        assert_eq!(counted(1usize, "file matches", "files match"), "1 file matches");
    }
}
